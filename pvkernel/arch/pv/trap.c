/* SPDX-License-Identifier: MIT
 *
 * From the hypervisor's bounces to core's up-calls: faults and system calls of programs, and the end of an
 * interrupt, where threads change. A fault of the kernel itself is a bug: all registers are printed and the
 * domain crashes.
 */
#include "pvkernel/arch/pv/pv.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/traps.h"
#include "libpv/vcpu.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/lib.h"

enum { DE = 0, NM = 7, SS = 12, PF = 14, AC = 17, XM = 19 };
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_EXEC = 16 };

static const char *const names[32] = {
    "division by zero",
    "debug trap",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid instruction",
    "no FPU",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection fault",
    "page fault",
    "trap 15",
    "FPU error",
    "alignment check",
    "machine check",
    "SIMD error",
};

static const char *name_of(const struct pv_regs *r)
{
    return r->vector < 32 && names[r->vector] ? names[r->vector] : "trap";
}

/* A write to a page of ours that this vcpu's TLB still had as read-only, from when it was a table. The fault
 * has dropped that entry (SDM 3A 4.10.4.3). */
static bool writable_again(const struct pv_regs *r, unsigned long address)
{
    const uint64_t *entry = r->error & PF_WRITE && r->error & PF_PRESENT ? pv_walk(address) : NULL;
    return pv_several && entry && (*entry & (PTE_P | PTE_RW)) == (PTE_P | PTE_RW);
}

static void page_fault(struct pv_regs *r)
{
    unsigned long address = pv_fault_address();
    if (pv_from_user(r)) {
        core_user_fault(address, r->error & PF_WRITE, r->error & PF_EXEC, r->error & PF_PRESENT, r->rip);
        return;
    }
    if (writable_again(r, address))
        return;
    pv_print_regs(r);
    panic("page fault in the kernel: %s 0x%lx, error code %lu, at rip 0x%lx",
          r->error & PF_WRITE  ? "write to"
          : r->error & PF_EXEC ? "jump to"
                               : "read of",
          address, r->error, r->rip);
}

static void trap(struct pv_regs *r)
{
    if (pv_from_user(r))
        core_user_trap(name_of(r), r->rip);
    pv_print_regs(r);
    panic("%s in the kernel, error code 0x%lx, at rip 0x%lx", name_of(r), r->error, r->rip);
}

static void no_fpu(struct pv_regs *r)
{
    (void)r;
    HYPERVISOR_fpu_taskswitch(0);
}

static void system_call(struct pv_regs *r)
{
    const unsigned long args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
    r->rax = (unsigned long)core_syscall(r->rax, args);
}

static void system_call32(struct pv_regs *r)
{
    core_user_trap("system call in 32-bit mode", r->rip);
}

static void exit_hook(struct pv_regs *r)
{
    /* A synchronous trap inside of an interrupts-off stretch is no place to switch. */
    if (r->rflags & PV_RFLAGS_IF)
        core_interrupt_exit();
    if (pv_from_user(r))
        core_user_exit_check();
}

void arch_enter_user(uintptr_t ip, uintptr_t sp)
{
    struct pv_regs r = {
        .rip = ip,
        .rsp = sp,
        .cs = PV_CS,
        .ss = PV_SS,
        .rflags = PV_RFLAGS_IF,
    };
    pv_resume(&r);
}

void pv_traps_setup(void)
{
    for (unsigned v = 0; v < 32; v++)
        if (v != 2)
            pv_set_trap_handler(v, trap);
    pv_set_trap_handler(PF, page_fault);
    pv_set_trap_handler(NM, no_fpu);
    pv_set_trap_handler(PV_VECTOR_FAILSAFE, trap);
    pv_set_trap_handler(PV_VECTOR_SYSCALL, system_call);
    pv_set_trap_handler(PV_VECTOR_SYSCALL32, system_call32);
    pv_exit_hook = exit_hook;
}
