/* SPDX-License-Identifier: MIT
 *
 * A new domain's memory and what is in it before its first instruction: image, ramdisk, p2m list, start_info,
 * hypercall page, page tables.
 *
 * Memory comes in runs as long as the allocator has them, in the order of pfns. The p2m list lies in the
 * domain's own pages, whose frames need not be contiguous: p2m_mfns remembers them while the domain is built.
 * What never was in use since boot may hold what firmware and loader left there, so the pages that the domain
 * begins with are zeroed, and then only what is not zero is written.
 *
 * The first page tables are filled as plain memory, entry by entry, and then go through the same door as
 * tables that a guest pins itself: mm checks every entry and takes every reference. So a mistake here is
 * refused there, and no frame is ever a table without having been checked. The tables' own pages are mapped
 * read-only, all others writable. Two pools give table pages: those at at.tables (seen by the guest,
 * nr_pt_frames in start_info), and those behind a p2m list that has an address of its own.
 */
#include "boot/builder.h"
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/page_type.h"
#include "mm/paging.h"
#include "x86/cpu.h"

#define ENTRIES_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))
#define RUN_ORDER        9 /* runs of at most 2 MiB */
#define LEAF             (PTE_P | PTE_US | PTE_A)
#define TABLE            (LEAF | PTE_RW | PTE_D)
#define TOP_SHIFT        39

uint64_t *build_p2m(const struct build *b, uint64_t pfn)
{
    uint64_t *page = mfn_to_virt(MFN(b->p2m_mfns[pfn / ENTRIES_PER_PAGE]));

    return page + pfn % ENTRIES_PER_PAGE;
}

static void *page(const struct build *b, uint64_t pfn)
{
    return mfn_to_virt(MFN(*build_p2m(b, pfn)));
}

static void know_page(const struct build *b, uint64_t pfn, uint64_t mfn)
{
    *build_p2m(b, pfn) = mfn;
    m2p_set(MFN(mfn), PFN(pfn));
}

/* The frames of the p2m list itself, which must be there before anything can be noted in it. */
static bool p2m_memory(struct build *b)
{
    for (uint64_t i = 0; i < b->at.p2m_pages; i++) {
        mfn_t m = domain_frames_alloc(b->d, 0);

        if (m.v == INVALID_MFN.v)
            return false;
        memset(mfn_to_virt(m), 0, PAGE_SIZE);
        b->p2m_mfns[i] = m.v;
    }
    for (uint64_t i = 0; i < b->at.p2m_pages; i++)
        know_page(b, b->at.p2m_pfn + i, b->p2m_mfns[i]);
    return true;
}

/* pfns [pfn, end) out of runs; the longest that the allocator still has. */
static bool memory_for(struct build *b, uint64_t pfn, uint64_t end)
{
    unsigned int order = RUN_ORDER;

    while (pfn < end) {
        mfn_t m = INVALID_MFN;

        if (1ULL << order <= end - pfn)
            m = domain_frames_alloc(b->d, order);
        if (m.v == INVALID_MFN.v) {
            if (!order--)
                return false;
            continue;
        }
        for (uint64_t i = 0; i < 1ULL << order; i++) {
            if (pfn + i < b->at.pages)
                memset(mfn_to_virt(MFN(m.v + i)), 0, PAGE_SIZE);
            know_page(b, pfn + i, m.v + i);
        }
        pfn += 1ULL << order;
    }
    return true;
}

bool build_memory(struct build *b)
{
    while (PAGE_SIZE << b->p2m_mfns_order < b->at.p2m_pages * sizeof(uint64_t))
        b->p2m_mfns_order++;
    b->p2m_mfns = pages_alloc(b->p2m_mfns_order);
    return b->p2m_mfns && p2m_memory(b) && memory_for(b, 0, b->at.p2m_pfn) &&
           memory_for(b, b->at.p2m_pfn + b->at.p2m_pages, b->nr_pages);
}

/* n bytes to the domain's pages from byte `at` of its memory (pfn 0) on. */
static void copy_in(const struct build *b, uint64_t at, const void *from, uint64_t n)
{
    const char *src = from;

    while (n) {
        uint64_t in_page = at & (PAGE_SIZE - 1), part = MIN(n, PAGE_SIZE - in_page);

        memcpy((char *)page(b, at >> PAGE_SHIFT) + in_page, src, part);
        at += part;
        src += part;
        n -= part;
    }
}

