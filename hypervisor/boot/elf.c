/* SPDX-License-Identifier: MIT
 *
 * The ELF loader's eyes: reads a kernel's headers and Xen notes out of a file that nobody vouches for.
 *
 * Invariant: no byte outside [file, file + size) is read. Every table is found through part_ok(), which knows
 * the file's size; headers and notes are copied out (the file may lie at any alignment) and then looked at.
 * What is accepted fits together: segments lie in ascending order of nothing, but inside one range [start,
 * end) that does not wrap, holds the entry, and lies above virt_base.
 *
 * No I/O, no state: tests/host/elf_test.c drives it natively, and so may a fuzzer. Memory is not touched
 * here, that is boot/builder.c. Source: ELF-64 object file format; xen/elfnote.h.
 */
#include "boot/elf.h"
#include <xen/elfnote.h>
#include "lib/string.h"

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_program {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_section {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t align, entsize;
};

struct elf_note {
    uint32_t name_size, desc_size, type;
};

#define ET_EXEC     2
#define ET_DYN      3
#define EM_X86_64   62
#define PT_LOAD     1
#define PT_NOTE     4
#define SHT_SYMTAB  2
#define SHT_NOTE    7
#define SHF_EXEC    4
#define MAX_HEADERS 4096 /* of either kind; more is no kernel */

/* What the notes said, before it is put together: the numbers by XEN_ELFNOTE_*. */
struct notes {
    uint64_t number[XEN_ELFNOTE_MOD_START_PFN + 1]; /* ELF_UNSET: not said */
    bool found, legacy;
};

static bool part_ok(const struct elf_image *e, uint64_t offset, uint64_t size)
{
    return offset <= e->file_size && size <= e->file_size - offset;
}

static bool read_part(const struct elf_image *e, uint64_t offset, void *to, uint64_t size)
{
    if (!part_ok(e, offset, size))
        return false;
    memcpy(to, e->file + offset, size);
    return true;
}

/* A note area: a row of { header, name, description }, each padded to 4 bytes. */
static void read_notes(const struct elf_image *e, struct notes *n, uint64_t offset, uint64_t size)
{
    struct elf_note note;

    if (!part_ok(e, offset, size))
        return;
    while (size >= sizeof(note)) {
        uint64_t name, desc, whole;

        memcpy(&note, e->file + offset, sizeof(note));
        name = sizeof(note);
        desc = name + ROUND_UP((uint64_t)note.name_size, 4);
        whole = desc + ROUND_UP((uint64_t)note.desc_size, 4);
        if (desc + note.desc_size > size)
            return;
        if (note.name_size == 4 && !memcmp(e->file + offset + name, "Xen", 4)) {
            n->found = true;
            if (note.type < ARRAY_SIZE(n->number)) { /* little-endian, 4 or 8 bytes; a text means nothing */
                n->number[note.type] = 0;
                memcpy(&n->number[note.type], e->file + offset + desc, MIN(note.desc_size, 8));
            }
        }
        if (whole >= size)
            return;
        offset += whole;
        size -= whole;
    }
}

/* The value of KEY=VALUE in a legacy __xen_guest string, a hexadecimal number; ELF_UNSET: not there. */
static uint64_t legacy_number(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    uint64_t n = 0;

    if (!at)
        return ELF_UNSET;
    at += strlen(key);
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
        at += 2;
    for (;; at++) {
        if (*at >= '0' && *at <= '9')
            n = n << 4 | (uint64_t)(*at - '0');
        else if ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'f')
            n = n << 4 | (uint64_t)((*at | 0x20) - 'a' + 10);
        else
            return n;
    }
}

