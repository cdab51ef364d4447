/* SPDX-License-Identifier: MIT
 *
 * The hypercalls that change page tables and address spaces: mmu_update, update_va_mapping, mmuext_op.
 *
 * They bring the guest's requests, one by one, to the domain's struct paging_ops, which checks and does them.
 * A batch stops at the first request that is refused, and `done` says how many were carried out. A batch that
 * takes long restarts with what is left (MMU_UPDATE_PREEMPTED: `done` was begun by an earlier part).
 *
 * Next: mm/pv_direct.c.
 */
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "hypercall/owner.h"
#include "lib/string.h"
#include "mm/ldt.h"
#include "mm/page_type.h"
#include "mm/paging.h"
#include "mm/tlb.h"
#include "x86/copy.h"
#include "x86/cpu.h"
#include "x86/descriptor.h"
#include "x86/percpu.h"

#ifndef MMU_UPDATE_PREEMPTED
#define MMU_UPDATE_PREEMPTED \
    (~(~0U >> 1)) /* ABI: Xen's own encoding of a restart; not in the public headers */
#endif

int hypercall_owner(struct domain *caller, uint32_t domid, struct domain **owner)
{
    struct domain *d;

    if (domid == DOMID_IO || (domid == DOMID_XEN && caller->privileged)) {
        *owner = NULL;
        return 0;
    }
    if (domid == DOMID_XEN)
        return refuse(-EPERM, R_FOREIGN_DOMAIN, domid, 0);
    d = domid == caller->domid ? NULL : get_domain((uint16_t)domid);
    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
    if (!caller->privileged) {
        put_domain(d);
        return refuse(-EPERM, R_FOREIGN_DOMAIN, domid, 0);
    }
    *owner = d;
    return 0;
}

/* A batch: where it stands. */
struct batch {
    uint64_t at, left; /* guest address of the next request, number of requests */
    uint64_t done_ptr; /* guest address of the 32-bit counter, 0: none */
    uint32_t done;     /* carried out by earlier parts */
};

static int batch_begin(struct batch *b, uint64_t at, uint64_t count, uint64_t done_ptr, uint64_t size)
{
    b->at = at;
    b->left = (uint32_t)count;
    b->done_ptr = done_ptr;
    b->done = 0;
    if (unlikely(count & MMU_UPDATE_PREEMPTED)) {
        b->left &= ~(uint64_t)MMU_UPDATE_PREEMPTED;
        if (done_ptr && copy_from_guest(&b->done, done_ptr, sizeof(b->done)))
            return refuse(-EFAULT, R_BAD_POINTER, done_ptr, 0);
    }
    return likely(guest_range_ok(at, b->left * size)) ? 0 : refuse(-EFAULT, R_BAD_POINTER, at, 0);
}

/* rc: of the request that stopped the batch, 0 at its end. done: requests carried out in this part. */
static long batch_end(const struct batch *b, unsigned int nr, uint64_t done, uint64_t foreigndom, long rc)
{
    uint32_t total = b->done + (uint32_t)done;

    if (b->done_ptr && copy_to_guest(b->done_ptr, &total, sizeof(total)) && !rc)
        return refuse(-EFAULT, R_BAD_POINTER, b->done_ptr, 0);
    if (unlikely(!rc && current->domain->undo_list) && paging_finish(current->domain))
        rc = -ERESTART;
    if (unlikely(rc == -ERESTART)) {
        const uint64_t args[] = { b->at, b->left | MMU_UPDATE_PREEMPTED, b->done_ptr, foreigndom };

        return hypercall_restart(nr, ARRAY_SIZE(args), args);
    }
    return rc;
}

static int machphys_update(struct domain *d, struct domain *pt, struct domain *owner, uint64_t ptr,
                           uint64_t val)
{
    mfn_t m = maddr_to_mfn(ptr);

    if (pt != d)
        return refuse(-EPERM, R_FOREIGN_DOMAIN, pt->domid, 0);
    if (!owner || !get_frame(owner, m))
        return refuse(-EINVAL, R_FRAME_FOREIGN, m.v, owner ? owner->domid : DOMID_IO);
    m2p_set(m, PFN(val));
    put_frame(m);
    return 0;
}

