/* SPDX-License-Identifier: MIT
 *
 * Memory at boot: the final address map of mm/layout.h, on the tables that head.S left; which memory there
 * is, which of it is taken, which is free.
 *
 * All of Parador's tables hang off hv_l4; the entries of its slots 256 to 271 are copied into every guest's
 * L4, so they are all made here, and only what is below them may change later.
 *
 * Memory is cut into chunks of 4096 frames (16 MiB). A chunk with any RAM in it gets its part of the frame
 * table and of the machine-to-physical table; frames of such a chunk that are no RAM belong to OWNER_IO. The
 * other chunks' parts are all the same page: of zeros in the frame table (a frame with no owner and no
 * reference: every check refuses it), of ones in the machine-to-physical table (no pfn). So a bound check
 * is all that the hot paths need before they look at a frame.
 *
 * The tables lie in the first free memory; Parador owns them, the image, everything below 1 MiB, and until
 * the builder is done (frames_release_boot()) the loader's modules.
 *
 * Next: mm/heap.c, mm/domain_frames.c.
 */
#include "boot/boot.h"
#include "lib/bug.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/page_type.h"
#include "mm/paging.h"
#include "mm/tlb.h"
#include "x86/cpu.h"

#define LOW_MEMORY   0x100000
#define CHUNK_FRAMES (1UL << FRAME_CHUNK_SHIFT)
#define CHUNK_TABLE  (CHUNK_FRAMES * sizeof(struct frame)) /* 24 pages */
#define CHUNK_M2P    (CHUNK_FRAMES * 8)                    /* 8 pages */
#define MAX_MFN      ((DIRECT_END - DIRECT_VIRT) >> PAGE_SHIFT)
#define BOOT_TOP     (4ULL << 30)                     /* the boot's direct map ends here */
#define TABLE        (PTE_P | PTE_RW | PTE_A | PTE_D) /* the leaf decides */

/* Guests may read the machine-to-physical table through slot 256, whose L4 entry isn't writable; Parador
 * writes through slot 259, whose L4 entry isn't the user's. The tables below are shared and allow both. */
#define HV_M2P (HV_RW | PTE_US)

uint64_t max_mfn;
uint64_t frame_chunks[MAX_MFN >> (FRAME_CHUNK_SHIFT + 6)];

static const struct boot_info *boot; /* while the heap is empty; then NULL */
/* Memory given out before: [boot_start, boot_next) but for what is busy in it. */
static uint64_t boot_start, boot_next;

/* The end of a taken piece of memory that contains maddr, or 0; *next: where the first one above begins. */
static uint64_t taken_until(uint64_t maddr, uint64_t *next)
{
    const struct boot_range fixed[] = { { 0, LOW_MEMORY },
                                        { IMAGE_MADDR, image_end_maddr() },
                                        { boot->reserved_start, boot->reserved_end },
                                        { boot_start, boot_next } };
    uint64_t end = 0;

    *next = ~0ULL;
    for (unsigned int i = 0; i < ARRAY_SIZE(fixed) + boot->nr_modules; i++) {
        bool module = i >= ARRAY_SIZE(fixed);
        const struct boot_module *m = &boot->modules[module ? i - ARRAY_SIZE(fixed) : 0];
        uint64_t s = (module ? m->start : fixed[i].start) & PAGE_MASK;
        uint64_t e = ROUND_UP(module ? m->end : fixed[i].end, PAGE_SIZE);

        if (maddr >= s && maddr < e)
            end = MAX(end, e);
        else if (s > maddr && s < *next && s < e)
            *next = s;
    }
    return end;
}

static uint64_t range_end(uint64_t maddr)
{
    for (unsigned int i = 0; i < boot->nr_ranges; i++)
        if (maddr >= ROUND_UP(boot->ranges[i].start, PAGE_SIZE) && maddr < (boot->ranges[i].end & PAGE_MASK))
            return boot->ranges[i].end & PAGE_MASK;
    return 0;
}

/* One page of these bytes below 4 GiB, for good; its machine address. */
static uint64_t boot_frame(int fill)
{
    while (boot_next < BOOT_TOP) {
        uint64_t next, maddr = boot_next;
        /* A page given out before is below boot_next, so boot_start..boot_next doesn't hide the others. */
        bool free = range_end(maddr) && !taken_until(maddr, &next);

        boot_next += PAGE_SIZE;
        if (free)
            return virt_to_maddr(memset(maddr_to_virt(maddr), fill, PAGE_SIZE));
    }
    BUG("no memory for the frame table");
}

/* ---- Parador's page tables ---- */

static uint64_t *table_of(uint64_t entry)
{
    return maddr_to_virt(entry & PTE_ADDR);
}

