/* SPDX-License-Identifier: MIT
 *
 * Parador's own page tables: the final address map of mm/layout.h, built on the tables that head.S left.
 *
 * All tables hang off hv_l4; the entries of its slots 256 to 271 are copied into every guest's L4, so they
 * are all made here, at boot, and only what is below them may change later.
 *
 * Next: mm/frame.c.
 */
#include "mm/boot_map.h"
#include "boot/boot.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/frame.h"
#include "mm/layout.h"
#include "mm/page_type.h"
#include "mm/tlb.h"
#include "x86/cpu.h"

#define TABLE (PTE_P | PTE_RW | PTE_A | PTE_D) /* the leaf decides */

static const struct boot_info
    *boot; /* boot: where table pages come from while the heap is empty; then NULL */

static uint64_t *table_of(uint64_t entry)
{
    return maddr_to_virt(entry & PTE_ADDR);
}

static uint64_t new_table(void)
{
    void *page;

    if (boot)
        return boot_frame(boot);
    page = page_alloc();
    if (!page)
        BUG("no memory for Parador's page tables");
    return virt_to_maddr(page);
}

static unsigned int slot(uint64_t vaddr, unsigned int shift)
{
    return vaddr >> shift & 511;
}

void hv_map(uint64_t vaddr, uint64_t maddr, uint64_t size, uint64_t flags)
{
    while (size) {
        uint64_t *table = hv_l4;
        unsigned int shift = 39;

        for (;;) {
            uint64_t *e = &table[slot(vaddr, shift)];
            bool fits = !((vaddr | maddr) & ((1ULL << shift) - 1)) && size >= 1ULL << shift;

            if (shift == PAGE_SHIFT || (fits && (shift == 21 || (shift == 30 && cpu_features.gb_pages)))) {
                *e = maddr | flags | PTE_P | (shift == PAGE_SHIFT ? 0 : PTE_PS);
                break;
            }
            if (!(*e & PTE_P))
                *e = new_table() | TABLE | (flags & PTE_US);
            table = table_of(*e);
            shift -= 9;
        }
        vaddr += 1ULL << shift;
        maddr += 1ULL << shift;
        size -= 1ULL << shift;
    }
}

uint64_t *hv_pte(uint64_t vaddr)
{
    uint64_t *table = hv_l4;

    for (unsigned int shift = 39; shift > PAGE_SHIFT; shift -= 9) {
        uint64_t e = table[slot(vaddr, shift)];

        if (!(e & PTE_P) || (e & PTE_PS))
            return NULL;
        table = table_of(e);
    }
    return &table[slot(vaddr, PAGE_SHIFT)];
}

void hv_fill_l4(uint64_t *l4)
{
    memcpy(l4 + HV_FIRST_SLOT, hv_l4 + HV_FIRST_SLOT, (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(*l4));
}

/* RAM above the 4 GiB that head.S mapped; before that memory is touched. */
static void map_direct(const struct boot_info *bi)
{
    for (unsigned int i = 0; i < bi->nr_ranges; i++) {
        uint64_t start = MAX(bi->ranges[i].start & ~((2ULL << 20) - 1), 4ULL << 30);
        uint64_t end = MIN(ROUND_UP(bi->ranges[i].end, 2ULL << 20), DIRECT_END - DIRECT_VIRT);

        if (start < end)
            hv_map(DIRECT_VIRT + start, start, end - start, HV_RW);
    }
}

void mm_init(const struct boot_info *bi)
{
    boot = bi;
    device_mfn_limit = 1ULL << (cpu_features.phys_bits - PAGE_SHIFT);
    /* The table below slot 259 serves slot 256 too. */
    hv_l4[slot(M2P_RW_VIRT, 39)] = boot_frame(bi) | TABLE | PTE_NX;
    hv_l4[slot(M2P_VIRT, 39)] = (hv_l4[slot(M2P_RW_VIRT, 39)] & PTE_ADDR) | PTE_P | PTE_US | PTE_A;
    hv_l4[slot(FRAME_TABLE_VIRT, 39)] = boot_frame(bi) | TABLE | PTE_NX;
    map_direct(bi);
    frames_init(bi);
    boot = NULL;
    check_init();
    tlb_flush_local();
}