static int update_one(struct domain *d, struct domain *pt, struct domain *owner, uint64_t ptr, uint64_t val)
{
    switch (ptr & 7) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE: /* nothing is translated here */
        return pt->paging->write_entry(pt, owner, ptr & ~7ULL, val, false);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return pt->paging->write_entry(pt, owner, ptr & ~7ULL, val, true);
    case MMU_MACHPHYS_UPDATE:
        return machphys_update(d, pt, owner, ptr, val);
    default:
        return refuse(-ENOSYS, R_UPDATE_COMMAND, ptr & 7, 0);
    }
}

/* The requests [b->at, + b->left). Returns the number done; *rc of the one that stopped it. */
static uint64_t update_batch(struct batch *b, struct domain *d, struct domain *pt, struct domain *owner,
                             long *rc)
{
    uint64_t count = b->left, ptr, val;

    *rc = 0;
    for (; b->left; b->left--, b->at += sizeof(struct mmu_update)) {
        int r;

        if (unlikely(get_guest_u64_nocheck(&ptr, b->at)) ||
            unlikely(get_guest_u64_nocheck(&val, b->at + 8))) {
            *rc = refuse(-EFAULT, R_BAD_POINTER, b->at, 0);
            break;
        }
        if (likely(!(ptr & 7)))
            r = pt->paging->write_entry(pt, owner, ptr, val, false);
        else
            r = update_one(d, pt, owner, ptr, val);
        if (likely(!r) && likely(b->left & 15))
            continue;
        if (unlikely(r < 0)) {
            *rc = r;
            break;
        }
        /* Something long was done, or sixteen short ones. */
        if (b->left > 1 && (preempt_pending() || (pt->undo_list && paging_finish(pt)))) {
            b->left--;
            b->at += sizeof(struct mmu_update);
            *rc = -ERESTART;
            break;
        }
    }
    return count - b->left;
}

long do_mmu_update(uint64_t reqs, uint64_t count, uint64_t pdone, uint64_t foreigndom, uint64_t a5)
{
    struct domain *d = current->domain, *pt = d, *owner = d;
    struct batch b;
    uint64_t done = 0;
    long rc = batch_begin(&b, reqs, count, pdone, sizeof(struct mmu_update));

    (void)a5;
    if (unlikely(rc))
        return rc;
    if (unlikely(foreigndom != DOMID_SELF)) {
        uint32_t pt_domid = (uint32_t)foreigndom >> 16;

        if (pt_domid && pt_domid - 1 != d->domid)
            rc = hypercall_owner(d, pt_domid - 1, &pt);
        if (!rc && !pt)
            rc = refuse(-ESRCH, R_NO_SUCH_DOMAIN, pt_domid - 1, 0), pt = d;
        if (!rc && (foreigndom & 0xffff) != DOMID_SELF)
            rc = hypercall_owner(d, foreigndom & 0xffff, &owner);
    }
    if (likely(!rc) && unlikely(pt->undo_list))
        rc = paging_finish(pt);
    if (likely(!rc))
        done = update_batch(&b, d, pt, owner, &rc);
    if (unlikely(pt != d))
        put_domain(pt);
    if (unlikely(owner != d) && owner)
        put_domain(owner);
    return batch_end(&b, __HYPERVISOR_mmu_update, done, foreigndom, rc);
}

/* ---- update_va_mapping ---- */

/* CPUs of the vcpus in the bitmap at a guest address. */
static int vcpus_to_mask(const struct domain *d, uint64_t bitmap, uint64_t *mask)
{
    uint64_t bits;

    if (get_guest_u64(&bits, bitmap))
        return refuse(-EFAULT, R_BAD_POINTER, bitmap, 0);
    *mask = 0;
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        if (bits >> i & 1)
            *mask |= tlb_vcpu_mask(d, i);
    return 0;
}

static __attribute__((noinline)) int flush_after_update(struct domain *d, uint64_t va, uint64_t flags)
{
    uint64_t where = flags & ~(uint64_t)UVMF_FLUSHTYPE_MASK, mask;
    int rc;

    flags &= UVMF_FLUSHTYPE_MASK;
    if (flags != UVMF_TLB_FLUSH && flags != UVMF_INVLPG)
        return 0;
    if (where == UVMF_LOCAL) {
        mask = tlb_vcpu_mask(d, current->id);
    } else if (where == UVMF_ALL) {
        mask = tlb_domain_mask(d);
    } else {
        rc = vcpus_to_mask(d, where, &mask);
        if (rc)
            return rc;
    }
    if (flags == UVMF_INVLPG)
        tlb_flush_page_mask(va, mask);
    else
        tlb_flush_mask(mask);
    return 0;
}