static void fill_start_info(const struct build *b, struct start_info *si)
{
    const struct guest_layout *at = &b->at;
    struct domain *d = b->d;

    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64");
    si->nr_pages = b->nr_pages;
    si->shared_info = mfn_to_maddr(d->shared_mfn);
    si->flags = d->privileged ? SIF_PRIVILEGED | SIF_INITDOMAIN : 0;
    si->pt_base = at->tables;
    si->nr_pt_frames = at->nr_tables;
    si->mfn_list = at->p2m;
    if (at->p2m_tables) {
        si->first_p2m_pfn = at->p2m_pfn;
        si->nr_p2m_frames = at->p2m_pages + at->p2m_tables;
    }
    if (b->ramdisk_size && b->image.unmapped_ramdisk) {
        si->mod_start = at->ramdisk_pfn;
        si->flags |= SIF_MOD_START_PFN;
    } else {
        si->mod_start = at->ramdisk;
    }
    si->mod_len = b->ramdisk_size;
    snprintf((char *)si->cmd_line, sizeof(si->cmd_line), "%s", b->options.guest);
    if (d->privileged) { /* there is no screen that a domain could take over: the info's size is 0 */
        si->console.dom0.info_off = sizeof(*si);
        return;
    }
    si->store_mfn = d->store_mfn;
    si->store_evtchn = d->store_port;
    si->console.domU.mfn = d->console_mfn;
    si->console.domU.evtchn = d->console_port;
}

void build_image(struct build *b)
{
    const struct elf_image *e = &b->image;

    for (unsigned int i = 0; i < e->nr_segments; i++)
        copy_in(b, e->segments[i].vaddr - e->virt_base, e->file + e->segments[i].offset,
                e->segments[i].file_size);
    copy_in(b, b->at.ramdisk_pfn << PAGE_SHIFT, b->ramdisk, b->ramdisk_size);
    if (e->hypercall_page != ELF_UNSET)
        hypercall_page_fill(page(b, (e->hypercall_page - e->virt_base) >> PAGE_SHIFT));
    fill_start_info(b, page(b, (b->at.start_info - b->at.start) >> PAGE_SHIFT));
}

struct pool {
    uint64_t pfn, left;
};

static uint64_t new_table(const struct build *b, struct pool *pool)
{
    if (!pool->left)
        BUG("domain %u: more page tables than laid out", b->domid);
    pool->left--;
    return *build_p2m(b, pool->pfn++) << PAGE_SHIFT | TABLE;
}

/* Maps one page; missing tables come out of the pool. */
static void map_page(const struct build *b, struct pool *pool, uint64_t *l4, uint64_t va, uint64_t entry)
{
    uint64_t *table = l4;

    for (unsigned int shift = TOP_SHIFT; shift > PAGE_SHIFT; shift -= 9) {
        uint64_t *slot = &table[va >> shift & 511];

        if (!*slot)
            *slot = new_table(b, pool);
        table = maddr_to_virt(*slot & PTE_ADDR);
    }
    table[va >> PAGE_SHIFT & 511] = entry;
}

static void map_pages(const struct build *b, struct pool *pool, uint64_t *l4, uint64_t va, uint64_t pfn,
                      uint64_t pages)
{
    uint64_t tables = (b->at.tables - b->at.start) >> PAGE_SHIFT;

    for (uint64_t i = 0; i < pages; i++) {
        uint64_t entry = *build_p2m(b, pfn + i) << PAGE_SHIFT | LEAF;

        if (pfn + i < tables || pfn + i >= tables + b->at.nr_tables)
            entry |= PTE_RW | PTE_D;
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
    uint64_t *l4 = page(b, top);

    map_pages(b, &pool, l4, at->start, 0, (at->end - at->start) >> PAGE_SHIFT);
    b->entries = ((at->end - at->start) >> PAGE_SHIFT) + at->nr_tables - 1;
    if (at->p2m_tables) {
        map_pages(b, &p2m_pool, l4, at->p2m, at->p2m_pfn, at->p2m_pages);
        b->entries += at->p2m_pages + at->p2m_tables;
    }
    return root_and_pin(b, MFN(*build_p2m(b, top)));
}
