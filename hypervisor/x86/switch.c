/* SPDX-License-Identifier: MIT
 *
 * Moving a vcpu's state into and out of the processor (x86/switch.h).
 *
 * General registers need no move: the entry code pushes them into the vcpu itself. Both bases of GS are in
 * the processor while a vcpu runs, the active one belonging to its mode; with FSGSBASE a guest changes them
 * at will, so they are read back at every switch. Read next: fpu.c, debugreg.c, descriptor.c.
 */
#include "x86/switch.h"
#include "domain/bounce.h"
#include "domain/domain.h"
#include "boot/boot.h"
#include "mm/tlb.h"
#include "x86/cpu.h"
#include "x86/descriptor.h"
#include "x86/segment.h"

/* True if it faulted and the null selector was loaded instead. */
#define load_selector(reg, sel)                              \
    ({                                                       \
        bool bad_ = false;                                   \
        __asm__ volatile("1: mov %k1, %%" reg "\n"           \
                         "2:\n"                              \
                         ".section .fixup, \"ax\"\n"         \
                         "3: mov $1, %0\n"                   \
                         "xor %k1, %k1\n"                    \
                         "jmp 1b\n"                          \
                         ".previous\n"                       \
                         ".section .extable, \"a\"\n"        \
                         ".balign 4; .long 1b - ., 3b - .\n" \
                         ".previous"                         \
                         : "+q"(bad_)                        \
                         : "r"((uint32_t)(sel)));            \
        bad_;                                                \
    })

/* Ring 0 may load Parador's own descriptors, and SYSRET would leave them to the guest: with RPL 3 it may not.
 */
static uint16_t ring3(uint64_t sel)
{
    return (uint16_t)(sel & ~3ULL ? sel | 3 : sel);
}

static void save_segments(struct vcpu *v)
{
    struct cpu_user_regs *r = &v->regs;

    __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
                     : "=m"(r->ds), "=m"(r->es), "=m"(r->fs), "=m"(r->gs));
    v->arch.fs_base = read_fs_base();
    *(v->kernel_mode ? &v->arch.gs_base_kernel : &v->arch.gs_base_user) = read_gs_base();
    *(v->kernel_mode ? &v->arch.gs_base_user : &v->arch.gs_base_kernel) = read_gs_other();
}

/* True if a selector couldn't be loaded: the guest's failsafe callback hears of it. */
static bool load_segments(struct vcpu *v)
{
    const struct cpu_user_regs *r = &v->regs;
    bool bad = load_selector("ds", ring3(r->ds));

    bad |= load_selector("es", ring3(r->es));
    bad |= load_selector("fs", ring3(r->fs));
    bad |= load_selector("gs", ring3(r->gs)); /* sets a base, therefore before them */
    write_fs_base(v->arch.fs_base);
    write_gs_base(v->kernel_mode ? v->arch.gs_base_kernel : v->arch.gs_base_user);
    write_gs_other(v->kernel_mode ? v->arch.gs_base_user : v->arch.gs_base_kernel);
    return bad;
}

void switch_vcpu(struct vcpu *prev, struct vcpu *next)
{
    struct cpu *c = this_cpu();

    if (prev && prev->domain != &idle_domain) {
        save_segments(prev);
        fpu_save(prev);
    }
    c->vcpu = next;
    next->cpu = c;
    if (next->domain == &idle_domain) {
        tlb_load_root(hv_l4_maddr());
        WRITE_ONCE(c->quiet, true);
        return;
    }
    WRITE_ONCE(c->quiet, false); /* before CR3 is loaded */
    descriptors_set_entry_stack(c, (uint64_t)&next->regs.es);
    tlb_load_root(next->kernel_mode ? next->arch.cr3_kernel : next->arch.cr3_user);
    gdt_load(next);
    ldt_load(next);
    fpu_load(next);
    debugreg_load(next);
    if (load_segments(next))
        bounce_failsafe(next);
}

int switch_init_vcpu(struct vcpu *v)
{
    v->arch.traps = page_alloc();
    v->arch.xsave = page_alloc();
    if (!v->arch.traps || !v->arch.xsave) {
        switch_free_vcpu(v);
        return -ENOMEM;
    }
    fpu_reset(v);
    debugreg_reset(v);
    return 0;
}

void switch_free_vcpu(struct vcpu *v)
{
    if (v->arch.traps)
        page_free(v->arch.traps);
    if (v->arch.xsave)
        page_free(v->arch.xsave);
    v->arch.traps = v->arch.xsave = NULL;
}

int set_segment_base(struct vcpu *v, unsigned int which, uint64_t base)
{
    if (which != SEGBASE_GS_USER_SEL && !is_canonical(base))
        return -EINVAL;
    switch (which) {
    case SEGBASE_FS:
        write_fs_base(base);
        return 0;
    case SEGBASE_GS_USER:
    case SEGBASE_GS_KERNEL:
        if ((which == SEGBASE_GS_KERNEL) == v->kernel_mode)
            write_gs_base(base);
        else
            write_gs_other(base);
        return 0;
    case SEGBASE_GS_USER_SEL: /* its base becomes the user's; the kernel's stays */
        swapgs();
        (void)load_selector("gs", ring3((uint16_t)base));
        swapgs();
        return 0;
    default:
        return -EINVAL;
    }
}

uint64_t get_segment_base(const struct vcpu *v, unsigned int which)
{
    if (which == SEGBASE_FS)
        return read_fs_base();
    return (which == SEGBASE_GS_KERNEL) == v->kernel_mode ? read_gs_base() : read_gs_other();
}
