/* SPDX-License-Identifier: MIT
 *
 * What a vcpu has in the processor, and moving it in and out.
 */
#pragma once

#include "lib/types.h"
#include <xen/xen.h>

struct vcpu;

#define GDT_GUEST_FRAMES 14
#define LDT_MAX_ENTRIES  8192

/* Embedded in struct vcpu. Only the vcpu itself (or who builds it before it runs) changes it. */
struct vcpu_arch {
    uint64_t cr3_kernel, cr3_user; /* machine addresses of the roots, 0: none */
    uint64_t kernel_sp;            /* stack_switch */
    uint64_t kernel_ss;
    uint64_t event_callback, failsafe_callback, syscall_callback;
    bool syscall_masks_events, failsafe_masks_events;
    struct {
        uint64_t eip;
        uint16_t cs;
        bool masks_events;
    } syscall32, sysenter;
    struct trap_info *traps; /* 256 rows, a page; cs 0: none */
    uint64_t gdt_mfns[GDT_GUEST_FRAMES];
    uint32_t gdt_entries;
    uint32_t ldt_entries;
    uint64_t ldt_base; /* guest virtual */
    uint64_t
        ldt_mfns[16]; /* window pages known so far (each holds an FT_DESC reference), 0: not touched yet */
    uint64_t fs_base; /* saved while not running; */
    uint64_t gs_base_kernel; /* while running both GS bases are in the two MSRs and change places by swapgs */
    uint64_t gs_base_user;
    uint64_t cr0_ts; /* the guest's TS bit */
    uint64_t cr4;    /* what it believes to have set */
    uint64_t xcr0;
    uint64_t debugreg[8];
    uint64_t iopl;  /* the virtual one, where RFLAGS has it */
    uint64_t iobmp; /* guest virtual, 0: none */
    uint32_t iobmp_limit;
    void *xsave;              /* a page */
    uint64_t multicall_entry; /* guest address of the multicall entry that runs, 0: none */
    bool multicall_restart;   /* hypercall_restart() rewrote that entry */
};

/* Saves prev's and loads next's processor state: CR3, segments, bases, FPU, debug registers, GDT/LDT windows,
 * entry stack; sets this_cpu()->current. prev NULL (boot) or an idle vcpu: nothing to save; next an idle
 * vcpu: only Parador's own tables are loaded. */
void switch_vcpu(struct vcpu *prev, struct vcpu *next);

/* The parts of v->arch that need memory (trap table, XSAVE area), and the values of a reset. 0 or -ENOMEM. */
int switch_init_vcpu(struct vcpu *v);
void switch_free_vcpu(struct vcpu *v);

/* For switch_vcpu() and switch_init_vcpu(), of fpu.c and debugreg.c: the state of a reset, in v's area;
 * registers saved there, and loaded from there with XCR0 and CR0.TS. */
void fpu_reset(struct vcpu *v);
void fpu_save(struct vcpu *v);
void fpu_load(struct vcpu *v);
void debugreg_reset(struct vcpu *v);
void debugreg_load(const struct vcpu *v);
/* What DR6 says of the #DB that just came; cleared for the next one. */
uint64_t debugreg_take_dr6(void);

/* XSETBV of the running vcpu (index 0). 0 or -EINVAL. */
int set_xcr0(struct vcpu *v, uint64_t val) __must_check;
/* CR0.TS of the running vcpu. */
void set_guest_ts(struct vcpu *v, bool ts);
/* Debug registers: Xen's set_debugreg and get_debugreg, also for mov to and from DRn. 0, or the errno that
 * Xen gives. */
int set_debugreg(struct vcpu *v, uint64_t reg, uint64_t val) __must_check;
int get_debugreg(const struct vcpu *v, uint64_t reg, uint64_t *val) __must_check;
/* Bases, SEGBASE_* of xen-x86_64.h, of the running vcpu. 0 or -EINVAL (not canonical, unknown). */
int set_segment_base(struct vcpu *v, unsigned int which, uint64_t base) __must_check;
uint64_t get_segment_base(const struct vcpu *v, unsigned int which);
