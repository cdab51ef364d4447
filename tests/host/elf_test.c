/* SPDX-License-Identifier: MIT
 *
 * The ELF loader's reader (hypervisor/boot/elf.c) and the layout of a domain (boot/layout.c): a good kernel,
 * each way in which a file can be bad, and every file that is one bit or one cut away from a good one.
 */
// sources: hypervisor/boot/elf.c hypervisor/boot/layout.c
#include <criterion/criterion.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>
#include "boot/builder.h"

#define BASE 0xffffffff80000000

/* A small kernel: headers, notes, one segment of code, symbols. */
struct file {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[2];
    uint8_t notes[256];
    uint8_t code[64];
    Elf64_Shdr sh[4];
    Elf64_Sym syms[2];
    char strings[32];
};

/* layout.c asks copy.h's range check only, this is never called. */
size_t copy_guest_raw(void *dst, const void *src, size_t n);
size_t copy_guest_raw(void *dst, const void *src, size_t n)
{
    (void)dst, (void)src;
    return n;
}

static size_t add_note(uint8_t *at, uint32_t type, const void *desc, uint32_t size)
{
    uint32_t head[3] = { 4, size, type };

    memcpy(at, head, 12);
    memcpy(at + 12, "Xen", 4);
    memcpy(at + 16, desc, size);
    return 16 + ((size + 3) & ~3u);
}

static size_t add_number(uint8_t *at, uint32_t type, uint64_t n)
{
    return add_note(at, type, &n, 8);
}

static struct elf_image image;

static struct file good(void)
{
    struct file f = { 0 };
    size_t n = 0;

    memcpy(f.eh.e_ident, "\177ELF\2\1\1", 7);
    f.eh.e_type = ET_EXEC;
    f.eh.e_machine = EM_X86_64;
    f.eh.e_entry = BASE + 0x100000;
    f.eh.e_phoff = offsetof(struct file, ph);
    f.eh.e_phentsize = sizeof(Elf64_Phdr);
    f.eh.e_phnum = 2;
    f.eh.e_shoff = offsetof(struct file, sh);
    f.eh.e_shentsize = sizeof(Elf64_Shdr);
    f.eh.e_shnum = 4;
    f.eh.e_shstrndx = 2;
    n += add_note(f.notes, XEN_ELFNOTE_GUEST_OS, "testos", 7);
    n += add_number(f.notes + n, XEN_ELFNOTE_VIRT_BASE, BASE);
    n += add_number(f.notes + n, XEN_ELFNOTE_PADDR_OFFSET, BASE);
    n += add_number(f.notes + n, XEN_ELFNOTE_ENTRY, BASE + 0x100010);
    n += add_number(f.notes + n, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + 0x101000);
    f.ph[0] = (Elf64_Phdr){ PT_LOAD, 7,   offsetof(struct file, code), BASE + 0x100000, BASE + 0x100000, 64,
                            0x3000,  4096 };
    f.ph[1] = (Elf64_Phdr){ PT_NOTE, 4, offsetof(struct file, notes), 0, 0, n, n, 4 };
    f.sh[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
                            .sh_offset = offsetof(struct file, syms),
                            .sh_size = sizeof(f.syms),
                            .sh_link = 2 };
    f.sh[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
                            .sh_offset = offsetof(struct file, strings),
                            .sh_size = sizeof(f.strings) };
    memcpy(f.strings, "\0main\0__xen_guest", 18);
    return f;
}

/* Parses a copy whose end is the end of its allocation, so that the sanitizer sees every byte read beyond. */
static const char *parse(const void *file, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    const char *wrong;

    memcpy(copy, file, size);
    wrong = elf_parse(copy, size, &image);
    free(copy);
    return wrong;
}

Test(elf, good_kernel)
{
    struct file f = good();

    cr_assert_null(parse(&f, sizeof(f)));
    cr_assert_eq(image.virt_base, BASE);
    cr_assert_eq(image.entry, BASE + 0x100010);
    cr_assert_eq(image.start, BASE + 0x100000);
    cr_assert_eq(image.end, BASE + 0x103000);
    cr_assert_eq(image.hypercall_page, BASE + 0x101000);
    cr_assert_eq(image.init_p2m, ELF_UNSET);
    cr_assert_eq(image.nr_segments, 1);
    cr_assert_eq(image.segments[0].file_size, 64);
    cr_assert_eq(image.symbols.size, sizeof(f.syms));
}

