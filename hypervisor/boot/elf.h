/* SPDX-License-Identifier: MIT
 *
 * A guest kernel's ELF file and its Xen notes, read without trust (boot/elf.c).
 */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include "lib/types.h"

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
    uint64_t hypercall_page;      /* ELF_UNSET: none */
    uint64_t init_p2m;            /* ELF_UNSET: within the initial mapping */
    bool unmapped_ramdisk;        /* MOD_START_PFN: mod_start is a pfn, the ramdisk needs no mapping */
    uint64_t symtab, symtab_size; /* offset in the file and bytes; size 0: none */
    uint64_t strtab, strtab_size;
    uint64_t code_start, code_end; /* of its sections with instructions; 0: not known */
    char guest_os[16];
};

/* Whether these bytes begin like an ELF file at all. */
bool elf_is(const uint8_t *file, uint64_t size);

/* Reads the headers and notes of file into e. NULL, or what is wrong with it, as the end of a sentence ("it
 * is not an ELF file"). */
const char *elf_parse(const uint8_t *file, uint64_t size, struct elf_image *e);

#endif
