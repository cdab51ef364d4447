/* SPDX-License-Identifier: MIT
 *
 * A new domain's first page tables.
 *
 * They are filled as plain memory, entry by entry, and then go through the same door as tables that a guest
 * pins itself: mm checks every entry and takes every reference. So a mistake here is refused there, and no
 * frame is ever a table without having been checked.
 *
 * The tables' own pages are mapped read-only, all others writable. Two pools give table pages: those at
 * at.tables (seen by the guest, nr_pt_frames in start_info), and those behind a p2m list that has an address
 * of its own.
 */
#include "boot/builder.h"
#include "domain/domain.h"
#include "lib/bug.h"
#include "mm/frame.h"
#include "mm/page_type.h"
#include "x86/cpu.h"
#include "mm/paging.h"

#define PTE_PRESENT  0x1
#define PTE_WRITE    0x2
#define PTE_USER     0x4
#define PTE_ACCESSED 0x20
#define PTE_DIRTY    0x40
#define PTE_TABLE    (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define PTE_LEAF     (PTE_PRESENT | PTE_USER | PTE_ACCESSED)
#define PTE_ADDRESS  0x000ffffffffff000
#define TOP_SHIFT    39

struct pool {
    uint64_t pfn, left;
};

static uint64_t *table_of(uint64_t entry)
{
    return maddr_to_virt(entry & PTE_ADDRESS);
}

static uint64_t new_table(const struct build *b, struct pool *pool)
{
    if (!pool->left)
        BUG("domain %u: more page tables than laid out", b->domid);
    pool->left--;
    return *build_p2m(b, pool->pfn++) << PAGE_SHIFT | PTE_TABLE;
}

/* Maps one page; missing tables come out of the pool. */
static void map_page(const struct build *b, struct pool *pool, uint64_t *l4, uint64_t va, uint64_t entry)
{
    uint64_t *table = l4;

    for (unsigned int shift = TOP_SHIFT; shift > PAGE_SHIFT; shift -= 9) {
        uint64_t *slot = &table[va >> shift & 511];

        if (!*slot)
            *slot = new_table(b, pool);
        table = table_of(*slot);
    }
    table[va >> PAGE_SHIFT & 511] = entry;
}

static void map_pages(const struct build *b, struct pool *pool, uint64_t *l4, uint64_t va, uint64_t pfn,
                      uint64_t pages)
{
    uint64_t tables = (b->at.tables - b->at.start) >> PAGE_SHIFT;

    for (uint64_t i = 0; i < pages; i++) {
        uint64_t entry = *build_p2m(b, pfn + i) << PAGE_SHIFT | PTE_LEAF;

        if (pfn + i < tables || pfn + i >= tables + b->at.nr_tables)
            entry |= PTE_WRITE | PTE_DIRTY;
        map_page(b, pool, l4, va + (i << PAGE_SHIFT), entry);
    }
}

/* Kernels expect the root pinned, and unpin it when they have their own. */
static int root_and_pin(struct build *b, mfn_t l4)
{
    uint64_t start = rdtsc();
    int rc;

    do {
        rc = pin_table(b->d, l4, FT_L4);
    } while (rc == -ERESTART);
    if (!rc)
        rc = b->d->paging->set_root(b->d->vcpu[0], l4, false);
    b->ticks = rdtsc() - start;
    return rc;
}

int build_tables(struct build *b)
{
    const struct guest_layout *at = &b->at;
    uint64_t top = (at->tables - at->start) >> PAGE_SHIFT;
    struct pool pool = { top + 1, at->nr_tables - 1 }, p2m_pool = { at->p2m_tables_pfn, at->p2m_tables };
    uint64_t *l4 = build_page(b, top);

    map_pages(b, &pool, l4, at->start, 0, (at->end - at->start) >> PAGE_SHIFT);
    if (at->p2m_tables)
        map_pages(b, &p2m_pool, l4, at->p2m, at->p2m_pfn, at->p2m_pages);
    b->entries = ((at->end - at->start) >> PAGE_SHIFT) + at->nr_tables - 1;
    if (at->p2m_tables)
        b->entries += at->p2m_pages + at->p2m_tables;
    return root_and_pin(b, MFN(*build_p2m(b, top)));
}
