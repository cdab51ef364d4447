/* SPDX-License-Identifier: MIT
 *
 * Domains out of boot modules (boot/builder.c, boot/guest_image.c, boot/guest_tables.c).
 */
#ifndef BOOT_BUILDER_H
#define BOOT_BUILDER_H

#include "lib/types.h"
#include "boot/cmdline.h"
#include "boot/elf.h"
#include "boot/layout.h"

struct boot_info;
struct domain;

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

/* Builds and starts all domains of the modules; those that can't be built get a line each, and the machine's
 * exit status is then 2. No domain at all: ends the machine. */
void build_domains(const struct boot_info *info);

/* The p2m list's entry of pfn. Its frame must have been allocated. */
uint64_t *build_p2m(const struct build *b, uint64_t pfn);
/* The page of the domain with that pfn, in the direct map. */
void *build_page(const struct build *b, uint64_t pfn);

/* All memory of the domain, the p2m list and the machine-to-physical entries. false: not enough memory. */
bool build_memory(struct build *b) __must_check;
/* Image, ramdisk, start_info, hypercall page. */
void build_image(struct build *b);
/* The first page tables, and makes them the root of vcpu 0. 0 or a negative errno (a bug or a hostile
 * layout). */
int build_tables(struct build *b) __must_check;

#endif
