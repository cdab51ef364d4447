/* SPDX-License-Identifier: MIT
 *
 * The frame on the guest kernel's stack, and the jump to its handler (domain/bounce.h).
 *
 * From guest user mode the frame goes to the stack of stack_switch, from kernel mode onto the stack in use,
 * 16-aligned. All of the frame's range is checked before its first word is written. Every bounce ends with
 * entry_vector = VEC_SYSCALL: the handler takes RCX and R11 from the frame, so the way out is SYSRET.
 */
#include "domain/bounce.h"
#include "domain/domain.h"
#include "x86/copy.h"
#include "x86/segment.h"
#include "x86/trap.h"

#define FRAME_MAX 96 /* bytes: 7 words, an error code, the 4 selectors of failsafe */

struct target {
    uint64_t rip;
    uint16_t cs;
    bool mask_events;
    bool from_user;   /* never from the kernel */
    const char *what; /* for the report when there is no way to it */
};

static __attribute__((cold, noinline)) void no_way(struct vcpu *v, const char *what, const char *why,
                                                   uint64_t sp)
{
    if (sp != (v->regs.rsp & ~15ULL)) /* back to its program, which the report is about */
        enter_guest_user(v);
    domain_crash(v->domain, "%s: its kernel stack %s (%llx)", what, why, (unsigned long long)sp);
}

/* With the padding behind it, so that a constant needs one instruction. */
static inline void put_selector(uint16_t *field, uint64_t selector)
{
    *(uint64_t *)field = selector;
}

/*
 * Delivers to t. words: what stands in the frame between r11 and rip (error code; selectors), n of them.
 * Inlined into each kind of bounce, so that the compiler drops what that kind doesn't need; no calls but on
 * the way out of it.
 */
static inline __attribute__((always_inline)) void deliver(struct vcpu *v, const struct target *t,
                                                          const uint64_t *words, unsigned int n)
{
    struct cpu_user_regs *r = &v->regs;
    uint64_t cs = r->cs, sp = r->rsp, flags = r->rflags, mask, end;

    if (!t->from_user && likely(v->kernel_mode)) {
        cs &= ~3ULL;
    } else {
        enter_guest_kernel(v);
        sp = v->arch.kernel_sp;
    }
    sp &= ~15ULL;
    /* The first half is guest_range_ok()'s too, without the subtraction. */
    if (unlikely(sp < HV_VIRT_END + FRAME_MAX && !guest_range_ok(sp - FRAME_MAX, FRAME_MAX))) {
        no_way(v, t->what, "is not the guest's memory", sp);
        return;
    }
    /* In ring 3 the real IF is 1 and IOPL 0; the guest sees its own. */
    mask = READ_ONCE(v->info->evtchn_upcall_mask);
    v->info->evtchn_upcall_mask |= t->mask_events;
    if (mask)
        flags &= ~(uint64_t)RFLAGS_IF;
    flags |= v->arch.iopl & v->domain->iopl_shown;

    guest_put_at((uint64_t)r->ss, sp, -8, fault);
    guest_put_at(r->rsp, sp, -16, fault);
    guest_put_at(flags, sp, -24, fault);
    guest_put_at(cs | mask << 32, sp, -32, fault);
    guest_put_at(r->rip, sp, -40, fault);
    for (unsigned int i = 0; i < n; i++)
        guest_put_or(words[n - 1 - i], sp - 48 - 8 * i, fault);
    end = sp - 56 - 8 * n;
    guest_put_at(r->r11, end, 8, fault);
    guest_put_at(r->rcx, end, 0, fault);

    r->rsp = end;
    r->rip = t->rip;
    put_selector(&r->cs, t->cs);
    put_selector(&r->ss, FLAT_KERNEL_SS);
    r->rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_VM | RFLAGS_RF | RFLAGS_NT | RFLAGS_AC);
    r->entry_vector = VEC_SYSCALL;
    if (unlikely(t->cs == FLAT_RING3_CS32))
        leave_as_sysret32(r);
    return;
fault:
    no_way(v, t->what, "is not mapped writable", sp);
}

static inline __attribute__((always_inline)) void exception(struct vcpu *v, unsigned int vector,
                                                            const uint64_t *error_code, unsigned int n)
{
    const struct trap_info *row = &v->arch.traps[vector];
    struct target t = { row->address, row->cs, row->flags & 4, false, "exception" };

    v->exceptions++;
    if (unlikely(!t.rip))
        domain_crash_exception(v, vector, n ? *error_code : 0);
    else
        deliver(v, &t, error_code, n);
}

void bounce_plain(struct vcpu *v, unsigned int vector)
{
    exception(v, vector, NULL, 0);
}

void bounce_with_code(struct vcpu *v, unsigned int vector, uint64_t error_code)
{
    exception(v, vector, &error_code, 1);
}

void bounce_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error_code)
{
    uint64_t code = error_code;

    if (v->kernel_mode)
        code &= ~(uint64_t)PF_USER;
    /* What Parador has mapped is its own affair: all of its space looks present and forbidden. */
    if (unlikely(cr2 - HV_VIRT_START < HV_VIRT_END - HV_VIRT_START))
        code |= PF_PRESENT;
    v->info->arch.cr2 = cr2;
    bounce_with_code(v, VEC_PF, code);
}

void bounce_event(struct vcpu *v)
{
    struct target t = { v->arch.event_callback, FLAT_KERNEL_CS, true, false, "event upcall" };

    if (unlikely(!t.rip))
        domain_crash(v->domain, "an event is pending and unmasked, and the guest has no event callback");
    else
        deliver(v, &t, NULL, 0);
}

void bounce_failsafe(struct vcpu *v)
{
    struct target t = { v->arch.failsafe_callback, FLAT_KERNEL_CS, v->arch.failsafe_masks_events, false,
                        "failsafe callback" };
    uint64_t words[4] = { v->regs.ds, v->regs.es, v->regs.fs, v->regs.gs };

    v->exceptions++;
    if (unlikely(!t.rip))
        domain_crash(v->domain,
                     "a segment register cannot be loaded, and the guest has no failsafe callback");
    else
        deliver(v, &t, words, 4);
}

/* A system call without a callback is an undefined instruction, as Xen has it. RIP goes back onto it. */
static __attribute__((cold, noinline)) void no_callback(struct vcpu *v)
{
    v->regs.rip -= 2;
    bounce_plain(v, VEC_UD);
}

void bounce_syscall(struct vcpu *v)
{
    struct target t = { v->arch.syscall_callback, FLAT_KERNEL_CS, v->arch.syscall_masks_events, true,
                        "system call callback" };

    if (unlikely(!t.rip))
        no_callback(v);
    else
        deliver(v, &t, NULL, 0);
}

void bounce_syscall32(struct vcpu *v)
{
    struct target t = { v->arch.syscall32.eip, v->arch.syscall32.cs, v->arch.syscall32.masks_events, false,
                        "32-bit system call callback" };

    if (!t.rip)
        no_callback(v);
    else
        deliver(v, &t, NULL, 0);
}

void bounce_sysenter(struct vcpu *v)
{
    struct target t = { v->arch.sysenter.eip, v->arch.sysenter.cs, v->arch.sysenter.masks_events, false,
                        "sysenter callback" };

    if (!t.rip)
        bounce_with_code(v, VEC_GP, 0);
    else
        deliver(v, &t, NULL, 0);
}
