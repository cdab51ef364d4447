/* SPDX-License-Identifier: MIT
 *
 * Domains out of boot modules (boot/builder.c, boot/layout.c, boot/guest_image.c).
 */
#pragma once

#include "boot/boot.h"
#include "boot/elf.h"

struct domain;

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

/* One domain to be. */
struct build {
    struct domain *d;
    uint16_t domid;
    struct module_options options;
    const uint8_t *kernel; /* modules, in the direct map */
    uint64_t kernel_size;
    const uint8_t *ramdisk; /* NULL: none */
    uint64_t ramdisk_size;
    const char *trouble; /* why it can't be built, NULL: nothing yet */
    struct elf_image image;
    struct guest_layout at;
    uint64_t nr_pages;
    uint64_t *p2m_mfns; /* frames of the p2m list, in Parador's memory */
    unsigned int p2m_mfns_order;
    uint64_t entries, ticks; /* for the first screen: in the first tables, and what checking them took */
};

/* The p2m list's entry of pfn, whose frame must have been allocated. */
uint64_t *build_p2m(const struct build *b, uint64_t pfn);

/* All memory of the domain, the p2m list and the machine-to-physical entries. false: not enough memory. */
bool build_memory(struct build *b) __must_check;
/* Image, ramdisk, start_info, hypercall page. */
void build_image(struct build *b);
/* The first page tables, and makes them the root of vcpu 0. 0 or a negative errno (a bug or a hostile
 * layout). */
int build_tables(struct build *b) __must_check;
