/* SPDX-License-Identifier: MIT
 *
 * The frame table at boot: which memory there is, which of it is taken, which is free.
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
#include "mm/frame.h"
#include "boot/boot.h"
#include "lib/bug.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/boot_map.h"
#include "mm/heap.h"
#include "mm/layout.h"

#define LOW_MEMORY   0x100000
#define CHUNK_FRAMES (1UL << FRAME_CHUNK_SHIFT)
#define CHUNK_TABLE  (CHUNK_FRAMES * sizeof(struct frame)) /* 24 pages */
#define CHUNK_M2P    (CHUNK_FRAMES * 8)                    /* 8 pages */
#define MAX_MFN      ((DIRECT_END - DIRECT_VIRT) >> PAGE_SHIFT)
#define BOOT_TOP     (4ULL << 30) /* the boot's direct map ends here */

uint64_t max_mfn;
uint64_t frame_chunks[MAX_MFN >> (FRAME_CHUNK_SHIFT + 6)];

/* Boot only: memory given out before the heap is there, [boot_start, boot_next) but for what is busy in it.
 */
static uint64_t boot_start, boot_next;

/* The end of a taken piece of memory that contains maddr, or 0; *next: where the first one above begins. */
static uint64_t taken_until(const struct boot_info *bi, uint64_t maddr, uint64_t *next)
{
    uint64_t end = 0;

    *next = ~0ULL;
    for (unsigned int i = 0; i < bi->nr_modules + 4; i++) {
        uint64_t s = 0, e = LOW_MEMORY;

        if (i == 1)
            s = IMAGE_MADDR, e = image_end_maddr();
        else if (i == 2)
            s = bi->reserved_start, e = bi->reserved_end;
        else if (i == 3)
            s = boot_start, e = boot_next;
        else if (i >= 4)
            s = bi->modules[i - 4].start, e = bi->modules[i - 4].end;
        s &= PAGE_MASK;
        e = ROUND_UP(e, PAGE_SIZE);
        if (maddr >= s && maddr < e)
            end = MAX(end, e);
        else if (s > maddr && s < *next && s < e)
            *next = s;
    }
    return end;
}

static uint64_t range_end(const struct boot_info *bi, uint64_t maddr)
{
    for (unsigned int i = 0; i < bi->nr_ranges; i++)
        if (maddr >= ROUND_UP(bi->ranges[i].start, PAGE_SIZE) && maddr < (bi->ranges[i].end & PAGE_MASK))
            return bi->ranges[i].end & PAGE_MASK;
    return 0;
}

uint64_t boot_frame(const struct boot_info *bi)
{
    if (!boot_next)
        boot_start = boot_next = ROUND_UP(image_end_maddr(), PAGE_SIZE);
    for (; boot_next < BOOT_TOP; boot_next += PAGE_SIZE) {
        uint64_t next, end, maddr = boot_next;

        /* A page given out before is below boot_next, so boot_start..boot_next doesn't hide the others. */
        end = taken_until(bi, maddr, &next);
        if (end || !range_end(bi, maddr))
            continue;
        boot_next += PAGE_SIZE;
        memset(maddr_to_virt(maddr), 0, PAGE_SIZE);
        return maddr;
    }
    BUG("no memory for the frame table");
}

static void find_chunks(const struct boot_info *bi)
{
    for (unsigned int i = 0; i < bi->nr_ranges; i++) {
        uint64_t first = bi->ranges[i].start >> PAGE_SHIFT;
        uint64_t end = MIN(bi->ranges[i].end >> PAGE_SHIFT, MAX_MFN);

        if (first >= end)
            continue;
        for (uint64_t c = first >> FRAME_CHUNK_SHIFT; c <= (end - 1) >> FRAME_CHUNK_SHIFT; c++)
            frame_chunks[c / 64] |= 1ULL << c % 64;
        max_mfn = MAX(max_mfn, ROUND_UP(end, CHUNK_FRAMES));
    }
}

static void map_chunk(const struct boot_info *bi, uint64_t vaddr, uint64_t size, uint64_t flags,
                      uint64_t fill)
{
    for (uint64_t off = 0; off < size; off += PAGE_SIZE) {
        uint64_t maddr = boot_frame(bi);

        if (fill)
            memset(maddr_to_virt(maddr), 0xff, PAGE_SIZE);
        hv_map(vaddr + off, maddr, PAGE_SIZE, flags);
    }
}

static void map_tables(const struct boot_info *bi)
{
    uint64_t zeros = boot_frame(bi), ones = boot_frame(bi);

    memset(maddr_to_virt(ones), 0xff, PAGE_SIZE);
    for (uint64_t c = 0; c < max_mfn >> FRAME_CHUNK_SHIFT; c++) {
        uint64_t table = FRAME_TABLE_VIRT + c * CHUNK_TABLE, m2p = M2P_RW_VIRT + c * CHUNK_M2P;

        if (frame_chunks[c / 64] >> c % 64 & 1) {
            map_chunk(bi, table, CHUNK_TABLE, HV_RW, 0);
            map_chunk(bi, m2p, CHUNK_M2P, HV_M2P, 1);
            continue;
        }
        for (uint64_t off = 0; off < CHUNK_TABLE; off += PAGE_SIZE)
            hv_map(table + off, zeros, PAGE_SIZE, HV_RO);
        for (uint64_t off = 0; off < CHUNK_M2P; off += PAGE_SIZE)
            hv_map(m2p + off, ones, PAGE_SIZE, HV_M2P & ~2ULL);
    }
}

/* Every frame of the chunks: free, Parador's, or no memory. */
static void sort_frames(const struct boot_info *bi)
{
    uint64_t maddr = 0, hv = 0;

    while (maddr < max_mfn << PAGE_SHIFT) {
        uint64_t next, end, ram = range_end(bi, maddr);

        if (!mfn_valid(maddr_to_mfn(maddr))) {
            maddr += CHUNK_FRAMES << PAGE_SHIFT;
            continue;
        }
        end = taken_until(bi, maddr, &next);
        if (ram && !end) {
            end = MIN(ram, next);
            heap_add(maddr >> PAGE_SHIFT, end >> PAGE_SHIFT, false);
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

void frames_init(const struct boot_info *bi)
{
    find_chunks(bi);
    map_tables(bi);
    sort_frames(bi);
    info("frames: %lu MiB, %lu pages Parador's, %lu free\n", frames_total() >> 8, frames_hv(), frames_free());
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
