/* SPDX-License-Identifier: MIT
 *
 * Hypercalls, typed: one inline function for each call of the ABI that a guest uses, named HYPERVISOR_<name
 * in xen.h>.
 *
 * A call goes through the hypercall page (head.S), whose 32-byte slot nr does `mov $nr, %eax; syscall`.
 * Arguments travel in rdi, rsi, rdx, r10, r8; rax brings the result; rcx and r11 are clobbered by SYSCALL
 * unless the slot saves them. Every function returns 0 or a positive result, or a negative errno
 * (<xen/errno.h>, libpv/errno.h). Pointers are virtual addresses in the kernel's tables that stay mapped
 * during the call. Source: xen.h ("enum hypercall_num" and the comments behind it) and the header named at
 * each group.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/features.h>
#include "libpv/parador.h"

extern char pv_hypercall_page[];

/* The number must be a constant for these: it selects the slot at compile time. */
#define PV_SLOT(nr) [slot] "i"((nr)*32)

#define hypercall0(nr)                                       \
    ({                                                       \
        long res_;                                           \
        __asm__ volatile("call pv_hypercall_page + %c[slot]" \
                         : "=a"(res_)                        \
                         : PV_SLOT(nr)                       \
                         : "rcx", "r11", "memory");          \
        res_;                                                \
    })
#define hypercall1(nr, a1)                                   \
    ({                                                       \
        long res_;                                           \
        unsigned long a1_ = (unsigned long)(a1);             \
        __asm__ volatile("call pv_hypercall_page + %c[slot]" \
                         : "=a"(res_), "+D"(a1_)             \
                         : PV_SLOT(nr)                       \
                         : "rcx", "r11", "memory");          \
        res_;                                                \
    })
#define hypercall2(nr, a1, a2)                                              \
    ({                                                                      \
        long res_;                                                          \
        unsigned long a1_ = (unsigned long)(a1), a2_ = (unsigned long)(a2); \
        __asm__ volatile("call pv_hypercall_page + %c[slot]"                \
                         : "=a"(res_), "+D"(a1_), "+S"(a2_)                 \
                         : PV_SLOT(nr)                                      \
                         : "rcx", "r11", "memory");                         \
        res_;                                                               \
    })
#define hypercall3(nr, a1, a2, a3)                                                                     \
    ({                                                                                                 \
        long res_;                                                                                     \
        unsigned long a1_ = (unsigned long)(a1), a2_ = (unsigned long)(a2), a3_ = (unsigned long)(a3); \
        __asm__ volatile("call pv_hypercall_page + %c[slot]"                                           \
                         : "=a"(res_), "+D"(a1_), "+S"(a2_), "+d"(a3_)                                 \
                         : PV_SLOT(nr)                                                                 \
                         : "rcx", "r11", "memory");                                                    \
        res_;                                                                                          \
    })
#define hypercall4(nr, a1, a2, a3, a4)                                                                 \
    ({                                                                                                 \
        long res_;                                                                                     \
        unsigned long a1_ = (unsigned long)(a1), a2_ = (unsigned long)(a2), a3_ = (unsigned long)(a3); \
        register unsigned long a4_ __asm__("r10") = (unsigned long)(a4);                               \
        __asm__ volatile("call pv_hypercall_page + %c[slot]"                                           \
                         : "=a"(res_), "+D"(a1_), "+S"(a2_), "+d"(a3_), "+r"(a4_)                      \
                         : PV_SLOT(nr)                                                                 \
                         : "rcx", "r11", "memory");                                                    \
        res_;                                                                                          \
    })
#define hypercall5(nr, a1, a2, a3, a4, a5)                                                             \
    ({                                                                                                 \
        long res_;                                                                                     \
        unsigned long a1_ = (unsigned long)(a1), a2_ = (unsigned long)(a2), a3_ = (unsigned long)(a3); \
        unsigned long t4_ = (unsigned long)(a4), t5_ = (unsigned long)(a5);                            \
        register unsigned long a4_ __asm__("r10") = t4_;                                               \
        register unsigned long a5_ __asm__("r8") = t5_;                                                \
        __asm__ volatile("call pv_hypercall_page + %c[slot]"                                           \
                         : "=a"(res_), "+D"(a1_), "+S"(a2_), "+d"(a3_), "+r"(a4_), "+r"(a5_)           \
                         : PV_SLOT(nr)                                                                 \
                         : "rcx", "r11", "memory");                                                    \
        res_;                                                                                          \
    })

/* Any call by its number, known at run time or not existing at all: executes SYSCALL itself. */
static inline long pv_hypercall(unsigned long nr, unsigned long a1, unsigned long a2, unsigned long a3,
                                unsigned long a4, unsigned long a5)
{
    register unsigned long r10 __asm__("r10") = a4;
    register unsigned long r8 __asm__("r8") = a5;

    __asm__ volatile("syscall"
                     : "+a"(nr), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "memory");
    return (long)nr;
}

/* --- Traps, descriptors, stacks and segments (arch-x86/xen.h, callback.h)
 * ------------------------------------------ */

/* traps: array ended by an entry with address 0; NULL clears the whole table. -EPERM: privilege or selector
 * of an entry is refused; -EFAULT. */
static inline long HYPERVISOR_set_trap_table(const struct trap_info *traps)
{
    return hypercall1(__HYPERVISOR_set_trap_table, traps);
}

/* frames: (entries + 511) / 512 machine frames, unmapped or read-only; entries <= 7168. */
static inline long HYPERVISOR_set_gdt(const xen_pfn_t *frames, unsigned int entries)
{
    return hypercall2(__HYPERVISOR_set_gdt, frames, entries);
}

