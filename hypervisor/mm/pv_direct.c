/* SPDX-License-Identifier: MIT
 *
 * pv_direct: the processor walks the guest's own page tables, and every change of an entry comes through
 * here.
 *
 * One entry: lock its table (which keeps the table a table), take the new entry's references, write it,
 * unlock, drop the old entry's references. Translations of the old entry may live on in TLBs until the guest
 * flushes them; that is its own affair as long as the frame stays what it is, and before it becomes something
 * else page_type.c flushes.
 *
 * A present writable leaf is installed at one place, install_leaf(): log-dirty or shadow tables would hook in
 * there.
 *
 * Next: hypercall/mmu.c, which brings the requests; mm/relinquish.c, the end.
 */
#include "mm/page_type.h"
#include "mm/descriptor.h"
#include "mm/paging.h"
#include "mm/tlb.h"
#include "x86/copy.h"
#include "x86/cpu.h"
#include "x86/percpu.h"

/* What an update must know beside the entry. */
enum how { HOW_STORE, HOW_PRESERVE_AD, HOW_EXCHANGE };

/* Writes an entry of a locked table. PRESERVE_AD: A and D bits that the processor set meanwhile survive.
 * EXCHANGE: false if it is not `old` any more. */
static inline bool store_entry(uint64_t *p, uint64_t old, uint64_t entry, enum how how)
{
    if (how == HOW_EXCHANGE)
        return __atomic_compare_exchange_n(p, &old, entry, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    if (unlikely(how == HOW_PRESERVE_AD)) {
        while (!__atomic_compare_exchange_n(p, &old, entry | (old & (PTE_A | PTE_D)), false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_RELAXED))
            ;
        return true;
    }
    WRITE_ONCE(*p, entry);
    return true;
}

static inline bool install_leaf(uint64_t *p, uint64_t old, uint64_t entry, enum how how)
{
    return store_entry(p, old, leaf_adjust(entry), how);
}

/* f: a locked L1 of d; unlocks it. id: owner's number. */
static force_inline int update_leaf(struct domain *d, struct domain *owner, uint32_t id, struct frame *f,
                                    uint64_t *p, uint64_t old, uint64_t entry, enum how how)
{
    bool stored;
    int rc = 0;

    if (!(entry & PTE_P)) {
        stored = store_entry(p, old, entry, how);
    } else if (!((old ^ entry) & ~(PTE_HARMLESS | PTE_G))) { /* `old` is present too */
        stored = install_leaf(p, old, entry, how);
        table_unlock(f, FT_L1); /* its references are the new entry's */
        return likely(stored) ? 0 : -EAGAIN;
    } else {
        rc = get_leaf(d, owner, id, entry);
        stored = likely(!rc) && install_leaf(p, old, entry, how);
    }
    table_unlock(f, FT_L1);
    if (likely(stored)) {
        if (old & PTE_P)
            put_leaf(old);
        return 0;
    }
    if (!rc && (entry & PTE_P))
        put_leaf_slow(entry);
    return rc ? rc : -EAGAIN;
}

/* f: a locked L2, L3 or L4 of d; unlocks it. */
static __attribute__((noinline)) int update_upper(struct domain *d, enum frame_type level, struct frame *f,
                                                  uint64_t *p, uint64_t entry, enum how how)
{
    uint64_t old = READ_ONCE(*p);
    /* Its references are the new entry's. */
    bool same = (old & entry & PTE_P) && !((old ^ entry) & ~PTE_HARMLESS);
    int rc = 0;

    if (!guest_slot(level, p))
        rc = refuse(-EINVAL, R_HYPERVISOR_SLOT, (uint64_t)p % PAGE_SIZE / 8, 0);
    else if ((entry & PTE_P) && !same)
        rc = get_table_entry(d, level, entry);
    if (!rc)
        store_entry(p, old, entry & PTE_P ? entry | PTE_US : entry, how);
    table_unlock(f, level);
    if (rc)
        return rc;
    if ((old & PTE_P) && !same)
        put_table_fast(entry_mfn(old));
    return 1;
}

/* An update of what is no table (now): the guest could as well write the word itself. */
static __attribute__((noinline)) int update_plain(struct domain *d, mfn_t m, uint64_t *p, uint64_t entry)
{
    int rc = get_frame_type(d, m, FT_WRITABLE);

    if (rc)
        return rc;
    WRITE_ONCE(*p, entry);
    put_frame_type(m);
    return 0;
}

/* All but the plain store of an L1 entry whose frame is d's own, which is what nearly every update is. */
static __attribute__((noinline)) int update_other(struct domain *d, struct domain *owner, struct frame *f,
                                                  uint64_t *p, uint64_t entry, enum how how)
{
    enum frame_type level;

    if (!table_lock(d, f, FT_NONE))
        return update_plain(d, frame_mfn(f), p, entry);
    level = type_of(READ_ONCE(f->word));
    if (level == FT_L1)
        return update_leaf(d, owner, owner ? owner_of(owner) : OWNER_NONE, f, p, READ_ONCE(*p), entry, how);
    if (owner == d)
        return update_upper(d, level, f, p, entry, how);
    table_unlock(f, level);
    return refuse(-EINVAL, R_FRAME_FOREIGN, frame_mfn(f).v, d->domid);
}

static int pv_write_entry(struct domain *d, struct domain *owner, uint64_t ptr, uint64_t entry,
                          bool preserve_ad)
{
    mfn_t m = maddr_to_mfn(ptr);
    uint64_t *p = maddr_to_virt(ptr & ~7ULL);
    struct frame *f = frame_of(m);

    if (unlikely(m.v >= max_mfn))
        return refuse(-EINVAL, R_BAD_MFN, m.v, 0);
    if (likely(owner == d) && likely(!preserve_ad) && likely(table_lock(d, f, FT_L1)))
        return update_leaf(d, d, owner_of(d), f, p, READ_ONCE(*p), entry, HOW_STORE);
    return update_other(d, owner, f, p, entry, preserve_ad ? HOW_PRESERVE_AD : HOW_STORE);
}

static int pv_write_va(struct vcpu *v, uint64_t vaddr, uint64_t entry)
{
    struct domain *d = v->domain;
    struct frame *f;
    uint64_t *p;

    if (unlikely(!guest_range_ok(vaddr, 1)) || unlikely(!(p = walk_l1(v, vaddr))) ||
        unlikely(!(f = l1_lock(d, p))))
        return refuse(-EINVAL, R_NOT_MAPPED, vaddr, 0);
    return update_leaf(d, d, owner_of(d), f, p, READ_ONCE(*p), entry, HOW_STORE);
}

int pv_exchange_leaf(struct domain *d, uint64_t ptr, uint64_t old, uint64_t entry)
{
    uint64_t *p = maddr_to_virt(ptr);
    struct frame *f = l1_lock(d, p);

    return f ? update_leaf(d, d, owner_of(d), f, p, old, entry, HOW_EXCHANGE) : -EINVAL;
}

static force_inline int set_root(struct vcpu *v, mfn_t m, bool user)
{
    uint64_t *root = user ? &v->arch.cr3_user : &v->arch.cr3_kernel;
    uint64_t old = *root, maddr = mfn_to_maddr(m);

    if (likely(old != maddr)) {
        if (likely(m.v) || !user) {
            int rc = likely(get_type_fast(v->domain, m, FT_L4)) ? 0 : get_frame_type(v->domain, m, FT_L4);

            if (unlikely(rc))
                return rc;
        }
        *root = maddr;
    } else {
        old = 0; /* nothing to drop */
    }
    if (!user && unlikely(v->arch.ldt_entries))
        ldt_drop(v);
    if (v->kernel_mode != user && v == current)
        tlb_load_root(maddr);
    return likely(old) && unlikely(put_table_fast(maddr_to_mfn(old)));
}

static int pv_set_root(struct vcpu *v, mfn_t m, bool user)
{
    return user ? set_root(v, m, true) : set_root(v, m, false);
}

static bool pv_fault(struct vcpu *v, uint64_t cr2, uint32_t error_code)
{
    if (unlikely(cr2 >= HV_VIRT_START && cr2 < HV_VIRT_END))
        return ldt_fault(v, cr2);
    /* A write by the kernel to a present page: perhaps to one of its page tables. */
    if ((error_code & 3) == 3 && v->kernel_mode &&
        (v->domain->vm_assist & 1u << VMASST_TYPE_writable_pagetables))
        return ptwrite_fault(v, cr2);
    return false;
}

const struct paging_ops pv_direct = {
    .set_root = pv_set_root,
    .write_entry = pv_write_entry,
    .write_va = pv_write_va,
    .fault = pv_fault,
    .flush = tlb_flush_domain,
};

uint64_t guest_walk(const struct vcpu *v, uint64_t vaddr, uint64_t *entry_maddr)
{
    uint64_t *p = v->arch.cr3_kernel && guest_range_ok(vaddr, 1) ? walk_l1(v, vaddr) : NULL, entry;

    if (!p)
        return 0;
    guest_get_or(entry, p, nothing);
    if (entry_maddr)
        *entry_maddr = virt_to_maddr(p);
    return entry & PTE_P ? entry : 0;
nothing:
    return 0;
}
