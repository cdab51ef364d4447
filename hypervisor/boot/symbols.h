/* SPDX-License-Identifier: MIT
 *
 * Addresses in a guest's kernel by name, for reports: the symbol table that stands in its ELF file.
 */
#ifndef BOOT_SYMBOLS_H
#define BOOT_SYMBOLS_H

#include "lib/types.h"

/* Points into the boot module's pages, which stay reserved for that. Nothing in it is trusted. */
struct symbols {
    const void *table; /* Elf64_Sym */
    uint64_t count;
    const char *strings;
    uint64_t strings_size;
    uint64_t code_start, code_end; /* addresses outside have no name */
    uint64_t hypercall_page;
};

struct elf_image;

/* Remembers the symbol table of domain domid's kernel, whose file stays where it is. NULL: it has none. */
const struct symbols *symbols_keep(uint16_t domid, const struct elf_image *image);

/* Whether addr is in the kernel's hypercall page, where every call seems to come from. */
bool symbols_hypercall_page(const struct symbols *s, uint64_t addr);

/* Writes "name+0x12" for addr to buf (size bytes with the final zero), or "" if nothing is known. s may be
 * NULL. */
void symbols_name(const struct symbols *s, uint64_t addr, char *buf, size_t size);

#endif
