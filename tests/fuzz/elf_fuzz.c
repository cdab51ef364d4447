/* SPDX-License-Identifier: MIT
 *
 * A kernel's file: any bytes. What elf_parse() accepts fits together (elf.h) and can be laid out or is
 * refused, and its symbols can be asked for.
 */
// sources: hypervisor/boot/elf.c hypervisor/boot/layout.c hypervisor/boot/symbols.c
#include "boot/builder.h"
#include "tests/fuzz/fuzz.h"
#include "x86/cpu.h"

/* layout.c asks copy.h's range check only, this is never called. */
size_t copy_guest_raw(void *dst, const void *src, size_t n);
size_t copy_guest_raw(void *dst, const void *src, size_t n)
{
    (void)dst, (void)src;
    return n;
}

void cpu_window(void)
{
}

static bool in_file(const struct elf_image *e, const uint8_t *part, uint64_t size)
{
    return part >= e->file && (uint64_t)(part - e->file) <= e->file_size &&
           size <= e->file_size - (uint64_t)(part - e->file);
}

static void check_image(const struct elf_image *e)
{
    MUST(e->nr_segments >= 1 && e->nr_segments <= ELF_MAX_SEGMENTS);
    for (unsigned int i = 0; i < e->nr_segments; i++) {
        const struct elf_segment *s = &e->segments[i];

        MUST(s->offset <= e->file_size && s->file_size <= e->file_size - s->offset);
        MUST(s->file_size <= s->size && s->vaddr <= s->vaddr + s->size);
        MUST(s->vaddr >= e->start && s->vaddr + s->size <= e->end);
    }
    MUST(e->start >= e->virt_base && e->virt_base % PAGE_SIZE == 0);
    MUST(e->entry >= e->start && e->entry < e->end);
    if (e->hypercall_page != ELF_UNSET)
        MUST(e->hypercall_page >= e->start && e->hypercall_page <= e->end - PAGE_SIZE);
    if (e->symbols.table)
        MUST(in_file(e, e->symbols.table, e->symbols.size) &&
             in_file(e, e->symbols.strings, e->symbols.strings_size));
}

/* The parts of a domain lie one behind the other, without overlap, below its end. */
static void check_layout(const struct elf_image *e, uint64_t ramdisk, bool domain0, uint64_t nr_pages)
{
    struct guest_layout l;

    if (layout_domain(e, ramdisk, domain0, nr_pages, &l))
        return;
    MUST(l.start == e->virt_base && l.end > l.start && l.end % (4 << 20) == 0);
    MUST(e->end <= l.start_info && (!l.ramdisk || e->end <= l.ramdisk));
    MUST(!l.p2m || l.p2m_pages <= l.pages);
    MUST(l.start_info + PAGE_SIZE <= l.tables && l.tables + l.nr_tables * PAGE_SIZE == l.stack);
    MUST(l.stack + PAGE_SIZE <= l.end && l.pages >= (l.end - l.start) >> PAGE_SHIFT);
    MUST(domain0 ? !l.store && !l.console : l.console < l.tables && l.store == l.console - PAGE_SIZE);
}

/* Names of addresses at and between the symbols: printable, and they end. */
static void check_names(const struct elf_image *e)
{
    const struct symbols *s = symbols_keep(1, &e->symbols);
    uint64_t addrs[] = { 0, e->entry, e->symbols.code_start, e->symbols.code_end - 1, ~0ULL };
    char name[40];

    for (unsigned int i = 0; i < ARRAY_SIZE(addrs); i++) {
        memset(name, 'x', sizeof(name));
        symbols_name(s, addrs[i], name, sizeof(name));
        MUST(memchr(name, '\0', sizeof(name)));
        for (char *c = name; *c; c++)
            MUST(*c > ' ' && *c <= '~');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_image e;

    if (elf_parse(data, size, &e))
        return 0;
    check_image(&e);
    check_layout(&e, 100000, false, 8192);
    check_layout(&e, 0, true, 4096);
    check_names(&e);
    return 0;
}
