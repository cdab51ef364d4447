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
#include "hypercall/hypercall.h"
#include "lib/string.h"
#include "mm/descriptor.h"
#include "mm/page_type.h"
#include "mm/paging.h"
#include "mm/tlb.h"
#include "x86/cpu.h"
#include "x86/descriptor.h"

#ifndef MMU_UPDATE_PREEMPTED
/* ABI: Xen's own encoding of a restart; not in the public headers. */
#define MMU_UPDATE_PREEMPTED (~(~0U >> 1))
#endif

/*
 * The domain `domid` (not DOMID_SELF) that the caller wants to act for, with a reference; NULL for DOMID_IO.
 * 0; -ESRCH: there is none, or it is the caller, who must say DOMID_SELF, or it is dying: its tables are
 * being taken apart, which waits for those who got it before (domain/teardown.c); -EPERM: the caller isn't
 * domain 0.
 */
static int get_foreign(struct domain *caller, uint32_t domid, struct domain **owner)
{
    struct domain *d = NULL;

    if (domid == DOMID_XEN && !caller->privileged)
        return refuse(-EPERM, R_FOREIGN_DOMAIN, domid, 0);
    if (domid != DOMID_IO && domid != DOMID_XEN) {
        int rc = 0;

        d = domid == caller->domid ? NULL : get_domain((uint16_t)domid);
        if (!d)
            return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
        if (!caller->privileged)
            rc = refuse(-EPERM, R_FOREIGN_DOMAIN, domid, 0);
        else if (READ_ONCE(d->dying))
            rc = refuse(-ESRCH, R_DOMAIN_DYING, domid, 0);
        if (rc) {
            put_domain(d);
            return rc;
        }
    }
    *owner = d;
    return 0;
}

/*
 * The end of a batch, or of this part of it. given: the count as the guest gave it; left: requests not done,
 * the next one at `at`; rc: of the request that stopped it, -ERESTART, or 0. Off the short path: a batch that
 * ran to its end, wants no `done` and left no work behind needs none of this.
 */
struct batch {
    uint64_t at, left, given, done_ptr, foreigndom;
    unsigned int nr;
};

static __attribute__((noinline)) long batch_end(const struct batch *b, long rc)
{
    uint64_t count = b->given & ~(uint64_t)MMU_UPDATE_PREEMPTED;
    uint32_t done = 0;

    if (b->done_ptr) { /* a bad pointer is no error, as in Xen: what was done is done */
        if ((b->given & MMU_UPDATE_PREEMPTED) && copy_from_guest(&done, b->done_ptr, sizeof(done)))
            done = 0;
        done += (uint32_t)(count - b->left);
        (void)!copy_to_guest(b->done_ptr, &done, sizeof(done));
    }
    if (!rc && current->domain->undo_list)
        rc = paging_finish(current->domain);
    if (rc == -ERESTART) {
        const uint64_t args[] = { b->at, b->left | MMU_UPDATE_PREEMPTED, b->done_ptr, b->foreigndom };

        return hypercall_restart(b->nr, ARRAY_SIZE(args), args);
    }
    return rc;
}

/*
 * Whether a list of requests may begin there. That is enough: it is read upwards, and above the guest's lower
 * half is no memory (a fault ends the batch), above its upper half the address space ends. As in Xen,
 * requests before the fault are carried out.
 */
