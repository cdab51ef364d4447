/* SPDX-License-Identifier: MIT
 *
 * Exceptions, callbacks and the way back: the guest's virtual IDT.
 *
 * Each entry into the kernel (an exception, an event upcall, a user program's SYSCALL, the failsafe callback)
 * saves all registers as a struct pv_regs on the kernel stack and calls the handler of its vector. A handler
 * may change the registers; on return they are loaded: by a plain iretq when the frame is the kernel's, by
 * HYPERVISOR_iret when it is a user program's.
 *
 * Invariant: handlers run with event upcalls masked. The mask that was in force before is in the frame (the
 * inverse of rflags.IF) and comes back with the return; what became pending meanwhile is delivered before it.
 * A handler may unmask events (pv_events_on) once its data allow to be interrupted.
 * Entries are made by traps_entry.S; read traps.c next.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

/* Vectors 0 to 255 are the CPU's; these name the callbacks. */
#define PV_VECTOR_EVENT     256 /* event upcall (libpv/event.c has it) */
#define PV_VECTOR_FAILSAFE  257 /* a segment register or iret of a user frame was refused */
#define PV_VECTOR_SYSCALL   258 /* SYSCALL from a 64-bit user program: rcx = rip, r11 = rflags */
#define PV_VECTOR_SYSCALL32 259 /* SYSCALL from compatibility mode */
#define PV_NR_VECTORS       260

#define PV_RFLAGS_IF        0x200UL

/* Segment selectors that every PV guest has in its GDT (arch-x86/xen-x86_64.h). */
#define PV_CS   0xe033
#define PV_CS32 0xe023
#define PV_SS   0xe02b

/* The saved registers, in the order in which they lie on the stack. The layout is shared with traps_entry.S,
 * which takes its offsets from the static assertions in traps.c. */
struct pv_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r10, r9, r8, rdx, rsi, rdi;
    uint64_t vector;        /* one of 0 .. PV_NR_VECTORS - 1 */
    uint64_t rax, r11, rcx; /* from here on: the frame of HYPERVISOR_iret */
    uint64_t error;         /* error code, 0 for vectors that have none */
    uint64_t rip;
    uint16_t cs, cs_pad;       /* RPL 0: interrupted kernel mode; 3: user mode */
    uint8_t saved_upcall_mask; /* as Xen pushed it */
    uint8_t mask_pad[3];
    uint64_t rflags; /* IF = events were unmasked */
    uint64_t rsp;
    uint64_t ss;
};

/* True when the frame belongs to a user program. */
static inline bool pv_from_user(const struct pv_regs *r)
{
    return (r->cs & 3) == 3;
}

typedef void (*pv_trap_fn)(struct pv_regs *r);

/* Makes fn the handler of a vector and returns the one before. fn NULL: the default, which prints the
 * registers and crashes the domain. Registering PV_VECTOR_SYSCALL or _SYSCALL32 also registers the callback
 * with the hypervisor (CALLBACKF_mask_events). The handler runs on the stack of the entry: the interrupted
 * one from kernel mode, that of HYPERVISOR_stack_switch from user mode. Source: xen.h, set_trap_table;
 * callback.h. */
pv_trap_fn pv_set_trap_handler(unsigned int vector, pv_trap_fn fn);

/* Lets software in user mode (dpl 3) or only in the kernel (dpl 1) raise a vector with `int n`. 0 or a
 * negative errno. */
int pv_set_trap_dpl(unsigned int vector, unsigned int dpl);

/* Called after the handler of an entry, with events masked, just before the registers are loaded again: a
 * threaded kernel switches threads here. NULL (the default): nothing is called. */
extern void (*pv_exit_hook)(struct pv_regs *r);

/* The address that the last #PF of this vcpu was about. Read it before anything else can fault. */
unsigned long pv_fault_address(void);

/* Loads all registers from r and goes on there, in kernel or user mode by r->cs, as a return from a trap
 * does. Does not come back. For user mode: cs = PV_CS, ss = PV_SS, rflags with PV_RFLAGS_IF; the user page
 * table was set by MMUEXT_NEW_USER_BASEPTR and the kernel stack by HYPERVISOR_stack_switch. `error` is taken
 * as the flags of the iret frame: 0. A kernel-mode r must lie at the low end of a stack:
 * an event may push its frame right below it. */
void pv_resume(struct pv_regs *r) __attribute__((noreturn));

/* Prints all registers, one block of lines. */
void pv_print_regs(const struct pv_regs *r);

/* Start-up only: loads the trap table and the callbacks. For another vcpu they are in its context; what that
 * has no place for the vcpu loads itself. */
void pv_traps_init(void);
void pv_traps_fill(struct vcpu_guest_context *c);
void pv_traps_init_vcpu(void);

/* Called by traps_entry.S. */
void pv_trap_dispatch(struct pv_regs *r);
