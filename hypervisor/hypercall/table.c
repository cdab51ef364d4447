/* SPDX-License-Identifier: MIT
 *
 * The hypercall table: number, handler, name and count of arguments of every call of the ABI. Entry code and
 * multicall index it; the crash report and docs/hypercalls.md take the names from it. Also the page of stubs
 * that guests get.
 */
#include "hypercall/hypercall.h"
#include "domain/domain.h"
#include "domain/refuse.h"
#include "lib/string.h"
#include "x86/copy.h"
#include "x86/cpu.h"

long hypercall_unknown(uint64_t nr)
{
    return refuse(-ENOSYS, R_NO_SUCH_CALL, nr, 0);
}

/* An empty row: its number is in rax, or in the multicall's entry. */
static long no_such_hypercall(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    uint64_t nr = v->regs.rax;

    (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    if (v->arch.multicall_entry && get_guest_u64(&nr, v->arch.multicall_entry))
        nr = 0;
    return hypercall_unknown(nr);
}

#define CALL(name, nargs) [__HYPERVISOR_##name] = { do_##name, #name, nargs, 0 }
#define NONE(nr)          [nr] = { no_such_hypercall, NULL, 0, 0 }

/* clang-format off */
const struct hypercall hypercall_table[NR_HYPERCALLS] = {
    /*  0 */ CALL(set_trap_table, 1),
    /*  1 */ CALL(mmu_update, 4),
    /*  2 */ CALL(set_gdt, 2),
    /*  3 */ CALL(stack_switch, 2),
    /*  4 */ CALL(set_callbacks, 3),
    /*  5 */ CALL(fpu_taskswitch, 1),
    /*  6 */ CALL(sched_op_compat, 2),
    /*  7 */ CALL(platform_op, 1),
    /*  8 */ CALL(set_debugreg, 2),
    /*  9 */ CALL(get_debugreg, 1),
    /* 10 */ CALL(update_descriptor, 2),
    /* 11 */ NONE(11),
    /* 12 */ CALL(memory_op, 2),
    /* 13 */ CALL(multicall, 2),
    /* 14 */ CALL(update_va_mapping, 3),
    /* 15 */ CALL(set_timer_op, 1),
    /* 16 */ CALL(event_channel_op_compat, 1),
    /* 17 */ CALL(xen_version, 2),
    /* 18 */ CALL(console_io, 3),
    /* 19 */ NONE(19), /* physdev_op_compat */
    /* 20 */ CALL(grant_table_op, 3),
    /* 21 */ CALL(vm_assist, 2),
    /* 22 */ CALL(update_va_mapping_otherdomain, 4),
    /* 23 */ CALL(iret, 0),
    /* 24 */ CALL(vcpu_op, 3),
    /* 25 */ CALL(set_segment_base, 2),
    /* 26 */ CALL(mmuext_op, 4),
    /* 27 */ NONE(27), /* xsm_op */
    /* 28 */ NONE(28), /* nmi_op */
    /* 29 */ CALL(sched_op, 2),
    /* 30 */ CALL(callback_op, 2),
    /* 31 */ NONE(31), /* xenoprof_op */
    /* 32 */ CALL(event_channel_op, 2),
    /* 33 */ CALL(physdev_op, 2),
    /* 34 */ NONE(34), /* hvm_op */
    /* 35 */ NONE(35), /* sysctl */
    /* 36 */ NONE(36), /* domctl */
    /* 37 */ NONE(37), /* kexec_op */
    /* 38 */ NONE(38), /* tmem_op */
    /* 39 */ NONE(39), /* argo_op */
    /* 40 */ NONE(40), /* xenpmu_op */
    /* 41 */ NONE(41), NONE(42), NONE(43), NONE(44), NONE(45), NONE(46), NONE(47),
    /* 48 */ CALL(arch_0, 2),
    /* 49 */ NONE(49), NONE(50), NONE(51), NONE(52), NONE(53), NONE(54), NONE(55),
    /* 56 */ NONE(56), NONE(57), NONE(58), NONE(59), NONE(60), NONE(61), NONE(62), NONE(63),
};
/* clang-format on */

/* One slot: push rcx; push r11; mov $nr, eax; syscall; pop r11; pop rcx; ret. That of iret pushes rax too and
 * never comes back (abi 11). */
void hypercall_page_fill(void *page)
{
    static const uint8_t call[] = { 0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 };
    static const uint8_t iret[] = { 0x51, 0x41, 0x53, 0x50, 0xb8, __HYPERVISOR_iret, 0, 0, 0, 0x0f, 0x05 };
    uint8_t *slot = page;

    memset(page, 0xcc, PAGE_SIZE);
    for (unsigned int nr = 0; nr < PAGE_SIZE / 32; nr++, slot += 32) {
        memcpy(slot, call, sizeof(call));
        slot[4] = (uint8_t)nr;
    }
    memcpy((uint8_t *)page + 32 * __HYPERVISOR_iret, iret, sizeof(iret));
}

/* In a multicall the progress goes into the guest's entry, which runs again when the multicall does. */
static long restart_entry(struct vcpu *v, unsigned int nr, unsigned int nargs, const uint64_t *args)
{
    uint64_t entry = v->arch.multicall_entry;
    int rc = put_guest_u64(nr, entry + offsetof(struct multicall_entry, op));

    for (unsigned int i = 0; i < nargs && !rc; i++)
        rc = put_guest_u64(args[i], entry + offsetof(struct multicall_entry, args) + i * 8);
    v->arch.multicall_restart = !rc;
    return rc ? refuse(-EFAULT, R_BAD_POINTER, entry, 0) : 0;
}

long hypercall_restart(unsigned int nr, unsigned int nargs, const uint64_t *args)
{
    struct vcpu *v = current;
    uint64_t *const regs[] = { &v->regs.rdi, &v->regs.rsi, &v->regs.rdx, &v->regs.r10, &v->regs.r8 };

    if (v->arch.multicall_entry)
        return restart_entry(v, nr, nargs, args);
    for (unsigned int i = 0; i < nargs; i++)
        *regs[i] = args[i];
    v->regs.rip -= 2; /* the length of SYSCALL */
    return (long)nr;
}

bool preempt_pending(void)
{
    const struct vcpu *v = current;

    cpu_window();
    return cpu_work_pending() ||
           (v && v->info && v->info->evtchn_upcall_pending && !v->info->evtchn_upcall_mask);
}