static inline bool batch_ok(uint64_t at)
{
    return guest_range_ok(at, 1);
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

/* Does the requests at *at, *left of them; both say then where it stands. The result is that of the request
 * that stopped it, or -ERESTART, or 0. */
static force_inline long update_batch(uint64_t *at, uint64_t *left, struct domain *d, struct domain *pt,
                                      struct domain *owner)
{
    for (; *left; --*left, *at += sizeof(struct mmu_update)) {
        uint64_t ptr, val;
        int rc;

        guest_get_or(ptr, *at, fault);
        guest_get_or(val, *at + 8, fault);
        if (likely(!(ptr & 7)))
            rc = pt->paging->write_entry(pt, owner, ptr, val, false);
        else
            rc = update_one(d, pt, owner, ptr, val);
        if (likely(!rc) && likely(*left & 15))
            continue;
        if (unlikely(rc < 0))
            return rc;
        /* Something long was done, or sixteen short ones. */
        if (*left > 1 && (preempt_pending() || (pt->undo_list && paging_finish(pt)))) {
            --*left;
            *at += sizeof(struct mmu_update);
            return -ERESTART;
        }
    }
    return 0;
fault:
    return refuse(-EFAULT, R_BAD_POINTER, *at, 0);
}

/* The domain whose tables change stands in the upper half of foreigndom, plus 1; 0: the caller. */
static int table_owner(struct domain *d, uint64_t foreigndom, struct domain **pt)
{
    uint32_t domid = ((uint32_t)foreigndom >> 16) - 1;
    int rc = 0;

    *pt = d;
    if ((uint32_t)foreigndom >> 16 && domid != d->domid)
        rc = get_foreign(d, domid, pt);
    if (*pt)
        return rc;
    *pt = d;
    return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
}

/* ---- update_va_mapping ---- */

static __attribute__((noinline)) int flush_after_update(uint64_t va, uint64_t flags)
{
    uint64_t where = flags & ~(uint64_t)UVMF_FLUSHTYPE_MASK, vcpus;

    flags &= UVMF_FLUSHTYPE_MASK;
    if (flags != UVMF_TLB_FLUSH && flags != UVMF_INVLPG)
        return 0;
    if (where == UVMF_LOCAL)
        vcpus = 1ULL << current->id;
    else if (where == UVMF_ALL)
        vcpus = ~0ULL;
    else if (get_guest_u64(&vcpus, where)) /* a bitmap */
        return refuse(-EFAULT, R_BAD_POINTER, where, 0);
    tlb_flush_vcpus(current->domain, vcpus, flags == UVMF_INVLPG ? va : ~0ULL);
    return 0;
}

long do_update_va_mapping(uint64_t va, uint64_t val, uint64_t flags, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    int rc = d->paging->write_va(v, va, val);

    if (unlikely(rc))
        return rc;
    if (likely(flags == (UVMF_INVLPG | UVMF_LOCAL))) {
        invlpg(va);
        return 0;
    }
    return flags ? flush_after_update(va, flags) : 0;
}

long do_update_va_mapping_otherdomain(uint64_t va, uint64_t val, uint64_t flags, uint64_t domid, uint64_t a5)
{
    struct vcpu *v = current;
    struct domain *d = v->domain, *owner = d;
    uint64_t ptr = ~0ULL;
    int rc = 0;

    if ((uint16_t)domid != DOMID_SELF)
        rc = get_foreign(d, (uint16_t)domid, &owner);
    if (!rc && !owner && !d->privileged)
        rc = refuse(-EPERM, R_FOREIGN_DOMAIN, (uint16_t)domid, 0);
    if (rc)
        return rc;
    (void)guest_walk(v, va, &ptr);
    rc = ptr == ~0ULL ? refuse(-EINVAL, R_NOT_MAPPED, va, 0)
                      : d->paging->write_entry(d, owner, ptr, val, false);
    if (owner && owner != d)
        put_domain(owner);
    return rc < 0 ? rc : flush_after_update(va, flags);
}

/* ---- mmuext_op ---- */

/* Each returns 0, 1 (done, and it may have been long work), or a negative errno. */
typedef int mmuext_fn(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2);

static int ext_pin(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    if (!owner)
        return refuse(-EINVAL, R_FRAME_FOREIGN, arg1, DOMID_IO);
    if (cmd == MMUEXT_UNPIN_TABLE)
        return unpin_table(owner, MFN(arg1)) ?: 1;
    return pin_table(owner, MFN(arg1), FT_L1 + (cmd - MMUEXT_PIN_L1_TABLE)) ?: 1;
}

static int ext_root(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    return owner->paging->set_root(v, MFN(arg1), cmd == MMUEXT_NEW_USER_BASEPTR);
}

static int ext_flush_local(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    tlb_flush_local();
    return 0;
}

static int ext_invlpg_local(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    if (likely(guest_range_ok(arg1, 1))) /* elsewhere is nothing of the guest's */
        invlpg(arg1);
    return 0;
}

/* All or a page, on the CPUs of all vcpus or of those in a bitmap. */
static int ext_flush(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    bool all = cmd == MMUEXT_TLB_FLUSH_ALL || cmd == MMUEXT_INVLPG_ALL;
    bool page = cmd == MMUEXT_INVLPG_MULTI || cmd == MMUEXT_INVLPG_ALL;
    uint64_t vcpus = ~0ULL;

    if (!all && get_guest_u64(&vcpus, arg2))
        return refuse(-EINVAL, R_BAD_POINTER, arg2, 0);
    if (!page || guest_range_ok(arg1, 1))
        tlb_flush_vcpus(owner, vcpus, page ? arg1 : ~0ULL);
    return 0;
}

static int ext_cache(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    if (!v->domain->privileged)
        return refuse(cmd == MMUEXT_FLUSH_CACHE ? -EACCES : -EINVAL, R_NO_CACHE_CONTROL, 0, 0); /* as Xen */
    __asm__ volatile("wbinvd" ::: "memory");
    return 0;
}

static int ext_ldt(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    uint64_t entries = (uint32_t)arg2, base = entries ? arg1 : 0;

    if (base % PAGE_SIZE || entries > LDT_MAX_ENTRIES || !guest_range_ok(base, 1))
        return refuse(-EINVAL, R_LDT_PLACE, base, entries);
    ldt_set(v, base, (unsigned int)entries);
    ldt_load(v);
    return 0;
}

static int ext_page(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    mfn_t to = MFN(arg1), from = MFN(arg2);
    bool copy = cmd == MMUEXT_COPY_PAGE;
    int rc;

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

static int ext_none(struct vcpu *v, struct domain *owner, uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    bool super = cmd == MMUEXT_MARK_SUPER || cmd == MMUEXT_UNMARK_SUPER;

    return refuse(super ? -EOPNOTSUPP : -ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_mmuext_op, cmd);
}

static const struct {
    mmuext_fn *fn;
    bool own_only; /* for the caller's own tables: a foreign domain is -EPERM */
} mmuext_rows[] = {
    [MMUEXT_PIN_L1_TABLE] = { ext_pin, false },
    [MMUEXT_PIN_L2_TABLE] = { ext_pin, false },
    [MMUEXT_PIN_L3_TABLE] = { ext_pin, false },
    [MMUEXT_PIN_L4_TABLE] = { ext_pin, false },
    [MMUEXT_UNPIN_TABLE] = { ext_pin, false },
    [MMUEXT_NEW_BASEPTR] = { ext_root, true },
    [MMUEXT_TLB_FLUSH_LOCAL] = { ext_flush_local, true },
    [MMUEXT_INVLPG_LOCAL] = { ext_invlpg_local, true },
    [MMUEXT_TLB_FLUSH_MULTI... MMUEXT_INVLPG_ALL] = { ext_flush, true },
    [MMUEXT_FLUSH_CACHE] = { ext_cache, true },
    [MMUEXT_SET_LDT] = { ext_ldt, true },
    [MMUEXT_SET_LDT + 1] = { ext_none, false },
    [MMUEXT_NEW_USER_BASEPTR] = { ext_root, true },
    [MMUEXT_CLEAR_PAGE] = { ext_page, false },
    [MMUEXT_COPY_PAGE] = { ext_page, false },
    [MMUEXT_FLUSH_CACHE_GLOBAL] = { ext_cache, true },
    [MMUEXT_MARK_SUPER... MMUEXT_UNMARK_SUPER] = { ext_none, false },
};

/* at: in range. */
static force_inline int ext_one(struct vcpu *v, struct domain *owner, uint64_t at)
{
    uint64_t arg1, arg2;
    uint32_t cmd;

    guest_get_or(cmd, at, fault);
    guest_get_or(arg1, at + offsetof(struct mmuext_op, arg1), fault);
    guest_get_or(arg2, at + offsetof(struct mmuext_op, arg2), fault);
    if (unlikely(cmd >= ARRAY_SIZE(mmuext_rows)))
        return ext_none(v, owner, cmd, arg1, arg2);
    if (owner != v->domain && mmuext_rows[cmd].own_only)
        return refuse(-EPERM, R_NOT_OWN_CALL, owner ? owner->domid : DOMID_IO, cmd);
    return mmuext_rows[cmd].fn(v, owner, cmd, arg1, arg2);
fault:
    return refuse(-EFAULT, R_BAD_POINTER, at, 0);
}

/* As update_batch(). */
static long ext_batch(uint64_t *at, uint64_t *left, struct vcpu *v, struct domain *owner)
{
    while (*left) {
        int rc = ext_one(v, owner, *at);

        if (unlikely(rc < 0))
            return rc;
        --*left;
        *at += sizeof(struct mmuext_op);
        if (unlikely(owner && owner->undo_list) && paging_finish(owner))
            return -ERESTART;
        if (*left && (rc || !(*left & 15)) && preempt_pending())
            return -ERESTART;
    }
    return 0;
}

/* ---- Both ---- */

/* Xen says that a domain is not the caller's to act for when it comes to the first request: not before one
 * that can't be read or is none. */
static long not_yours(const struct batch *b)
{
    uint64_t ptr;

    if (!b->left)
        return 0;
    if (get_guest_u64(&ptr, b->at))
        return refuse(-EFAULT, R_BAD_POINTER, b->at, 0);
    return ptr & 4 ? refuse(-ENOSYS, R_UPDATE_COMMAND, ptr & 7, 0) : -EPERM;
}

/* Any batch, or what is left of it: d asks, pt's tables change, to map what is owner's. */
static __attribute__((noinline)) long any_batch(struct batch *b)
{
    struct vcpu *v = current;
    struct domain *d = v->domain, *pt = d, *owner = d;
    bool ext = b->nr == __HYPERVISOR_mmuext_op;
    long rc = ext ? 0 : table_owner(d, b->foreigndom, &pt), other = 0;

    if (rc != -ESRCH && (uint16_t)b->foreigndom != DOMID_SELF)
        other = get_foreign(d, (uint16_t)b->foreigndom, &owner);
    rc = other ?: rc;
    if (rc == -EPERM && !ext)
        rc = not_yours(b);
    if (!rc && ext && !owner && !d->privileged)
        rc = refuse(-EPERM, R_NOT_OWN_CALL, b->foreigndom, 0);
    if (!rc && pt->undo_list)
        rc = paging_finish(pt);
    if (!rc && ext && owner && owner->undo_list)
        rc = paging_finish(owner);
    if (!rc)
        rc = ext ? ext_batch(&b->at, &b->left, v, owner) : update_batch(&b->at, &b->left, d, pt, owner);
    if (pt != d)
        put_domain(pt);
    if (owner && owner != d)
        put_domain(owner);
    return batch_end(b, rc);
}

long do_mmu_update(uint64_t reqs, uint64_t count, uint64_t pdone, uint64_t foreigndom, uint64_t a5)
{
    struct domain *d = current->domain;
    uint64_t at = reqs, left = count & (MMU_UPDATE_PREEMPTED - 1);
    struct batch b;
    long rc = 0;

    if (unlikely(!batch_ok(reqs)))
        return refuse(-EFAULT, R_BAD_POINTER, reqs, left);
    if (likely(foreigndom == DOMID_SELF) && likely(!d->undo_list)) {
        rc = update_batch(&at, &left, d, d, d);
        if (likely(!rc) && likely(!pdone) && likely(!d->undo_list))
            return 0;
    }
    b = (struct batch){ at, left, (uint32_t)count, pdone, foreigndom, __HYPERVISOR_mmu_update };
    return rc ? batch_end(&b, rc) : any_batch(&b);
}

/* Any list of operations; rc: of the first, 0 if that is still to be done. */
static __attribute__((noinline)) long ext_list(uint64_t at, uint64_t count, uint64_t pdone,
                                               uint64_t foreigndom, long rc)
{
    struct batch b = {
        at, count & (MMU_UPDATE_PREEMPTED - 1), (uint32_t)count, pdone, foreigndom, __HYPERVISOR_mmuext_op
    };

    if (rc > 0) {
        b.at += sizeof(struct mmuext_op);
        rc = --b.left && preempt_pending() ? -ERESTART : 0;
    }
    return rc ? batch_end(&b, rc) : any_batch(&b);
}

long do_mmuext_op(uint64_t uops, uint64_t count, uint64_t pdone, uint64_t foreigndom, uint64_t a5)
{
    struct vcpu *v = current;

    if (unlikely(!batch_ok(uops)))
        return refuse(-EFAULT, R_BAD_POINTER, uops, (uint32_t)count);
    /* Nearly always they are a few short operations for the caller itself, and carried out. */
    if (unlikely(count - 1 >= 16) || unlikely(pdone) || unlikely(foreigndom != DOMID_SELF) ||
        unlikely(v->domain->undo_list))
        return ext_list(uops, count, pdone, foreigndom, 0);
    for (;; uops += sizeof(struct mmuext_op)) {
        int rc = ext_one(v, v->domain, uops);

        if (unlikely(rc) && (rc < 0 || count > 1 || v->domain->undo_list))
            return ext_list(uops, count, 0, DOMID_SELF, rc);
        if (likely(!--count))
            return 0;
    }
}
