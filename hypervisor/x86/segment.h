/* SPDX-License-Identifier: MIT
 *
 * Segment bases in the processor, and the change between guest kernel and guest user mode.
 *
 * Both bases of GS are there while a vcpu runs: that of the mode it is in, and the other one behind SWAPGS.
 */
#ifndef X86_SEGMENT_H
#define X86_SEGMENT_H

#include "domain/domain.h"
#include "x86/cpu.h"
#include "x86/msr.h"

static inline uint64_t read_fs_base(void)
{
    uint64_t val;

    if (unlikely(!cpu_features.fsgsbase))
        return rdmsr(MSR_FS_BASE);
    __asm__ volatile("rdfsbase %0" : "=r"(val));
    return val;
}

static inline void write_fs_base(uint64_t val)
{
    if (likely(cpu_features.fsgsbase))
        __asm__ volatile("wrfsbase %0" : : "r"(val));
    else
        wrmsr(MSR_FS_BASE, val);
}

static inline uint64_t read_gs_base(void)
{
    uint64_t val;

    if (unlikely(!cpu_features.fsgsbase))
        return rdmsr(MSR_GS_BASE);
    __asm__ volatile("rdgsbase %0" : "=r"(val));
    return val;
}

static inline void write_gs_base(uint64_t val)
{
    if (likely(cpu_features.fsgsbase))
        __asm__ volatile("wrgsbase %0" : : "r"(val));
    else
        wrmsr(MSR_GS_BASE, val);
}

static inline void swapgs(void)
{
    __asm__ volatile("swapgs" ::: "memory");
}

/* The base of the mode that the guest isn't in. */
static inline uint64_t read_gs_other(void)
{
    uint64_t val;

    swapgs();
    val = read_gs_base();
    swapgs();
    return val;
}

static inline void write_gs_other(uint64_t val)
{
    swapgs();
    write_gs_base(val);
    swapgs();
}

/* The running vcpu enters its kernel, or goes to user mode; it wasn't there before. */
static inline void enter_guest_kernel(struct vcpu *v)
{
    v->kernel_mode = true;
    swapgs();
    load_cr3(v->arch.cr3_kernel);
    if (unlikely(v->areas_due)) /* they are addresses in the kernel's tables */
        cpu_set_work(this_cpu(), WORK_AREAS);
}

static inline void enter_guest_user(struct vcpu *v)
{
    v->kernel_mode = false;
    swapgs();
    load_cr3(v->arch.cr3_user);
}

#endif