Test(elf, notes_in_a_section)
{
    struct file f = good();

    f.ph[1].p_type = PT_NULL;
    f.sh[3] = (Elf64_Shdr){ .sh_type = SHT_NOTE,
                            .sh_offset = offsetof(struct file, notes),
                            .sh_size = f.ph[1].p_filesz };
    cr_assert_null(parse(&f, sizeof(f)));
    cr_assert_eq(image.entry, BASE + 0x100010);
}

Test(elf, legacy_section)
{
    struct file f = good();
    const char text[] = "GUEST_OS=old,VIRT_BASE=0xffffffff80000000,HYPERCALL_PAGE=0x101";

    f.ph[1].p_type = PT_NULL;
    f.ph[0].p_paddr = 0x100000 + BASE; /* the offset is VIRT_BASE by default */
    memcpy(f.notes, text, sizeof(text));
    f.sh[3] = (Elf64_Shdr){ .sh_name = 6,
                            .sh_type = SHT_PROGBITS,
                            .sh_offset = offsetof(struct file, notes),
                            .sh_size = sizeof(text) };
    cr_assert_null(parse(&f, sizeof(f)));
    cr_assert_eq(image.virt_base, BASE);
    cr_assert_eq(image.hypercall_page, BASE + 0x101000);
    cr_assert_eq(image.entry, BASE + 0x100000, "no VIRT_ENTRY: the header's");
}

Test(elf, addresses_of_linux)
{
    struct file f = good();
    size_t n = 0;

    n += add_number(f.notes, XEN_ELFNOTE_VIRT_BASE, BASE);
    n += add_number(f.notes + n, XEN_ELFNOTE_ENTRY, BASE + 0x1000010);
    n += add_number(f.notes + n, XEN_ELFNOTE_INIT_P2M, 0x8000000000);
    n += add_number(f.notes + n, XEN_ELFNOTE_MOD_START_PFN, 1);
    f.ph[1].p_filesz = n;
    f.ph[0].p_paddr = 0x1000000; /* no PADDR_OFFSET: 0 */
    f.ph[0].p_vaddr = 0;
    cr_assert_null(parse(&f, sizeof(f)));
    cr_assert_eq(image.start, BASE + 0x1000000);
    cr_assert_eq(image.init_p2m, 0x8000000000);
    cr_assert(image.unmapped_ramdisk);
}

Test(elf, virt_base_zero)
{
    struct file f = good();

    f.ph[1].p_filesz = add_number(f.notes, XEN_ELFNOTE_ENTRY, 0);
    f.ph[0].p_paddr = 0;
    cr_assert_null(parse(&f, sizeof(f)));
    cr_assert_eq(image.virt_base, 0);
    cr_assert_eq(image.start, 0);
    cr_assert_eq(image.entry, 0);
}

Test(elf, each_way_to_be_bad)
{
    struct file f = good();

    cr_assert_str_eq(parse("hello world", 11), "it is not an ELF file");
    cr_assert_str_eq(parse("", 0), "it is not an ELF file");
    cr_assert(strstr(parse(&f, 40), "truncated"));
    f.eh.e_machine = EM_AARCH64;
    cr_assert(strstr(parse(&f, sizeof(f)), "not an x86-64"));
    f = good();
    f.ph[1].p_type = PT_NULL;
    cr_assert_str_eq(parse(&f, sizeof(f)), "it has no Xen notes");
    f = good();
    f.ph[0].p_filesz = 1 << 20, f.ph[0].p_memsz = 1 << 20;
    cr_assert(strstr(parse(&f, sizeof(f)), "truncated"));
    f = good();
    f.ph[0].p_memsz = 10;
    cr_assert(strstr(parse(&f, sizeof(f)), "nonsense"));
    f = good();
    f.ph[0].p_paddr = BASE - 0x1000;
    cr_assert(strstr(parse(&f, sizeof(f)), "VIRT_BASE"));
    f = good();
    f.ph[0].p_memsz = ~0ULL;
    cr_assert_not_null(parse(&f, sizeof(f)));
    f = good();
    f.ph[0].p_type = PT_NULL;
    cr_assert(strstr(parse(&f, sizeof(f)), "nothing to load"));
    f = good();
    add_number(f.notes, XEN_ELFNOTE_ENTRY, 0x1234);
    f.ph[1].p_filesz = 24;
    cr_assert_not_null(parse(&f, sizeof(f)));
}

Test(elf, every_cut)
{
    struct file f = good();

    for (size_t n = 0; n < sizeof(f); n++)
        parse(&f, n);
}