/* maddr: machine address of the 8-byte descriptor. */
static inline long HYPERVISOR_update_descriptor(uint64_t maddr, uint64_t desc)
{
    return hypercall2(__HYPERVISOR_update_descriptor, maddr, desc);
}

/* The kernel stack for entries from user mode. */
static inline long HYPERVISOR_stack_switch(unsigned long ss, unsigned long rsp)
{
    return hypercall2(__HYPERVISOR_stack_switch, ss, rsp);
}

/* which: SEGBASE_*; base: a canonical address, or a selector for SEGBASE_GS_USER_SEL. */
static inline long HYPERVISOR_set_segment_base(unsigned int which, unsigned long base)
{
    return hypercall2(__HYPERVISOR_set_segment_base, which, base);
}

static inline long HYPERVISOR_fpu_taskswitch(int set)
{
    return hypercall1(__HYPERVISOR_fpu_taskswitch, set);
}

static inline long HYPERVISOR_set_callbacks(unsigned long event, unsigned long failsafe,
                                            unsigned long syscall)
{
    return hypercall3(__HYPERVISOR_set_callbacks, event, failsafe, syscall);
}

/* cmd: CALLBACKOP_register with struct callback_register, CALLBACKOP_unregister with struct
 * callback_unregister. */
static inline long HYPERVISOR_callback_op(int cmd, const void *arg)
{
    return hypercall2(__HYPERVISOR_callback_op, cmd, arg);
}

static inline long HYPERVISOR_set_debugreg(int reg, unsigned long value)
{
    return hypercall2(__HYPERVISOR_set_debugreg, reg, value);
}

static inline unsigned long HYPERVISOR_get_debugreg(int reg)
{
    return (unsigned long)hypercall1(__HYPERVISOR_get_debugreg, reg);
}

/* --- Page tables (xen.h)
 * -------------------------------------------------------------------------------------------- */

/* done (may be NULL) receives how many requests were carried out; dom: DOMID_SELF mostly. */
static inline long HYPERVISOR_mmu_update(const struct mmu_update *req, unsigned int count, unsigned int *done,
                                         unsigned int dom)
{
    return hypercall4(__HYPERVISOR_mmu_update, req, count, done, dom);
}

static inline long HYPERVISOR_mmuext_op(const struct mmuext_op *op, unsigned int count, unsigned int *done,
                                        unsigned int dom)
{
    return hypercall4(__HYPERVISOR_mmuext_op, op, count, done, dom);
}

/* flags: UVMF_*, or'ed with the address of a vcpu bitmap for UVMF_MULTI. */
static inline long HYPERVISOR_update_va_mapping(unsigned long va, uint64_t pte, unsigned long flags)
{
    return hypercall3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

static inline long HYPERVISOR_update_va_mapping_otherdomain(unsigned long va, uint64_t pte,
                                                            unsigned long flags, domid_t dom)
{
    return hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, va, pte, flags, dom);
}

static inline long HYPERVISOR_vm_assist(unsigned int cmd, unsigned int type)
{
    return hypercall2(__HYPERVISOR_vm_assist, cmd, type);
}

/* --- Memory, grants (memory.h, grant_table.h)
 * ----------------------------------------------------------------------- */

/* cmd: XENMEM_*. Some return a count. */
static inline long HYPERVISOR_memory_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_memory_op, cmd, arg);
}

/* cmd: GNTTABOP_*; count structures at arg, each with a status of its own. */
static inline long HYPERVISOR_grant_table_op(unsigned int cmd, void *arg, unsigned int count)
{
    return hypercall3(__HYPERVISOR_grant_table_op, cmd, arg, count);
}

/* --- Events, scheduling, time (event_channel.h, sched.h, vcpu.h)
 * ---------------------------------------------------- */

static inline long HYPERVISOR_event_channel_op(int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_event_channel_op, cmd, arg);
}

static inline long HYPERVISOR_sched_op(int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_sched_op, cmd, arg);
}

static inline long HYPERVISOR_vcpu_op(int cmd, unsigned int vcpu, void *arg)
{
    return hypercall3(__HYPERVISOR_vcpu_op, cmd, vcpu, arg);
}

/* when: system time in nanoseconds; 0: cancel. */
static inline long HYPERVISOR_set_timer_op(uint64_t when)
{
    return hypercall1(__HYPERVISOR_set_timer_op, when);
}

/* --- The rest (version.h, physdev.h, platform.h)
 * -------------------------------------------------------------------- */

static inline long HYPERVISOR_multicall(struct multicall_entry *calls, unsigned int count)
{
    return hypercall2(__HYPERVISOR_multicall, calls, count);
}

/* cmd: XENVER_*. XENVER_version (0) returns major << 16 | minor. */
static inline long HYPERVISOR_xen_version(int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_xen_version, cmd, arg);
}

/* cmd: CONSOLEIO_write (0, -EPERM where it is not allowed) or CONSOLEIO_read (bytes read). */
static inline long HYPERVISOR_console_io(int cmd, unsigned int count, char *buf)
{
    return hypercall3(__HYPERVISOR_console_io, cmd, count, buf);
}

static inline long HYPERVISOR_physdev_op(int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_physdev_op, cmd, arg);
}

static inline long HYPERVISOR_platform_op(void *op)
{
    return hypercall1(__HYPERVISOR_platform_op, op);
}

/* Domain 0's control calls; libpv/domctl.h has the common ones. */
static inline long HYPERVISOR_domctl(struct xen_domctl *op)
{
    return hypercall1(__HYPERVISOR_domctl, op);
}

/* Parador's own (libpv/parador.h); -ENOSYS on stock Xen. */
static inline long HYPERVISOR_parador(unsigned int op, void *arg)
{
    return hypercall2(__HYPERVISOR_arch_0, op, arg);
}
