/* SPDX-License-Identifier: MIT
 *
 * Memory: the guest's frames, where they lie in the machine, page-table entries, and an early allocator of
 * pages.
 *
 * libpv maps all memory of the domain linearly: frame pfn at PV_VIRT_BASE + pfn * 4096 (up to PV_LINEAR_MAX).
 * The builder did so for the first few MiB; pv_memory_init adds the rest with page tables of its own.
 * Page-table pages are mapped read-only. Free pages are those behind the boot stack, and handed out once, in
 * order; a kernel takes all of them for an allocator of its own with pv_pages_take_rest. Source: xen.h (start
 * of day, mmu_update), docs/abi.md "Start of day".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include "libpv/types.h"

#define PV_VIRT_BASE 0xffffffff80000000UL
/* Bytes mapped linearly at most; behind that lies pv_vaddr_reserve's area. */
#define PV_LINEAR_MAX 0x60000000UL

/* Bits of a page-table entry (Intel SDM 3A 4.5). */
#define PTE_P     0x001UL
#define PTE_RW    0x002UL
#define PTE_US    0x004UL
#define PTE_PWT   0x008UL
#define PTE_PCD   0x010UL
#define PTE_A     0x020UL
#define PTE_D     0x040UL
#define PTE_PSE   0x080UL
#define PTE_PAT   0x080UL
#define PTE_G     0x100UL
#define PTE_AVAIL 0xe00UL
#define PTE_NX    (1UL << 63)
#define PTE_ADDR  0x000ffffffffff000UL

/* What kernel and table entries use. */
#define PTE_KERNEL    (PTE_P | PTE_RW | PTE_A | PTE_D)
#define PTE_KERNEL_RO (PTE_P | PTE_A)
#define PTE_USER      (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_TABLE     (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

/* Index into the table of a level (1 to 4) for a virtual address. */
static inline unsigned int pv_pt_index(unsigned long va, unsigned int level)
{
    return (unsigned int)(va >> (12 + 9 * (level - 1))) & 511;
}

static inline uint64_t pv_pte(mfn_t frame, uint64_t flags)
{
    return ((uint64_t)frame.v << PAGE_SHIFT) | flags;
}

static inline mfn_t pv_pte_mfn(uint64_t pte)
{
    return mfn((pte & PTE_ADDR) >> PAGE_SHIFT);
}

/* p2m and m2p. pv_pfn_to_mfn reads the list that the builder made (and pv_set_p2m changed); pfn must be <
 * pv_nr_pages(). pv_mfn_to_pfn reads the machine-to-physical table: only for frames of this domain. */
unsigned long pv_nr_pages(void);
mfn_t pv_pfn_to_mfn(pfn_t p);
pfn_t pv_mfn_to_pfn(mfn_t m);
void pv_set_p2m(pfn_t p, mfn_t m);

/* Linear mapping: address <-> frame. The address must lie in it. */
static inline void *pv_pfn_to_virt(pfn_t p)
{
    return (void *)(PV_VIRT_BASE + (p.v << PAGE_SHIFT));
}

static inline pfn_t pv_virt_to_pfn(const void *va)
{
    return pfn(((unsigned long)va - PV_VIRT_BASE) >> PAGE_SHIFT);
}

static inline mfn_t pv_virt_to_mfn(const void *va)
{
    return pv_pfn_to_mfn(pv_virt_to_pfn(va));
}

static inline void *pv_mfn_to_virt(mfn_t m)
{
    return pv_pfn_to_virt(pv_mfn_to_pfn(m));
}

/* Machine address of the byte at va in the linear mapping. */
static inline maddr_t pv_virt_to_maddr(const void *va)
{
    return (maddr_t){ (pv_virt_to_mfn(va).v << PAGE_SHIFT) | ((unsigned long)va & ~PAGE_MASK) };
}

/* The top-level table in use by the kernel, as mapped read-only. pv_set_kernel_l4 tells libpv of a change of
 * it. */
uint64_t *pv_kernel_l4(void);
void pv_set_kernel_l4(uint64_t *l4);

/* The L1 entry for va in the kernel's tables (read-only), or NULL when a table above it is missing. */
uint64_t *pv_walk(unsigned long va);
/* The machine address of that entry, as mmu_update and GNTMAP_contains_pte want it; 0 when a table is
 * missing. */
maddr_t pv_walk_maddr(unsigned long va);
/* The entry at a level (1 to 4) of the walk, or NULL when a table above that level is missing. */
uint64_t *pv_walk_level(unsigned long va, unsigned int level);

/* Sets the L1 entry for va (in the kernel's tables; the L1 exists) and flushes that page. 0 or a negative
 * errno of update_va_mapping. pte 0 unmaps. */
int pv_map(unsigned long va, uint64_t pte);
/* Sets flags of a page of the linear mapping: read-only before it becomes a page table, writable again after.
 */
int pv_set_readonly(const void *page, bool readonly);
/* Writes one entry of any page table by mmu_update; `entry` is its address in the linear mapping. */
int pv_write_entry(uint64_t *entry, uint64_t val);

/* Makes sure that tables down to the L1 exist for [va, va + size), taking pages for them. 0, -ENOMEM or an
 * errno. */
int pv_make_tables(unsigned long va, unsigned long size);

/* Reserves n pages of kernel virtual space with their tables, not mapped, for grants and foreign frames. NULL
 * when the area or memory is used up. */
void *pv_vaddr_reserve(unsigned int n);

/* A zeroed page of the linear mapping, or NULL. pv_page_free takes back one (kept on a list). */
void *pv_page_alloc(void);
void pv_page_free(void *page);
/* Pages left. */
unsigned long pv_pages_free(void);
/* Hands all remaining fresh pages to the caller: frames [*first, *first + count) of the linear mapping;
 * returns count. From then on pv_page_alloc has only what was freed and calls pv_page_source (below) for
 * more. */
unsigned long pv_pages_take_rest(pfn_t *first);
/* Where pages come from when libpv has none: a kernel's own allocator (returns a zeroed page or NULL). */
extern void *(*pv_page_source)(void);

/* Start-up only. */
void pv_memory_init(void);
