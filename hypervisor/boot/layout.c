/* SPDX-License-Identifier: MIT
 *
 * Where the parts of a new domain lie, before a byte of it is written: docs/abi.md "Start of day" 2 and 7.
 *
 * Pure arithmetic over a parsed image; boot/builder.c then does what is said here. The number of page tables
 * depends on the end of the mapping, and the end on the number of tables: laid out again until both agree.
 */
#include "boot/builder.h"
#include "mm/layout.h"
#include "x86/copy.h"

#define MIB4        (4ULL << 20)
#define LEAST_SPARE (512ULL << 10)
#define L1_SHIFT    21 /* an L1 table maps 2 MiB, and so on */
#define L2_SHIFT    30
#define L3_SHIFT    39

static uint64_t spans(uint64_t start, uint64_t end, unsigned int shift)
{
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

/* L1 to L3 tables that map [start, end). */
static uint64_t count_tables(uint64_t start, uint64_t end)
{
    return spans(start, end, L1_SHIFT) + spans(start, end, L2_SHIFT) + spans(start, end, L3_SHIFT);
}

static uint64_t take(uint64_t *at, uint64_t pages)
{
    uint64_t va = *at;

    *at += pages << PAGE_SHIFT;
    return va;
}

static void place_mapped(struct guest_layout *l, uint64_t at, bool domain0)
{
    if (l->ramdisk_pages)
        l->ramdisk = take(&at, l->ramdisk_pages);
    if (!l->p2m_tables)
        l->p2m = take(&at, l->p2m_pages);
    l->start_info = take(&at, 1);
    l->store = domain0 ? 0 : take(&at, 1);
    l->console = domain0 ? 0 : take(&at, 1);
    l->tables = take(&at, l->nr_tables);
    l->stack = take(&at, 1);
    l->end = ROUND_UP(at, MIB4);
    if (l->end - at < LEAST_SPARE)
        l->end += MIB4;
}

/* What has pfns and no address in the initial mapping. */
static void place_unmapped(struct guest_layout *l)
{
    l->pages = (l->end - l->start) >> PAGE_SHIFT;
    if (l->ramdisk_pages && !l->ramdisk) {
        l->ramdisk_pfn = l->pages;
        l->pages += l->ramdisk_pages;
    } else {
        l->ramdisk_pfn = (l->ramdisk - l->start) >> PAGE_SHIFT;
    }
    if (l->p2m_tables) {
        l->p2m_pfn = l->pages;
        l->p2m_tables_pfn = l->pages + l->p2m_pages;
        l->pages += l->p2m_pages + l->p2m_tables;
    } else {
        l->p2m_pfn = (l->p2m - l->start) >> PAGE_SHIFT;
    }
}

const char *layout_domain(const struct elf_image *e, uint64_t ramdisk_size, bool domain0, uint64_t nr_pages,
                          struct guest_layout *l)
{
    uint64_t ramdisk_pages = DIV_ROUND_UP(ramdisk_size, PAGE_SIZE), before;
    uint64_t image_end = ROUND_UP(e->end, PAGE_SIZE);

    *l = (struct guest_layout){ .start = e->virt_base, .nr_tables = 4 };
    /* Sizes far from any wrap, before they are added up. */
    if (e->end < e->start || e->end - e->virt_base > 1ULL << 32 || ramdisk_pages > 1ULL << 24 ||
        nr_pages > 1ULL << 30 || !guest_range_ok(l->start, image_end - l->start))
        return "its addresses are not a guest's";
    l->p2m_pages = DIV_ROUND_UP(nr_pages * sizeof(uint64_t), PAGE_SIZE);
    if (e->init_p2m != ELF_UNSET) {
        l->p2m = e->init_p2m;
        l->p2m_tables = count_tables(l->p2m, l->p2m + (l->p2m_pages << PAGE_SHIFT));
        if (!guest_range_ok(l->p2m, l->p2m_pages << PAGE_SHIFT))
            return "its INIT_P2M address is not a guest's";
    }
    l->ramdisk_pages = ramdisk_pages;
    do {
        before = l->nr_tables;
        if (e->unmapped_ramdisk)
            l->ramdisk_pages = 0;
        place_mapped(l, image_end, domain0);
        l->ramdisk_pages = ramdisk_pages;
        if (l->end <= l->start || !guest_range_ok(l->start, l->end - l->start))
            return "image, ramdisk and p2m list don't fit below the end of the address space";
        l->nr_tables = 1 + count_tables(l->start, l->end);
    } while (l->nr_tables != before);
    if (l->p2m_tables && l->p2m < l->end && l->p2m + (l->p2m_pages << PAGE_SHIFT) > l->start)
        return "its INIT_P2M address lies in the initial mapping";
    place_unmapped(l);
    return NULL;
}
