/* SPDX-License-Identifier: MIT
 *
 * Segment bases in the processor, and the change between guest kernel and guest user mode.
 *
 * Both bases of GS are there while a vcpu runs: that of the mode it is in, and the other one behind SWAPGS.
 */
#pragma once

#include "domain/domain.h"
#include "x86/cpu.h"
#include "x86/msr.h"

/* read_fs_base(), write_fs_base(); read_gs_base(), write_gs_base(): of the mode that the guest is in */
#define SEGMENT_BASE(seg, msr)                                  \
    static inline uint64_t read_##seg##_base(void)              \
    {                                                           \
        uint64_t val;                                           \
                                                                \
        if (unlikely(!cpu_features.fsgsbase))                   \
            return rdmsr(msr);                                  \
        __asm__ volatile("rd" #seg "base %0" : "=r"(val));      \
        return val;                                             \
    }                                                           \
    static inline void write_##seg##_base(uint64_t val)         \
    {                                                           \
        if (likely(cpu_features.fsgsbase))                      \
            __asm__ volatile("wr" #seg "base %0" : : "r"(val)); \
        else                                                    \
            wrmsr(msr, val);                                    \
    }
SEGMENT_BASE(fs, MSR_FS_BASE)
SEGMENT_BASE(gs, MSR_GS_BASE)
#undef SEGMENT_BASE

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

/* SYSRET as it leaves for 32-bit code, but by IRET: our SYSRET goes to 64-bit code only.
 * Here, for a call whose registers the compiler knows costs its caller nothing. */
static __attribute__((cold, unused)) void leave_as_sysret32(struct cpu_user_regs *r)
{
    r->rcx = r->rip;
    r->r11 = r->rflags;
    r->rip = (uint32_t)r->rip;
    r->ss = FLAT_RING3_SS32;
    r->entry_vector = 0;
}

/* The running vcpu enters its kernel, or goes to user mode; it wasn't there before. */
static inline void enter_guest_kernel(struct vcpu *v)
{
    v->kernel_mode = true;
    swapgs();
    load_cr3(v->cpu, v->arch.cr3_kernel);
    if (unlikely(v->areas_due)) /* they are addresses in the kernel's tables */
        cpu_set_work(v->cpu, WORK_AREAS);
}

static inline void enter_guest_user(struct vcpu *v)
{
    v->kernel_mode = false;
    swapgs();
    load_cr3(v->cpu, v->arch.cr3_user);
}
