/* SPDX-License-Identifier: MIT
 *
 * What lies where in a new domain's memory (boot/layout.c).
 */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

#include "lib/types.h"
#include "boot/elf.h"

/*
 * The initial mapping, each part page-aligned, contiguous from pfn 0 at `start` (= VIRT_BASE):
 *
 *   image | ramdisk | p2m list | start_info | store page | console page | page tables | boot stack | spare
 *
 * up to a 4 MiB boundary with at least 512 KiB of spare pages. The two I/O pages are left out in domain 0.
 * Behind it, in pfns alone: the p2m list and its tables if the kernel wants the list at an address of its own
 * (INIT_P2M), and the ramdisk if it needs no mapping (MOD_START_PFN). Virtual addresses; 0 or a count of 0:
 * not there.
 */
struct guest_layout {
    uint64_t start, end;
    uint64_t ramdisk, ramdisk_pfn, ramdisk_pages;
    uint64_t p2m, p2m_pfn, p2m_pages;
    uint64_t p2m_tables_pfn, p2m_tables; /* pages of tables that map a list outside of [start, end) */
    uint64_t start_info, store, console;
    uint64_t tables, nr_tables; /* the L4 first */
    uint64_t stack;             /* of one page */
    uint64_t pages;             /* pfns in use: the least memory that the domain can have */
};

/* Lays out a domain of nr_pages pages. NULL, or what is wrong with it, as the end of a sentence. */
const char *layout_domain(const struct elf_image *e, uint64_t ramdisk_size, bool domain0, uint64_t nr_pages,
                          struct guest_layout *l);

#endif
