/* SPDX-License-Identifier: MIT
 *
 * The hypercall table: number, handler, name and count of arguments of every call of the ABI. Entry code and
 * multicall index it; the crash report takes the names from it. Also the one routine that does
 * sub-operations, the page of stubs that guests get, and how a long call stops and goes on.
 */
#include "hypercall/hypercall.h"
#include "lib/string.h"
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

    if (v->arch.multicall_entry && get_guest_u64(&nr, v->arch.multicall_entry))
        nr = 0;
    return hypercall_unknown(nr);
}

/* clang-format off */
#define CALL(name, nargs) [__HYPERVISOR_##name] = { do_##name, #name, nargs, 0 },
#define NONE { no_such_hypercall, NULL, 0, 0 }

const struct hypercall hypercall_table[NR_HYPERCALLS] = {
    [11] = NONE,
    [19] = NONE,        /* physdev_op_compat */
    [27 ... 28] = NONE, /* xsm_op, nmi_op */
    [31] = NONE,        /* xenoprof_op */
    [34 ... 35] = NONE, /* hvm_op, sysctl */
    [37 ... 47] = NONE, /* kexec_op, tmem_op, argo_op, xenpmu_op */
    [49 ... 63] = NONE, HYPERCALLS(CALL)
};
/* clang-format on */

long sub_op(unsigned int nr, const struct sub_op *rows, size_t n, struct vcpu *v, uint32_t op, uint64_t guest)
{
    uint64_t arg[SUB_OP_LARGEST / 8];
    const struct sub_op *row;
    long rc;

    if (op >= n || !rows[op].fn)
        return refuse(-ENOSYS, R_NO_SUCH_OP, nr, op);
    row = &rows[op];
    if (row->privileged && !current->domain->privileged)
        return refuse(-EPERM, R_NOT_PRIVILEGED, nr, op);
    if (row->in && copy_from_guest(arg, guest, row->in))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    rc = row->fn(v, op, arg);
    if (row->out && (rc >= 0 || row->out_always) && copy_to_guest(guest, arg, row->out))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    return rc == -ERESTART ? hypercall_restart(nr, 0, NULL) : rc;
}

int get_target_domain(unsigned int nr, uint32_t op, uint16_t domid, struct domain **d)
{
    struct domain *caller = current->domain;

    *d = get_domain_for(caller, domid);
    if (!*d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
    if (*d == caller || caller->privileged)
        return 0;
    put_domain(*d);
    return refuse(-EPERM, R_NOT_PRIVILEGED, nr, op);
}

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
