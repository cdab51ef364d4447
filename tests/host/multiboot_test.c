/* SPDX-License-Identifier: MIT
 *
 * What Multiboot 1 and 2 loaders hand over, read by hypervisor/boot/multiboot.c: memory, modules, command
 * lines.
 */
// sources: hypervisor/boot/multiboot.c
#include <criterion/criterion.h>
#include <stdarg.h>
#include <string.h>
#include "boot/boot.h"
#include "lib/print.h"
#include "mm/layout.h"

#define MB1_MAGIC 0x2badb002
#define MB2_MAGIC 0x36d76289

static uint8_t memory[16384] __attribute__((aligned(4096)));
static unsigned int troubles;
static char said[256];

void *maddr_to_virt(uint64_t maddr)
{
    cr_assert_lt(maddr, sizeof(memory));
    return memory + maddr;
}

uint64_t virt_to_maddr(const void *p)
{
    return (uint64_t)((const uint8_t *)p - memory);
}

void exit_note_trouble(void)
{
    troubles++;
}

void printk(enum log_level level, const char *fmt, ...)
{
    va_list args;

    (void)level;
    va_start(args, fmt);
    vsnprintf(said, sizeof(said), fmt, args);
    va_end(args);
}

static struct boot_info bi;

static void put32(uint32_t at, uint32_t val)
{
    memcpy(memory + at, &val, 4);
}

static void put64(uint32_t at, uint64_t val)
{
    memcpy(memory + at, &val, 8);
}

static uint32_t put_text(uint32_t at, const char *text)
{
    memcpy(memory + at, text, strlen(text) + 1);
    return at;
}

/* Information at 0x100, modules at 0x200, memory map at 0x300, texts from 0x800 on. */
static void multiboot1(void)
{
    memset(memory, 0, sizeof(memory));
    put32(0x100, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6);
    put32(0x100 + 16, put_text(0x800, "parador loglevel=info"));
    put32(0x100 + 20, 2);
    put32(0x100 + 24, 0x200);
    put32(0x200, 0x1000), put32(0x204, 0x1800), put32(0x208, put_text(0x900, "kernel a b"));
    put32(0x210, 0x2000), put32(0x214, 0x2345), put32(0x218, put_text(0x940, "disk ramdisk"));
    put32(0x100 + 44, 3 * 24);
    put32(0x100 + 48, 0x300);
    put32(0x300, 20), put64(0x304, 0), put64(0x30c, 0x9fc00), put32(0x314, 1);
    put32(0x318, 20), put64(0x31c, 0xf0000), put64(0x324, 0x10000), put32(0x32c, 2);
    put32(0x330, 20), put64(0x334, 0x100000), put64(0x33c, 0xff00000), put32(0x344, 1);
}