/* Whatever is accepted can be laid out or is refused, and its parts lie where they may. */
static void check_accepted(void)
{
    struct guest_layout l;

    for (unsigned int i = 0; i < image.nr_segments; i++) {
        const struct elf_segment *s = &image.segments[i];

        cr_assert(s->offset <= image.file_size && s->file_size <= image.file_size - s->offset);
        cr_assert(s->vaddr >= image.start && s->vaddr + s->size <= image.end && s->file_size <= s->size);
    }
    cr_assert(image.start >= image.virt_base && image.entry >= image.start && image.entry < image.end);
    if (layout_domain(&image, 100000, false, 8192, &l))
        return;
    cr_assert(l.end > l.start && l.pages >= (l.end - l.start) >> 12);
    cr_assert(l.tables + l.nr_tables * 4096 <= l.stack && l.stack + 4096 <= l.end);
    cr_assert(image.end <= l.tables);
}

Test(elf, every_bit)
{
    for (size_t bit = 0; bit < 8 * sizeof(struct file); bit++) {
        struct file f = good();

        ((uint8_t *)&f)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!parse(&f, sizeof(f)))
            check_accepted();
    }
}

Test(elf, random_words)
{
    uint64_t x = 88172645463325252;

    for (unsigned int round = 0; round < 200000; round++) {
        struct file f = good();

        for (unsigned int i = 0; i < 3; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            uint32_t val = x & 1 ? (uint32_t)(x >> 8) : (uint32_t)(x >> 8 & 0xff);

            memcpy((uint8_t *)&f + (x >> 32) % (sizeof(f) - 4), &val, 4);
        }
        if (!parse(&f, sizeof(f)))
            check_accepted();
    }
}

Test(layout, order_and_spare)
{
    struct file f = good();
    struct guest_layout l;

    cr_assert_null(parse(&f, sizeof(f)));
    cr_assert_null(layout_domain(&image, 5000, false, 4096, &l));
    cr_assert_eq(l.start, BASE);
    cr_assert_eq(l.ramdisk, BASE + 0x103000);
    cr_assert_eq(l.p2m, l.ramdisk + 0x2000);
    cr_assert_eq(l.start_info, l.p2m + 8 * 4096);
    cr_assert_eq(l.store, l.start_info + 4096);
    cr_assert_eq(l.console, l.store + 4096);
    cr_assert_eq(l.tables, l.console + 4096);
    cr_assert_eq(l.nr_tables, 5, "4 MiB: two L1, and one of each other");
    cr_assert_eq(l.stack, l.tables + 5 * 4096);
    cr_assert_eq(l.end, BASE + (4 << 20));
    cr_assert_eq(l.pages, 1024);
    cr_assert_null(layout_domain(&image, 0, true, 4096, &l));
    cr_assert_eq(l.store, 0);
    cr_assert_eq(l.console, 0);
    cr_assert_eq(l.ramdisk, 0);
}

Test(layout, at_least_half_a_megabyte_of_spare)
{
    struct file f = good();
    struct guest_layout l;

    for (uint64_t size = 0; size < 8 << 20; size += 4096) {
        cr_assert_null(parse(&f, sizeof(f)));
        cr_assert_null(layout_domain(&image, size, false, 4096, &l));
        cr_assert_geq(l.end - l.stack - 4096, 512 << 10);
        cr_assert_eq(l.end % (4 << 20), 0);
    }
}

Test(layout, list_and_ramdisk_outside)
{
    struct file f = good();
    struct guest_layout l;

    cr_assert_null(parse(&f, sizeof(f)));
    image.init_p2m = 0x8000000000;
    image.unmapped_ramdisk = true;
    cr_assert_null(layout_domain(&image, 10 << 20, false, 65536, &l));
    cr_assert_eq(l.ramdisk, 0);
    cr_assert_eq(l.end, BASE + (4 << 20));
    cr_assert_eq(l.ramdisk_pfn, 1024);
    cr_assert_eq(l.p2m_pfn, 1024 + 2560);
    cr_assert_eq(l.p2m_pages, 128);
    cr_assert_eq(l.p2m_tables, 3);
    cr_assert_eq(l.pages, 1024 + 2560 + 128 + 3);
}

Test(layout, too_big)
{
    struct file f = good();
    struct guest_layout l;

    cr_assert_null(parse(&f, sizeof(f)));
    cr_assert_not_null(layout_domain(&image, 3ULL << 30, false, 4096, &l),
                       "beyond the end of the address space");
    image.init_p2m = 0xffff800000000000;
    cr_assert_not_null(layout_domain(&image, 0, false, 4096, &l), "in Parador's slots");
    image.init_p2m = BASE + 0x200000;
    cr_assert_not_null(layout_domain(&image, 0, false, 4096, &l), "in the initial mapping");
}
