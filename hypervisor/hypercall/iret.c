/* SPDX-License-Identifier: MIT
 *
 * HYPERVISOR_iret: back from a bounce frame, to guest user mode or to another place in the guest kernel.
 *
 * The frame lies at the guest's RSP (struct iret_context): rax r11 rcx flags rip cs rflags rsp ss. Selectors
 * aren't checked here: our own iretq will fault on bad ones, and that exception becomes the guest's (abi 13).
 * A frame that can't be read, or user mode without tables for it, ends the domain, as nothing can be returned
 * to.
 */
#include "domain/crash.h"
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/percpu.h"
#include "x86/trap.h"

#define VMASST_IOPL (1U << VMASST_TYPE_architectural_iopl)
#define AT(field)   (v->regs.rsp + offsetof(struct iret_context, field))

/* Reads the frame into v's registers. The list order is the frame's. */
static bool read_frame(struct vcpu *v, struct iret_context *f)
{
    if (!guest_range_ok(v->regs.rsp, sizeof(*f)))
        return false;
    guest_get_or(f->rax, AT(rax), fault);
    guest_get_or(f->r11, AT(r11), fault);
    guest_get_or(f->rcx, AT(rcx), fault);
    guest_get_or(f->flags, AT(flags), fault);
    guest_get_or(f->rip, AT(rip), fault);
    guest_get_or(f->cs, AT(cs), fault);
    guest_get_or(f->rflags, AT(rflags), fault);
    guest_get_or(f->rsp, AT(rsp), fault);
    guest_get_or(f->ss, AT(ss), fault);
    return true;
fault:
    return false;
}

static __attribute__((cold, noinline)) long bad_iret(struct vcpu *v, const char *why)
{
    domain_crash(v->domain, "iret: %s", why);
    return 0;
}

long do_iret(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    struct cpu_user_regs *r = &v->regs;
    struct iret_context f;

    (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    if (unlikely(!read_frame(v, &f)))
        return bad_iret(v, "no frame can be read at RSP");
    if ((f.cs & 3) == 3) {
        if (unlikely(!v->arch.cr3_user))
            return bad_iret(v, "to user mode, but there are no user page tables (MMUEXT_NEW_USER_BASEPTR)");
        toggle_guest_mode(v);
    }
    if (v->domain->vm_assist & VMASST_IOPL)
        v->arch.iopl = f.rflags >> 12 & 3;
    WRITE_ONCE(v->info->evtchn_upcall_mask, !(f.rflags & RFLAGS_IF));
    r->rax = f.rax;
    r->rip = f.rip;
    r->cs = (uint16_t)(f.cs | 3);
    r->rflags = (f.rflags & ~(uint64_t)(RFLAGS_IOPL | RFLAGS_VM)) | RFLAGS_IF | 2;
    r->rsp = f.rsp;
    r->ss = (uint16_t)(f.ss | 3);
    if (f.flags & VGCF_in_syscall) { /* the way out clobbers RCX and R11, as SYSRET does */
        r->rcx = f.rip;
        r->r11 = r->rflags;
    } else {
        r->entry_vector = 0;
        r->rcx = f.rcx;
        r->r11 = f.r11;
    }
    v->arch.multicall_entry = 0;
    hypercall_exit();
}