static uint64_t new_table(void)
{
    void *page;

    if (boot)
        return boot_frame(0);
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
static void map_direct(void)
{
    for (unsigned int i = 0; i < boot->nr_ranges; i++) {
        uint64_t start = MAX(boot->ranges[i].start & ~((2ULL << 20) - 1), 4ULL << 30);
        uint64_t end = MIN(ROUND_UP(boot->ranges[i].end, 2ULL << 20), DIRECT_END - DIRECT_VIRT);

        if (start < end)
            hv_map(DIRECT_VIRT + start, start, end - start, HV_RW);
    }
}

/* ---- The frame table ---- */

static void find_chunks(void)
{
    for (unsigned int i = 0; i < boot->nr_ranges; i++) {
        uint64_t first = boot->ranges[i].start >> PAGE_SHIFT;
        uint64_t end = MIN(boot->ranges[i].end >> PAGE_SHIFT, MAX_MFN);

        if (first >= end)
            continue;
        for (uint64_t c = first >> FRAME_CHUNK_SHIFT; c <= (end - 1) >> FRAME_CHUNK_SHIFT; c++)
            frame_chunks[c / 64] |= 1ULL << c % 64;
        max_mfn = MAX(max_mfn, ROUND_UP(end, CHUNK_FRAMES));
    }
}

/* [vaddr, vaddr + size) by small pages, each of its own, filled with `fill`; or all of them `hole`. */
static void map_table(uint64_t vaddr, uint64_t size, uint64_t flags, int fill, uint64_t hole)
{
    if (hole)
        flags &= ~PTE_RW;
    for (uint64_t end = vaddr + size; vaddr < end; vaddr += PAGE_SIZE)
        hv_map(vaddr, hole ? hole : boot_frame(fill), PAGE_SIZE, flags);
}

static void map_tables(void)
{
    uint64_t zeros = boot_frame(0), ones = boot_frame(0xff);

    for (uint64_t c = 0; c < max_mfn >> FRAME_CHUNK_SHIFT; c++) {
        bool ram = frame_chunks[c / 64] >> c % 64 & 1;

        map_table(FRAME_TABLE_VIRT + c * CHUNK_TABLE, CHUNK_TABLE, HV_RW, 0, ram ? 0 : zeros);
        map_table(M2P_RW_VIRT + c * CHUNK_M2P, CHUNK_M2P, HV_M2P, 0xff, ram ? 0 : ones);
    }
}

/* Every frame of the chunks: free, Parador's, or no memory. */
static void sort_frames(void)
{
    uint64_t maddr = 0, hv = 0;

    while (maddr < max_mfn << PAGE_SHIFT) {
        uint64_t next, end, ram = range_end(maddr);

        if (!mfn_valid(maddr_to_mfn(maddr))) {
            maddr += CHUNK_FRAMES << PAGE_SHIFT;
            continue;
        }
        end = taken_until(maddr, &next);
        if (ram && !end) {
            end = MIN(ram, next);
            heap_add(maddr >> PAGE_SHIFT, end >> PAGE_SHIFT);
            maddr = end;
            continue;
        }
        frame_of(maddr_to_mfn(maddr))->owner = ram ? OWNER_HV : OWNER_IO;
        frame_of(maddr_to_mfn(maddr))->word = ram ? FRAME_ALLOCATED | 1 : 0;
        hv += ram != 0;
        maddr += PAGE_SIZE;
    }
    heap_count_boot(hv);
}

void mm_init(const struct boot_info *bi)
{
    boot = bi;
    boot_start = boot_next = ROUND_UP(image_end_maddr(), PAGE_SIZE);
    device_mfn_limit = 1ULL << (cpu_features.phys_bits - PAGE_SHIFT);
    /* The table below slot 259 serves slot 256 too. */
    hv_l4[slot(M2P_RW_VIRT, 39)] = boot_frame(0) | TABLE | PTE_NX;
    hv_l4[slot(M2P_VIRT, 39)] = (hv_l4[slot(M2P_RW_VIRT, 39)] & PTE_ADDR) | PTE_P | PTE_US | PTE_A;
    hv_l4[slot(FRAME_TABLE_VIRT, 39)] = boot_frame(0) | TABLE | PTE_NX;
    map_direct();
    find_chunks();
    map_tables();
    sort_frames();
    info("frames: %lu MiB, %lu pages Parador's, %lu free\n", frames_total() >> 8, frames_hv(), frames_free());
    boot = NULL;
    check_init();
    tlb_flush_local();
}

void frames_release_boot(uint64_t start, uint64_t end)
{
    for (uint64_t m = DIV_ROUND_UP(start, PAGE_SIZE); m < end >> PAGE_SHIFT; m++) {
        struct frame *f;

        if (!mfn_valid(MFN(m)))
            continue;
        f = frame_of(MFN(m));
        if (f->owner == OWNER_HV && f->word == (FRAME_ALLOCATED | 1)) {
            f->word = 0;
            heap_free(MFN(m), 0);
        }
    }
}