/* The section __xen_guest of old kernels: one string "GUEST_OS=linux,VIRT_BASE=0x..,HYPERCALL_PAGE=0x.." */
static void read_legacy(const struct elf_image *e, struct notes *n, const struct elf_section *s)
{
    char text[256];
    uint64_t size = MIN(s->size, sizeof(text) - 1), base, page;

    if (!read_part(e, s->offset, text, size))
        return;
    text[size] = '\0';
    base = legacy_number(text, "VIRT_BASE=");
    page = legacy_number(text, "HYPERCALL_PAGE="); /* a page number above virt_base */
    n->number[XEN_ELFNOTE_VIRT_BASE] = base;
    n->number[XEN_ELFNOTE_ENTRY] = legacy_number(text, "VIRT_ENTRY=");
    n->number[XEN_ELFNOTE_PADDR_OFFSET] = legacy_number(text, "ELF_PADDR_OFFSET=");
    if (page != ELF_UNSET)
        n->number[XEN_ELFNOTE_HYPERCALL_PAGE] = (base == ELF_UNSET ? 0 : base) + (page << PAGE_SHIFT);
    n->found = n->legacy = true;
}

static bool read_section(const struct elf_image *e, const struct elf_header *h, uint32_t i,
                         struct elf_section *s)
{
    return i < h->shnum && read_part(e, h->shoff + (uint64_t)i * sizeof(*s), s, sizeof(*s));
}

static bool section_named(const struct elf_image *e, const struct elf_header *h, uint32_t name,
                          const char *wanted)
{
    struct elf_section strings;
    char buf[16];

    return read_section(e, h, h->shstrndx, &strings) && name < strings.size &&
           strings.offset <= e->file_size && read_part(e, strings.offset + name, buf, strlen(wanted) + 1) &&
           !memcmp(buf, wanted, strlen(wanted) + 1);
}

static void symbol_table(struct elf_image *e, const struct elf_header *h, const struct elf_section *s)
{
    struct elf_section strings;

    if (!read_section(e, h, s->link, &strings) || !s->size || !part_ok(e, s->offset, s->size) ||
        !part_ok(e, strings.offset, strings.size))
        return;
    e->symbols.table = e->file + s->offset;
    e->symbols.size = s->size;
    e->symbols.strings = e->file + strings.offset;
    e->symbols.strings_size = strings.size;
}

static void code_section(struct symbols *e, const struct elf_section *s)
{
    if (!(s->flags & SHF_EXEC) || !s->size || s->addr + s->size < s->addr)
        return;
    if (!e->code_end || s->addr < e->code_start)
        e->code_start = s->addr;
    e->code_end = MAX(e->code_end, s->addr + s->size);
}

/* Sections are optional: a table that is damaged is as good as none. */
static void read_sections(struct elf_image *e, const struct elf_header *h, struct notes *n)
{
    struct elf_section s;

    if (h->shentsize != sizeof(s) || h->shnum > MAX_HEADERS || h->shoff > e->file_size)
        return;
    for (unsigned int i = 0; read_section(e, h, i, &s); i++) {
        if (s.type == SHT_NOTE && !n->found)
            read_notes(e, n, s.offset, s.size);
        else if (s.type == SHT_SYMTAB)
            symbol_table(e, h, &s);
        code_section(&e->symbols, &s);
    }
    for (unsigned int i = 0; !n->found && read_section(e, h, i, &s); i++)
        if (section_named(e, h, s.name, "__xen_guest"))
            read_legacy(e, n, &s);
}

/* Physical addresses are what Xen places by; until the notes are known they stand in vaddr. */
static const char *read_programs(struct elf_image *e, const struct elf_header *h, struct notes *n)
{
    struct elf_program p;

    if (h->phentsize != sizeof(p) || h->phnum > MAX_HEADERS)
        return "its program headers are not those of ELF64";
    for (unsigned int i = 0; i < h->phnum; i++) {
        struct elf_segment *s = &e->segments[e->nr_segments];

        if (h->phoff > e->file_size || !read_part(e, h->phoff + i * sizeof(p), &p, sizeof(p)))
            return "it is truncated (program headers)";
        if (p.type == PT_NOTE)
            read_notes(e, n, p.offset, p.filesz);
        if (p.type != PT_LOAD || !p.memsz)
            continue;
        if (e->nr_segments == ELF_MAX_SEGMENTS)
            return "it has too many segments";
        if (!part_ok(e, p.offset, p.filesz))
            return "it is truncated (a segment reaches beyond the file)";
        if (p.filesz > p.memsz || p.paddr + p.memsz < p.paddr)
            return "a segment's sizes are nonsense";
        *s = (struct elf_segment){ p.offset, p.filesz, p.memsz, p.paddr };
        e->nr_segments++;
    }
    return e->nr_segments ? NULL : "it has nothing to load";
}