long do_update_va_mapping(uint64_t va, uint64_t val, uint64_t flags, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    int rc = d->paging->write_va(v, d, va, val);

    (void)a4, (void)a5;
    if (unlikely(rc) || !flags)
        return rc;
    if (likely(flags == (UVMF_INVLPG | UVMF_LOCAL))) {
        invlpg(va);
        return 0;
    }
    return flush_after_update(d, va, flags);
}

long do_update_va_mapping_otherdomain(uint64_t va, uint64_t val, uint64_t flags, uint64_t domid, uint64_t a5)
{
    struct vcpu *v = current;
    struct domain *d = v->domain, *owner = d;
    int rc = 0;

    (void)a5;
    if ((uint16_t)domid != DOMID_SELF)
        rc = hypercall_owner(d, (uint16_t)domid, &owner);
    if (rc)
        return rc;
    rc = d->paging->write_va(v, owner, va, val);
    if (owner && owner != d)
        put_domain(owner);
    return rc ? rc : flush_after_update(d, va, flags);
}

/* ---- mmuext_op ---- */

typedef int mmuext_fn(struct vcpu *v, struct domain *owner, const struct mmuext_op *op);

static int ext_pin(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    (void)v;
    if (!owner)
        return refuse(-EINVAL, R_BAD_MFN, op->arg1.mfn, 0);
    return pin_table(owner, MFN(op->arg1.mfn), FT_L1 + (op->cmd - MMUEXT_PIN_L1_TABLE));
}

static int ext_unpin(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    (void)v;
    if (!owner)
        return refuse(-EINVAL, R_BAD_MFN, op->arg1.mfn, 0);
    return unpin_table(owner, MFN(op->arg1.mfn));
}

static int ext_root(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    return owner->paging->set_root(v, MFN(op->arg1.mfn), op->cmd == MMUEXT_NEW_USER_BASEPTR);
}

static int ext_flush(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    uint64_t mask;

    (void)v;
    switch (op->cmd) {
    case MMUEXT_TLB_FLUSH_LOCAL:
        tlb_flush_local();
        return 0;
    case MMUEXT_TLB_FLUSH_ALL:
        owner->paging->flush(owner, ~0ULL);
        return 0;
    default:
        if (vcpus_to_mask(owner, (uint64_t)op->arg2.vcpumask.p, &mask))
            return refuse(-EINVAL, R_BAD_POINTER, (uint64_t)op->arg2.vcpumask.p, 0);
        tlb_flush_mask(mask);
        return 0;
    }
}

static int ext_invlpg(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    uint64_t va = op->arg1.linear_addr, mask;

    (void)v;
    if (op->cmd == MMUEXT_INVLPG_MULTI && vcpus_to_mask(owner, (uint64_t)op->arg2.vcpumask.p, &mask))
        return refuse(-EINVAL, R_BAD_POINTER, (uint64_t)op->arg2.vcpumask.p, 0);
    if (!guest_range_ok(va, 1)) /* nothing of the guest's is there */
        return 0;
    if (op->cmd == MMUEXT_INVLPG_LOCAL)
        invlpg(va);
    else if (op->cmd == MMUEXT_INVLPG_ALL)
        owner->paging->flush(owner, va);
    else
        tlb_flush_page_mask(va, mask);
    return 0;
}

static int ext_cache(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    (void)owner, (void)op;
    if (!v->domain->privileged)
        return refuse(-EACCES, R_NO_CACHE_CONTROL, 0, 0);
    __asm__ volatile("wbinvd" ::: "memory");
    return 0;
}

static int ext_ldt(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    uint64_t entries = op->arg2.nr_ents, base = entries ? op->arg1.linear_addr : 0;

    (void)owner;
    if (base % PAGE_SIZE || entries > LDT_MAX_ENTRIES || !guest_range_ok(base, entries * 8))
        return refuse(-EINVAL, R_LDT_PLACE, base, entries);
    ldt_set(v, base, (unsigned int)entries);
    ldt_load(v);
    return 0;
}

