/* SPDX-License-Identifier: MIT
 *
 * A guest kernel's ELF file, its Xen notes (boot/elf.c) and its symbol table (boot/symbols.c), read without
 * trust.
 */
#pragma once

#include "lib/types.h"

/* Points into the boot module's pages, which stay reserved for that. Nothing in it is trusted. */
struct symbols {
    const uint8_t *table; /* Elf64_Sym; NULL: none */
    uint64_t size;
    const uint8_t *strings;
    uint64_t strings_size;
    uint64_t code_start, code_end; /* of sections with instructions; addresses outside have no name */
    uint64_t hypercall_page;
};

#define ELF_UNSET        (~0ULL)
#define ELF_MAX_SEGMENTS 16

/* What the builder needs to know of a kernel. Addresses are guest-virtual. */
struct elf_image {
    const uint8_t *file; /* the module */
    uint64_t file_size;
    struct elf_segment {
        uint64_t offset;    /* in the file */
        uint64_t file_size; /* bytes from the file */
        uint64_t size;      /* bytes in memory, the rest zero */
        uint64_t vaddr;
    } segments[ELF_MAX_SEGMENTS]; /* the loadable ones that are not empty */
    unsigned int nr_segments;
    uint64_t start, end; /* lowest and highest address of all segments */
    uint64_t virt_base;
    uint64_t entry;
    uint64_t hypercall_page; /* ELF_UNSET: none */
    uint64_t init_p2m;       /* ELF_UNSET: within the initial mapping */
    bool unmapped_ramdisk;   /* MOD_START_PFN: mod_start is a pfn, the ramdisk needs no mapping */
    struct symbols symbols;
};

/* Reads the headers and notes of file into e. NULL, or what is wrong with it, as the end of a sentence ("it
 * is not an ELF file"). */
const char *elf_parse(const uint8_t *file, uint64_t size, struct elf_image *e);

/* ---- Addresses by name, for reports: boot/symbols.c ---- */

/* Remembers those of domain domid's kernel, whose file stays where it is. NULL: it has none. */
const struct symbols *symbols_keep(uint16_t domid, const struct symbols *s);

/* Whether addr is in the kernel's hypercall page, where every call seems to come from. */
bool symbols_hypercall_page(const struct symbols *s, uint64_t addr);

/* Writes "name+0x12" for addr to buf (size bytes with the final zero), or "" if nothing is known. s may be
 * NULL. */
void symbols_name(const struct symbols *s, uint64_t addr, char *buf, size_t size);
