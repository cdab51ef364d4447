/* SPDX-License-Identifier: MIT
 *
 * The reader of kernels: see image.h. Every offset is checked against the file's size before it is used, and
 * headers are copied out.
 */
#include "libpv/image.h"
#include <stdbool.h>
#include <xen/elfnote.h>
#include "libpv/string.h"
#include "libpv/types.h"

#define X86_64  62
#define PT_LOAD 1
#define PT_NOTE 4

struct header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct note {
    uint32_t name_size, desc_size, type;
};

_Static_assert(sizeof(struct header) == 64 && sizeof(struct program) == 56, "ELF64");

static uint64_t round4(uint64_t n)
{
    return (n + 3) & ~3UL;
}

/* The numbers of the notes in [at, end), by their types. */
static void read_notes(const unsigned char *at, const unsigned char *end, unsigned long *number, bool *found)
{
    struct note n;

    while ((size_t)(end - at) >= sizeof(n)) {
        uint64_t desc, next;

        memcpy(&n, at, sizeof(n));
        desc = sizeof(n) + round4(n.name_size);
        next = desc + round4(n.desc_size);
        if (desc + n.desc_size > (uint64_t)(end - at))
            return;
        if (n.name_size == 4 && !memcmp(at + sizeof(n), "Xen", 4)) {
            *found = true;
            if (n.type <= XEN_ELFNOTE_MAX) {
                number[n.type] = 0;
                memcpy(&number[n.type], at + desc, n.desc_size < 8 ? n.desc_size : 8);
            }
        }
        if (next >= (uint64_t)(end - at))
            return;
        at += next;
    }
}

static const char *read_segment(struct pv_image *image, const struct program *p, size_t size)
{
    if (image->segments == PV_IMAGE_SEGMENTS)
        return "it has too many segments";
    if (p->offset > size || p->filesz > size - p->offset)
        return "it is truncated";
    if (p->filesz > p->memsz || p->paddr + p->memsz < p->paddr)
        return "a segment's sizes make no sense";
    image->segment[image->segments].offset = p->offset;
    image->segment[image->segments].file_size = p->filesz;
    image->segment[image->segments++].vaddr = p->paddr;
    if (p->paddr < image->start)
        image->start = p->paddr;
    if (p->paddr + p->memsz > image->end)
        image->end = p->paddr + p->memsz;
    return NULL;
}

/* Physical addresses become the guest's virtual ones, above VIRT_BASE. */
static const char *place(struct pv_image *image, const unsigned long *number)
{
    unsigned long base = number[XEN_ELFNOTE_VIRT_BASE], offset = number[XEN_ELFNOTE_PADDR_OFFSET];

    image->virt_base = base == PV_IMAGE_UNSET ? 0 : base;
    offset = image->virt_base - (offset == PV_IMAGE_UNSET ? 0 : offset);
    for (unsigned int i = 0; i < image->segments; i++)
        image->segment[i].vaddr += offset;
    image->start += offset;
    image->end += offset;
    if (image->virt_base % PAGE_SIZE || image->start < image->virt_base || image->end < image->start ||
        image->end - image->virt_base > 1UL << 30)
        return "it lies outside of the gigabyte above its VIRT_BASE";
    if (number[XEN_ELFNOTE_ENTRY] != PV_IMAGE_UNSET)
        image->entry = number[XEN_ELFNOTE_ENTRY];
    if (image->entry < image->start || image->entry >= image->end)
        return "its entry is outside of it";
    image->hypercall_page = number[XEN_ELFNOTE_HYPERCALL_PAGE];
    if (image->hypercall_page != PV_IMAGE_UNSET &&
        (image->hypercall_page % PAGE_SIZE || image->hypercall_page < image->start ||
         image->hypercall_page >= image->end))
        return "its hypercall page is outside of it";
    return NULL;
}

const char *pv_image_read(struct pv_image *image, const void *file, size_t size)
{
    unsigned long number[XEN_ELFNOTE_MAX + 1];
    const char *wrong = NULL;
    bool notes = false;
    struct header h;
    struct program p;

    memset(number, 0xff, sizeof(number)); /* PV_IMAGE_UNSET */
    *image = (struct pv_image){ .file = file, .start = ~0UL };
    if (size < sizeof(h))
        return "it is no ELF file";
    memcpy(&h, file, sizeof(h));
    if (memcmp(h.ident, "\177ELF\2\1", 6) != 0 || h.machine != X86_64)
        return "it is no ELF file for x86-64";
    if (h.phentsize != sizeof(p) || h.phoff > size || h.phnum * sizeof(p) > size - h.phoff)
        return "its program headers are cut off";
    image->entry = h.entry;
    for (unsigned int i = 0; i < h.phnum && !wrong; i++) {
        memcpy(&p, image->file + h.phoff + i * sizeof(p), sizeof(p));
        if (p.type == PT_LOAD && p.memsz)
            wrong = read_segment(image, &p, size);
        else if (p.type == PT_NOTE && p.offset <= size && p.filesz <= size - p.offset)
            read_notes(image->file + p.offset, image->file + p.offset + p.filesz, number, &notes);
    }
    if (wrong)
        return wrong;
    if (!notes)
        return "it has no Xen notes, so it is no kernel for a domain";
    if (!image->segments)
        return "there is nothing to load in it";
    return place(image, number);
}
