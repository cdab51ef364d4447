/* SPDX-License-Identifier: MIT
 *
 * HYPERVISOR_iret: back from a bounce frame, to guest user mode or to another place in the guest kernel.
 *
 * The frame lies at the guest's RSP (struct iret_context): rax r11 rcx flags rip cs rflags rsp ss. Selectors
 * aren't checked here: our own iretq will fault on bad ones, and that exception becomes the guest's (abi 13);
 * SYSRET takes none, and 32-bit code gets what it would give it.
 * A frame that can't be read, or user mode without tables for it, ends the domain, as nothing can be returned
 * to.
 */
#include "hypercall/hypercall.h"
#include "x86/segment.h"
#include "x86/trap.h"

static __attribute__((cold, noinline)) long bad_iret(struct vcpu *v, const char *why)
{
    domain_crash(v->domain, "iret: %s", why);
    return 0;
}

#define AT(field) (sp + offsetof(struct iret_context, field))

/* The first and the last word are read before any register changes: the frame spans at most two pages. */
long do_iret(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    struct cpu_user_regs *r = &v->regs;
    uint64_t sp = r->rsp, rax, ss, cs, rflags, flags;

    if (unlikely(!guest_range_ok(sp, sizeof(struct iret_context))))
        return bad_iret(v, "no frame can be read at RSP");
    guest_get_or(rax, AT(rax), fault);
    guest_get_or(ss, AT(ss), fault);
    guest_get_or(cs, AT(cs), fault);
    r->rax = rax;
    r->ss = (uint16_t)(ss | 3);
    r->cs = (uint16_t)(cs | 3);
    guest_get_or(r->rip, AT(rip), fault);
    guest_get_or(r->rsp, AT(rsp), fault);
    guest_get_or(rflags, AT(rflags), fault);
    guest_get_or(flags, AT(flags), fault);
    r->rflags = (rflags & ~(uint64_t)(RFLAGS_IOPL | RFLAGS_VM)) | RFLAGS_IF | 2;
    if (flags & VGCF_in_syscall) { /* the way out clobbers RCX and R11, as SYSRET does */
        r->rcx = r->rip;
        r->r11 = r->rflags;
        if (unlikely(r->cs == FLAT_RING3_CS32))
            leave_as_sysret32(r);
    } else {
        r->entry_vector = 0;
        guest_get_or(r->rcx, AT(rcx), fault);
        guest_get_or(r->r11, AT(r11), fault);
    }
    if (unlikely(v->domain->iopl_shown))
        v->arch.iopl = rflags & RFLAGS_IOPL;
    if (likely(rflags & RFLAGS_IF))
        WRITE_ONCE(v->info->evtchn_upcall_mask, 0);
    else
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    v->arch.multicall_entry = 0;
    if ((cs & 3) == 3) {
        if (unlikely(!v->arch.cr3_user))
            return bad_iret(v, "to user mode, but there are no user page tables (MMUEXT_NEW_USER_BASEPTR)");
        enter_guest_user(v);
    }
    hypercall_exit(v->cpu);
fault:
    return bad_iret(v, "no frame can be read at RSP");
}