static uint64_t number_or(const struct notes *n, unsigned int type, uint64_t otherwise)
{
    return n->number[type] != ELF_UNSET ? n->number[type] : otherwise;
}

/* Where everything lies in the guest's memory. Defaults are those of Xen: no VIRT_BASE is 0, no PADDR_OFFSET
 * is 0 (of legacy images: VIRT_BASE). */
static const char *place(struct elf_image *e, const struct elf_header *h, const struct notes *n)
{
    uint64_t offset;

    e->virt_base = number_or(n, XEN_ELFNOTE_VIRT_BASE, 0);
    offset = number_or(n, XEN_ELFNOTE_PADDR_OFFSET, n->legacy ? e->virt_base : 0);
    e->entry = number_or(n, XEN_ELFNOTE_ENTRY, h->entry);
    e->hypercall_page = e->symbols.hypercall_page = n->number[XEN_ELFNOTE_HYPERCALL_PAGE];
    e->init_p2m = n->number[XEN_ELFNOTE_INIT_P2M];
    e->unmapped_ramdisk = number_or(n, XEN_ELFNOTE_MOD_START_PFN, 0) != 0;
    e->start = ~0ULL;
    e->end = 0;
    for (unsigned int i = 0; i < e->nr_segments; i++) {
        struct elf_segment *s = &e->segments[i];

        s->vaddr += e->virt_base - offset;
        if (s->vaddr + s->size < s->vaddr)
            return "a segment wraps around the end of the address space";
        e->start = MIN(e->start, s->vaddr);
        e->end = MAX(e->end, s->vaddr + s->size);
    }
    if (e->virt_base & (PAGE_SIZE - 1) || e->start < e->virt_base)
        return "it lies below its VIRT_BASE";
    if (e->entry < e->start || e->entry >= e->end)
        return "its entry is outside of it";
    if (e->hypercall_page != ELF_UNSET &&
        (e->hypercall_page & (PAGE_SIZE - 1) || e->hypercall_page < e->start || e->hypercall_page >= e->end ||
         e->end - e->hypercall_page < PAGE_SIZE))
        return "its hypercall page is outside of it";
    if (e->init_p2m != ELF_UNSET && e->init_p2m & (PAGE_SIZE - 1))
        return "its INIT_P2M address is not a page's";
    return NULL;
}

const char *elf_parse(const uint8_t *file, uint64_t size, struct elf_image *e)
{
    struct notes n = { .found = false };
    struct elf_header h;
    const char *wrong;

    memset(n.number, 0xff, sizeof(n.number)); /* ELF_UNSET */
    *e = (struct elf_image){ .file = file, .file_size = size };
    if (size < 4 || memcmp(file, "\177ELF", 4))
        return "it is not an ELF file";
    if (!read_part(e, 0, &h, sizeof(h)))
        return "it is truncated (ELF header)";
    if (h.ident[4] != 2 || h.ident[5] != 1 || h.machine != EM_X86_64 ||
        (h.type != ET_EXEC && h.type != ET_DYN))
        return "it is not an x86-64 ELF program";
    wrong = read_programs(e, &h, &n);
    if (wrong)
        return wrong;
    read_sections(e, &h, &n);
    if (!n.found)
        return "it has no Xen notes";
    return place(e, &h, &n);
}