Test(multiboot, version_1)
{
    multiboot1();
    cr_assert_eq(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
    cr_assert_str_eq(bi.cmdline, "parador loglevel=info");
    cr_assert_eq(bi.nr_ranges, 2);
    cr_assert_eq(bi.ranges[0].end, 0x9fc00);
    cr_assert_eq(bi.ranges[1].start, 0x100000);
    cr_assert_eq(bi.ranges[1].end, 0x10000000);
    cr_assert_eq(bi.nr_modules, 2);
    cr_assert_eq(bi.modules[0].start, 0x1000);
    cr_assert_eq(bi.modules[1].end, 0x2345);
    cr_assert_str_eq(bi.modules[1].cmdline, "disk ramdisk");
    cr_assert(bi.reserved_start <= 0x900 && bi.reserved_end >= 0x940 + sizeof("disk ramdisk"));
}

Test(multiboot, memory_without_a_map)
{
    multiboot1();
    put32(0x100, 1);
    put32(0x104, 639);
    put32(0x108, 65536 - 1024);
    cr_assert_eq(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
    cr_assert_eq(bi.nr_ranges, 2);
    cr_assert_eq(bi.ranges[0].end, 639 << 10);
    cr_assert_eq(bi.ranges[1].end, 64 << 20);
    cr_assert_eq(bi.nr_modules, 0);
    cr_assert_str_eq(bi.cmdline, "");
}

Test(multiboot, modules_without_words)
{
    multiboot1();
    put32(0x208, 0);
    cr_assert_eq(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
    cr_assert_str_eq(bi.modules[0].cmdline, "");
}

Test(multiboot, more_modules_than_we_take)
{
    multiboot1();
    put32(0x100 + 20, BOOT_MAX_MODULES + 3);
    put32(0x100 + 24, 0x1000);
    for (uint32_t i = 0; i < BOOT_MAX_MODULES + 3; i++)
        put32(0x1000 + i * 16, i), put32(0x1000 + i * 16 + 4, i + 1);
    troubles = 0;
    cr_assert_eq(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
    cr_assert_eq(bi.nr_modules, BOOT_MAX_MODULES);
    cr_assert_eq(troubles, 1);
}

Test(multiboot, module_that_ends_before_it_starts)
{
    multiboot1();
    put32(0x204, 0x800);
    troubles = 0;
    cr_assert_eq(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
    cr_assert_eq(bi.nr_modules, 1);
    cr_assert_eq(troubles, 1);
}

Test(multiboot, ranges_of_impossible_sizes)
{
    static const uint32_t sizes[] = { 0, 19, 0xfffffffc /* 4 more is 0: a list without an end */,
                                      0xffffffff };

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        multiboot1();
        put32(0x318, sizes[i]);
        cr_assert_eq(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
        cr_assert_eq(bi.nr_ranges, 1, "the list ends before the broken one");
    }
}

Test(multiboot, modules_at_an_odd_address)
{
    multiboot1();
    memmove(memory + 0x281, memory + 0x200, 32);
    put32(0x100 + 24, 0x281);
    cr_assert_eq(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
    cr_assert_eq(bi.modules[1].end, 0x2345);
}

Test(multiboot, lines_without_an_end)
{
    multiboot1();
    memset(memory + 0x2000, 'x', 0x2000);
    put32(0x100 + 16, 0x2000);
    put32(0x208, 0x2fff);
    cr_assert_eq(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
    cr_assert_str_eq(bi.cmdline, "");
    cr_assert_str_eq(bi.modules[0].cmdline, "");
}

static uint32_t tag(uint32_t at, uint32_t type, uint32_t size)
{
    put32(at, type);
    put32(at + 4, size);
    return at + ((size + 7) & ~7u);
}

/* A whole list at `at`, as GRUB makes it: command line, module, a tag that nobody reads, memory map, end. Its
 * size. */
static uint32_t multiboot2(uint32_t at)
{
    uint32_t start = at;

    memset(memory, 0, sizeof(memory));
    at += 8;
    put_text(at + 8, "parador x");
    at = tag(at, 1, 8 + 10);
    put32(at + 8, 0x1000), put32(at + 12, 0x1fff), put_text(at + 16, "kernel words");
    at = tag(at, 3, 16 + 13);
    at = tag(at, 21, 12);
    put32(at + 8, 24), put32(at + 12, 0);
    put64(at + 16, 0x100000), put64(at + 24, 0x700000), put32(at + 32, 1);
    put64(at + 40, 0x800000), put64(at + 48, 0x1000), put32(at + 56, 2);
    at = tag(at, 6, 16 + 2 * 24);
    at = tag(at, 0, 8);
    put32(start, at - start);
    return at - start;
}

/* Where its tags begin. */
enum { CMDLINE = 8, MODULE = 32, UNREAD = 64, MMAP = 80, END = 144, SIZE = 152 };

Test(multiboot, version_2)
{
    cr_assert_eq(multiboot2(0x100), SIZE);
    troubles = 0;
    cr_assert_eq(multiboot_parse(MB2_MAGIC, 0x100, &bi), 0);
    cr_assert_eq(troubles, 0);
    cr_assert_str_eq(bi.cmdline, "parador x");
    cr_assert_eq(bi.nr_modules, 1);
    cr_assert_str_eq(bi.modules[0].cmdline, "kernel words");
    cr_assert_eq(bi.modules[0].end, 0x1fff);
    cr_assert_eq(bi.nr_ranges, 1);
    cr_assert_eq(bi.ranges[0].end, 0x800000);
    cr_assert(bi.reserved_start < bi.reserved_end);
}

/* The list moved up so that its `size` bytes end where memory ends: the sanitizer sees what is read beyond.
 */
static int parse_at_the_end(uint32_t size)
{
    uint32_t at = (uint32_t)sizeof(memory) - ((size + 7) & ~7u);
    uint8_t list[SIZE];

    memcpy(list, memory + 0x100, SIZE);
    memcpy(memory + at, list, size);
    troubles = 0;
    return multiboot_parse(MB2_MAGIC, at, &bi);
}

Test(multiboot, version_2_cut_anywhere)
{
    for (uint32_t size = 8; size < SIZE; size++) {
        multiboot2(0x100);
        put32(0x100, size);
        cr_assert_eq(parse_at_the_end(size) == 0, size >= END, "cut at %u",
                     size); /* a memory map, or nothing */
        cr_assert_eq(bi.nr_modules, size >= MODULE + 29);
        cr_assert_eq(strlen(bi.cmdline), size >= CMDLINE + 18 ? 9 : 0);
    }
}

Test(multiboot, version_2_tags_of_wrong_sizes)
{
    static const uint32_t tags[] = { CMDLINE, MODULE, UNREAD, MMAP };

    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t bit = 0; bit < 32 + 8; bit++) {
            uint32_t size;

            multiboot2(0x100);
            memcpy(&size, memory + 0x100 + tags[i] + 4, 4);
            put32(0x100 + tags[i] + 4, bit < 32 ? size ^ 1u << bit : bit - 32);
            parse_at_the_end(SIZE);
            cr_assert_leq(bi.nr_modules, 1);
            if (bit > 8) { /* far beyond the list, or less than a tag: a line, and the end of the list */
                cr_assert_eq(troubles, 1, "tag at %u, bit %u", tags[i], bit);
                cr_assert_eq(bi.nr_modules, tags[i] > MODULE);
            }
        }
}

Test(multiboot, version_2_lines_without_an_end)
{
    multiboot2(0x100);
    memset(memory + 0x100 + CMDLINE + 8, 'x', 10);
    cr_assert_lt(parse_at_the_end(SIZE), 0);
    cr_assert_str_eq(bi.cmdline, "");
    multiboot2(0x100);
    memset(memory + 0x100 + MODULE + 16, 'x', 13);
    cr_assert_lt(parse_at_the_end(SIZE), 0);
    cr_assert_eq(bi.nr_modules, 0);
    cr_assert_eq(troubles, 1);
}

Test(multiboot, version_2_noise)
{
    uint32_t seed = 1;

    for (int i = 0; i < 20000; i++) {
        multiboot2(0x100);
        for (int n = 0; n < 1 + i % 4; n++) {
            seed = seed * 1664525 + 1013904223;
            memory[0x100 + 8 + (seed >> 8) % (SIZE - 8)] = (uint8_t)(seed >> 24);
        }
        parse_at_the_end(SIZE);
        cr_assert_leq(bi.nr_ranges, BOOT_MAX_RANGES);
    }
}

Test(multiboot, what_is_none)
{
    multiboot1();
    cr_assert_lt(multiboot_parse(0x12345678, 0x100, &bi), 0);
    cr_assert(strstr(said, "not started by a Multiboot loader"));
    put32(0x100, 0);
    cr_assert_lt(multiboot_parse(MB1_MAGIC, 0x100, &bi), 0);
    cr_assert(strstr(said, "no memory map"));
    put32(0x100, 8), put32(0x104, 0); /* version 2: no tag at all */
    cr_assert_lt(multiboot_parse(MB2_MAGIC, 0x100, &bi), 0);
}
