/* SPDX-License-Identifier: MIT
 *
 * The reader of ELF programs. Every number in the file is checked against the file's size and the user's
 * range before it is used: a program file is input like any other. Source: System V ABI, chapters 4 and 5.
 */
#include "pvkernel/core/elf.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_segment) == 56, "ELF64 layout");

#define ELF_EXEC    2
#define ELF_X86_64  62
#define ELF_PT_LOAD 1
#define ELF_PT_DYN  2
#define ELF_PF_X    1
#define ELF_PF_W    2

static const char *check_header(const struct elf_header *h, size_t size)
{
    if (size < sizeof(*h) || memcmp(h->ident, "\177ELF\2\1\1", 7) != 0)
        return "no 64-bit ELF file";
    if (h->type != ELF_EXEC || h->machine != ELF_X86_64)
        return "no static x86-64 program";
    if (h->phentsize != sizeof(struct elf_segment) || h->phoff > size ||
        h->phnum * sizeof(struct elf_segment) > size - h->phoff || h->phnum == 0)
        return "its program headers are cut off";
    return NULL;
}

static const char *add_segment(struct vm *vm, const uint8_t *file, size_t size, const struct elf_segment *s)
{
    if (s->offset > size || s->filesz > size - s->offset)
        return "a segment is cut off";
    if (s->filesz > s->memsz || s->vaddr > USER_END || s->memsz > USER_END - s->vaddr)
        return "a segment's size makes no sense";
    if (s->vaddr % PAGE_SIZE != s->offset % PAGE_SIZE)
        return "a segment is not aligned as its file bytes are";
    size_t before = s->vaddr % PAGE_SIZE; /* the page starts that much before the segment, in the file too */
    struct region r = {
        .start = s->vaddr - before,
        .end = (s->vaddr + s->memsz + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1),
        .prot = MAP_READ | (s->flags & ELF_PF_W ? MAP_WRITE : 0u) | (s->flags & ELF_PF_X ? MAP_EXEC : 0u),
        .file = file + s->offset - before,
        .file_len = s->filesz + before,
        .name = s->flags & ELF_PF_X ? "code" : "data",
    };
    return vm_add(vm, &r) ? "its segments overlap, are too many or lie outside of the user's range" : NULL;
}

int elf_load(struct vm *vm, const void *image, size_t size, uintptr_t *entry, const char **why)
{
    const uint8_t *file = image;
    struct elf_header h = { 0 };
    uintptr_t end = 0;
    memcpy(&h, file, size < sizeof(h) ? size : sizeof(h));
    *why = check_header(&h, size);
    for (unsigned i = 0; !*why && i < h.phnum; i++) {
        struct elf_segment s;
        memcpy(&s, file + h.phoff + i * sizeof(s), sizeof(s));
        if (s.type == ELF_PT_DYN)
            *why = "it is dynamically linked";
        if (s.type != ELF_PT_LOAD || s.memsz == 0 || *why)
            continue;
        *why = add_segment(vm, file, size, &s);
        if (s.vaddr + s.memsz > end)
            end = s.vaddr + s.memsz;
    }
    if (!*why && vm_add_heap(vm, (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1)))
        *why = "no place for its heap";
    *entry = h.entry;
    return *why ? -KE_NOEXEC : 0;
}