static int ext_page(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    mfn_t to = MFN(op->arg1.mfn), from = MFN(op->arg2.src_mfn);
    bool copy = op->cmd == MMUEXT_COPY_PAGE;
    int rc;

    (void)v;
    if (!owner || (copy && !get_frame(owner, from)))
        return refuse(-EINVAL, R_FRAME_FOREIGN, from.v, owner ? owner->domid : DOMID_IO);
    rc = get_frame_type(owner, to, FT_WRITABLE);
    if (!rc) {
        if (copy)
            memcpy(mfn_to_virt(to), mfn_to_virt(from), PAGE_SIZE);
        else
            memset(mfn_to_virt(to), 0, PAGE_SIZE);
        put_frame_type(to);
    }
    if (copy)
        put_frame(from);
    return rc;
}

static int ext_super(struct vcpu *v, struct domain *owner, const struct mmuext_op *op)
{
    (void)v, (void)owner;
    return refuse(-EOPNOTSUPP, R_NO_SUCH_OP, __HYPERVISOR_mmuext_op, op->cmd);
}

static const struct {
    mmuext_fn *fn;
    bool own_only; /* for the caller's own tables: a foreign domain is -EPERM */
} mmuext_rows[] = {
    [MMUEXT_PIN_L1_TABLE] = { ext_pin, false },     [MMUEXT_PIN_L2_TABLE] = { ext_pin, false },
    [MMUEXT_PIN_L3_TABLE] = { ext_pin, false },     [MMUEXT_PIN_L4_TABLE] = { ext_pin, false },
    [MMUEXT_UNPIN_TABLE] = { ext_unpin, false },    [MMUEXT_NEW_BASEPTR] = { ext_root, true },
    [MMUEXT_TLB_FLUSH_LOCAL] = { ext_flush, true }, [MMUEXT_INVLPG_LOCAL] = { ext_invlpg, true },
    [MMUEXT_TLB_FLUSH_MULTI] = { ext_flush, true }, [MMUEXT_INVLPG_MULTI] = { ext_invlpg, true },
    [MMUEXT_TLB_FLUSH_ALL] = { ext_flush, true },   [MMUEXT_INVLPG_ALL] = { ext_invlpg, true },
    [MMUEXT_FLUSH_CACHE] = { ext_cache, true },     [MMUEXT_SET_LDT] = { ext_ldt, true },
    [MMUEXT_NEW_USER_BASEPTR] = { ext_root, true }, [MMUEXT_CLEAR_PAGE] = { ext_page, false },
    [MMUEXT_COPY_PAGE] = { ext_page, false },       [MMUEXT_FLUSH_CACHE_GLOBAL] = { ext_cache, true },
    [MMUEXT_MARK_SUPER] = { ext_super, false },     [MMUEXT_UNMARK_SUPER] = { ext_super, false },
};

static int ext_one(struct vcpu *v, struct domain *owner, uint64_t at)
{
    struct mmuext_op op;

    if (unlikely(copy_from_guest(&op, at, sizeof(op))))
        return refuse(-EFAULT, R_BAD_POINTER, at, 0);
    if (unlikely(op.cmd >= ARRAY_SIZE(mmuext_rows)) || unlikely(!mmuext_rows[op.cmd].fn))
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_mmuext_op, op.cmd);
    if (unlikely(owner != v->domain) && mmuext_rows[op.cmd].own_only)
        return refuse(-EPERM, R_NOT_OWN_CALL, owner ? owner->domid : DOMID_IO, op.cmd);
    return mmuext_rows[op.cmd].fn(v, owner, &op);
}

long do_mmuext_op(uint64_t uops, uint64_t count, uint64_t pdone, uint64_t foreigndom, uint64_t a5)
{
    struct vcpu *v = current;
    struct domain *d = v->domain, *owner = d;
    struct batch b;
    uint64_t total;
    long rc = batch_begin(&b, uops, count, pdone, sizeof(struct mmuext_op));

    (void)a5;
    if (unlikely(rc))
        return rc;
    total = b.left;
    if (unlikely((uint16_t)foreigndom != DOMID_SELF))
        rc = hypercall_owner(d, (uint16_t)foreigndom, &owner);
    while (likely(!rc) && b.left) {
        if (unlikely(owner && owner->undo_list) && paging_finish(owner)) {
            rc = -ERESTART;
            break;
        }
        rc = ext_one(v, owner, b.at);
        if (unlikely(rc))
            break;
        b.left--;
        b.at += sizeof(struct mmuext_op);
        if (b.left && preempt_pending())
            rc = -ERESTART;
    }
    if (unlikely(owner != d) && owner)
        put_domain(owner);
    return batch_end(&b, __HYPERVISOR_mmuext_op, total - b.left, foreigndom, rc);
}
