/* SPDX-License-Identifier: MIT
 *
 * VCPUOP_initialise: a vcpu's first state, all of it given by the guest in one structure.
 *
 * All addresses are checked first; then the parts that can fail for their frames (GDT, page tables) are set,
 * and they may be set again when the call runs once more. The vcpu is down all the while.
 */
#include "domain/domain.h"
#include "lib/string.h"
#include "mm/descriptor.h"
#include "mm/paging.h"
#include "x86/cpu.h"
#include "x86/trap.h"

#define FXSAVE_SIZE    512
#define FXSAVE_MXCSR   24
#define MXCSR_VALID    0xffffU
#define XSTATE_BV      512 /* in the XSAVE header */
#define XSTATE_X87_SSE 3ULL
#define RFLAGS_GUEST   0x250fd5ULL /* ID, AC, RF, OF, DF, TF and the arithmetic flags */
#define RFLAGS_FIXED   0x202ULL    /* IF, and the bit that is always 1 */

static bool addresses_ok(const struct vcpu_guest_context *c)
{
    const uint64_t a[] = {
        c->user_regs.rip, c->event_callback_eip, c->failsafe_callback_eip, c->syscall_callback_eip,
        c->fs_base,       c->gs_base_kernel,     c->gs_base_user
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(a); i++)
        if (!is_canonical(a[i]))
            return false;
    for (unsigned int i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
        if (!is_canonical(c->trap_ctxt[i].address))
            return false;
    return true;
}

static bool tables_ok(const struct vcpu_guest_context *c)
{
    return c->gdt_ents <= FIRST_RESERVED_GDT_ENTRY && c->ldt_ents <= LDT_MAX_ENTRIES &&
           !(c->ldt_base & (PAGE_SIZE - 1)) && (!c->ldt_ents || is_canonical(c->ldt_base + c->ldt_ents * 8));
}

/* User mode has tables of its own to run in. */
static bool mode_ok(const struct vcpu_guest_context *c)
{
    return c->flags & VGCF_in_kernel || maddr_to_mfn(c->ctrlreg[1]).v;
}

/* GDT and the roots of both address spaces. The guest names roots by frame, in CR3's format. */
static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    const struct paging_ops *ops = v->domain->paging;
    int rc = gdt_set(v, c->gdt_frames, (uint32_t)c->gdt_ents);

    if (!rc)
        rc = ops->set_root(v, maddr_to_mfn(c->ctrlreg[3]), false);
    if (rc >= 0)
        rc = ops->set_root(v, maddr_to_mfn(c->ctrlreg[1]), true);
    return MIN(rc, 0);
}

static void set_fpu(struct vcpu *v, const struct vcpu_guest_context *c)
{
    char *area = v->arch.xsave;

    if (!(c->flags & VGCF_i387_valid))
        return;
    memcpy(area, c->fpu_ctxt.x, FXSAVE_SIZE);
    *(uint32_t *)(area + FXSAVE_MXCSR) &= MXCSR_VALID;
    if (cpu_features.xsave)
        *(uint64_t *)(area + XSTATE_BV) = XSTATE_X87_SSE;
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    v->regs = c->user_regs;
    v->regs.entry_vector = 0;
    v->regs.cs |= 3;
    v->regs.ss |= 3;
    v->regs.rflags = (c->user_regs.rflags & RFLAGS_GUEST) | RFLAGS_FIXED;
    v->arch.iopl = c->user_regs.rflags & RFLAGS_IOPL;
    v->kernel_mode = c->flags & VGCF_in_kernel;
    for (unsigned int i = 0; i < ARRAY_SIZE(c->debugreg); i++)
        if (c->debugreg[i] && set_debugreg(v, i, c->debugreg[i]))
            continue; /* left out, as Xen does */
}

static void set_callbacks(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct vcpu_arch *a = &v->arch;

    a->event_callback = c->event_callback_eip;
    a->failsafe_callback = c->failsafe_callback_eip;
    a->syscall_callback = c->syscall_callback_eip;
    a->failsafe_masks_events = c->flags & VGCF_failsafe_disables_events;
    a->syscall_masks_events = c->flags & VGCF_syscall_disables_events;
    a->kernel_ss = c->kernel_ss | 3;
    a->kernel_sp = c->kernel_sp;
    a->fs_base = c->fs_base;
    a->gs_base_kernel = c->gs_base_kernel;
    a->gs_base_user = c->gs_base_user;
    for (unsigned int i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++) {
        a->traps[i] = c->trap_ctxt[i];
        if (a->traps[i].address)
            a->traps[i].cs |= 3;
    }
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc;

    if (!addresses_ok(c) || !tables_ok(c) || !mode_ok(c))
        return refuse(-EINVAL, R_VCPU_CONTEXT, v->id, 0);
    rc = set_tables(v, c);
    if (rc)
        return rc;
    ldt_set(v, c->ldt_base, (unsigned int)c->ldt_ents);
    set_fpu(v, c);
    set_registers(v, c);
    set_callbacks(v, c);
    v->initialised = true;
    return 0;
}
