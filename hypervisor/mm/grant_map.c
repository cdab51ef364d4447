/* SPDX-License-Identifier: MIT
 *
 * Grant mappings: L1 entries that map another domain's frame, set and cleared for domain/grant*.c.
 *
 * The entry is like any other: it holds its reference to the frame, made by the caller, and a guest that
 * overwrites it drops that reference. The grant table then still counts the mapping; the guest can bring the
 * entry back (as stock Xen has it) or live with it until its end.
 */
#include "mm/page_type.h"
#include "mm/paging.h"
#include "x86/copy.h"
#include <xen/grant_table.h>

/* The L1 entry at addr, its table locked. NULL: there is none of v's domain. */
static force_inline uint64_t *lock_entry(struct vcpu *v, uint64_t addr, bool by_pte, struct frame **table)
{
    uint64_t *p;

    if (unlikely(by_pte))
        p = addr % 8 ? NULL : maddr_to_virt(addr);
    else
        p = guest_range_ok(addr, 1) ? walk_l1(v, addr) : NULL;
    if (unlikely(!p))
        return NULL;
    *table = l1_lock(v->domain, p);
    return likely(*table) ? p : NULL;
}

/* Whether an entry is the grant mapping that `entry` describes. */
static bool same_mapping(uint64_t is, uint64_t entry)
{
    const uint64_t must = PTE_P | PTE_RW | PTE_ADDR;

    return (is & must) == ((entry | PTE_P) & must);
}

static int gone(uint64_t addr)
{
    return refuse(GNTST_general_error, R_NOT_MAPPED, addr, 0);
}

int paging_map_grant(struct vcpu *v, uint64_t addr, uint64_t entry, bool by_pte)
{
    struct frame *table;
    uint64_t *p = lock_entry(v, addr, by_pte, &table), old;

    if (unlikely(!p))
        return gone(addr);
    old = __atomic_exchange_n(p, leaf_adjust(entry), __ATOMIC_SEQ_CST);
    table_unlock(table, FT_L1);
    if (likely(!(old & PTE_P)))
        return GNTST_okay;
    put_leaf(old);
    return GNTST_okay;
}

int paging_unmap_grant(struct vcpu *v, uint64_t addr, uint64_t entry, bool by_pte)
{
    struct frame *table;
    uint64_t *p = lock_entry(v, addr, by_pte, &table);

    if (unlikely(!p))
        return gone(addr);
    if (unlikely(!same_mapping(*p, entry))) {
        table_unlock(table, FT_L1);
        return gone(addr);
    }
    WRITE_ONCE(*p, 0);
    table_unlock(table, FT_L1);
    return GNTST_okay;
}

int paging_replace_grant(struct vcpu *v, uint64_t addr, uint64_t entry, uint64_t new_addr)
{
    struct frame *table, *new_table;
    uint64_t *p, *q = lock_entry(v, new_addr, false, &new_table), moved;
    bool same;

    if (!q)
        return gone(new_addr);
    /* One table at a time (they are of one level, there is no order to take both): the entry is nowhere in
     * between, its references are ours. */
    moved = __atomic_exchange_n(q, 0, __ATOMIC_SEQ_CST);
    table_unlock(new_table, FT_L1);
    p = lock_entry(v, addr, false, &table);
    same = p && same_mapping(*p, entry);
    if (same)
        WRITE_ONCE(*p, moved);
    if (p)
        table_unlock(table, FT_L1);
    if (same)
        return GNTST_okay;
    /* Back where it was; if that is no table any more, the guest has unmapped it itself. */
    q = lock_entry(v, new_addr, false, &new_table);
    if (q)
        moved = __atomic_exchange_n(q, moved, __ATOMIC_SEQ_CST), table_unlock(new_table, FT_L1);
    if (moved & PTE_P)
        put_leaf(moved);
    return gone(addr);
}
