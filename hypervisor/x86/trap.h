/* SPDX-License-Identifier: MIT
 *
 * Exceptions and interrupts: vectors, and what entry.S and traps.c know of each other.
 */
#pragma once

#define VEC_DE  0
#define VEC_DB  1
#define VEC_NMI 2
#define VEC_BP  3
#define VEC_UD  6
#define VEC_NM  7
#define VEC_DF  8
#define VEC_TS  10
#define VEC_NP  11
#define VEC_SS  12
#define VEC_GP  13
#define VEC_PF  14
#define VEC_AC  17
#define VEC_MC  18

/* Exceptions with an error code, a bit each. */
#define ERROR_CODE_VECTORS 0x60227d00

#define VEC_PIC            0x20 /* 16 lines of the two PICs */
#define VEC_TIMER          0xf0 /* local APIC */
#define VEC_WORK           0xf1 /* another CPU has set cpu->work */
#define VEC_FLUSH          0xf2 /* another CPU has set cpu->flush_wanted */
#define VEC_SPURIOUS       0xff

/* regs.entry_vector of a guest whose RCX and R11 needn't be restored: it came by SYSCALL, or goes into one of
 * its handlers. The way out may then be SYSRET. */
#define VEC_SYSCALL 0xffffffff

#define PF_PRESENT  0x1
#define PF_WRITE    0x2
#define PF_USER     0x4
#define PF_INSN     0x10

#define RFLAGS_CF   0x1
#define RFLAGS_TF   0x100
#define RFLAGS_IF   0x200
#define RFLAGS_DF   0x400
#define RFLAGS_IOPL 0x3000
#define RFLAGS_NT   0x4000
#define RFLAGS_RF   0x10000
#define RFLAGS_VM   0x20000
#define RFLAGS_AC   0x40000

#ifndef __ASSEMBLY__
#include "lib/types.h"
#include "x86/percpu.h"
#include <xen/xen.h>

/* Leaves the current hypercall for good: out to the guest with all of current->regs (iret). */
static inline void __noreturn hypercall_exit(struct cpu *c)
{
    __asm__ volatile("mov %0, %%rsp; jmp exit_to_guest" : : "rm"(c) : "memory");
    __builtin_unreachable();
}

/* Out to the guest from the boot: this CPU's stack begins anew. */
void enter_guests(void) __noreturn;

/* Prints registers of a ring-0 frame or of a guest (LOG_ALWAYS). */
void print_regs(const struct cpu_user_regs *r);
#endif
