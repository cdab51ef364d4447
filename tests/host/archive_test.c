/* SPDX-License-Identifier: MIT
 *
 * pvkernel's reader of newc archives, its POSIX checksum, its scripts and its number parser: all pure
 * functions.
 */
// sources: pvkernel/core/archive.c pvkernel/core/cksum.c pvkernel/core/script.c pvkernel/core/lib.c
// sources: pvkernel/core/print.c pvkernel/core/page.c pvkernel/core/lock.c tests/host/fake_arch.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pvkernel/core/archive.h"
#include "pvkernel/core/cksum.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/script.h"

static char *image;
static size_t image_size;

static void add(const char *name, unsigned mode, const char *data, size_t n)
{
    size_t namesize = strlen(name) + 1, start = image_size;
    image = realloc(image, image_size + 200 + namesize + n);
    image_size +=
        (size_t)sprintf(image + image_size, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1,
                        mode, 0, 0, 1, 0, (unsigned)n, 0, 0, 0, 0, (unsigned)namesize, 0);
    memcpy(image + image_size, name, namesize);
    for (image_size += namesize; (image_size - start) % 4; image_size++)
        image[image_size] = 0;
    memcpy(image + image_size, data, n);
    for (image_size += n; (image_size - start) % 4; image_size++)
        image[image_size] = 0;
}

static void make(void)
{
    image_size = 0;
    add("bin", 040755, "", 0);
    add("bin/hello", 0100755, "program", 7);
    add("./motd", 0100644, "Welcome\n", 8);
    add("empty", 0100644, "", 0);
    add("TRAILER!!!", 0, "", 0);
}

Test(archive, files_are_found)
{
    struct file f;
    make();
    ramdisk_set(image, image_size);
    cr_assert(ramdisk_find("bin/hello", &f));
    cr_assert_eq(f.size, 7);
    cr_assert_eq(memcmp(f.data, "program", 7), 0);
    cr_assert(ramdisk_find("motd", &f));
    cr_assert(ramdisk_find("/motd", &f));
    cr_assert(ramdisk_find("empty", &f));
    cr_assert_eq(f.size, 0);
    cr_assert(!ramdisk_find("bin", &f), "a folder is no file");
    cr_assert(!ramdisk_find("TRAILER!!!", &f));
    cr_assert(!ramdisk_find("mot", &f));
    ramdisk_set(NULL, 0);
    cr_assert(!ramdisk_find("motd", &f));
}

/* Reads to the end; the buffer has exactly `size` bytes, so the sanitizer sees any byte read behind it. */
static unsigned count(size_t size, int *error)
{
    struct file f;
    size_t offset = 0;
    unsigned n = 0;
    char *exact = malloc(size ? size : 1);
    memcpy(exact, image, size);
    while (archive_next(exact, size, &offset, &f, error)) {
        n++;
        cr_assert_leq((size_t)((char *)f.data - exact) + f.size, size);
        for (size_t i = 0; i < f.size; i++)
            (void)*(volatile uint8_t *)&f.data[i];
        cr_assert_lt(strlen(f.name), size);
    }
    free(exact);
    return n;
}

Test(archive, any_cut_is_survived)
{
    int error;
    make();
    cr_assert_eq(count(image_size, &error), 4);
    cr_assert_eq(error, 0);
    for (size_t size = 0; size + 4 < image_size; size++) {
        cr_assert_leq(count(size, &error), 4);
        cr_assert_eq(error, -KE_INVAL);
    }
}

Test(archive, any_byte_may_be_wrong)
{
    int error;
    make();
    for (size_t at = 0; at < image_size; at++) {
        char was = image[at];
        for (int k = 0; k < 6; k++) {
            image[at] = "F0g\377\0/"[k];
            count(image_size, &error);
        }
        image[at] = was;
    }
}

static uint32_t sum(const char *text)
{
    struct cksum c = { 0 };
    cksum_add(&c, text, strlen(text));
    return cksum_end(&c);
}

/* The values are what coreutils' cksum prints. */
Test(cksum, known_values)
{
    cr_assert_eq(sum(""), 4294967295u);
    cr_assert_eq(sum("a"), 1220704766u);
    cr_assert_eq(sum("123456789"), 930766865u);
    cr_assert_eq(sum("The quick brown fox jumps over the lazy dog\n"), 2382472371u);
}

Test(cksum, portions_do_not_matter)
{
    static unsigned char bytes[100000];
    struct cksum whole = { 0 };
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7 + (i >> 8));
    cksum_add(&whole, bytes, sizeof(bytes));
    uint32_t expected = cksum_end(&whole);
    for (size_t step = 1; step < 70; step += 3) {
        struct cksum c = { 0 };
        for (size_t at = 0; at < sizeof(bytes); at += step)
            cksum_add(&c, bytes + at, sizeof(bytes) - at < step ? sizeof(bytes) - at : step);
        cr_assert_eq(c.length, sizeof(bytes));
        cr_assert_eq(cksum_end(&c), expected);
    }
}

Test(script, commands_and_domains)
{
    static const struct {
        int domain;
        const char *command;
    } expected[] = {
        { 1, "sum xvda" }, { 0, "mem" },   { -1, "echo 'a;b'" },    { 12, "run hello" },
        { -1, "d:x" },     { -1, "disk" }, { -1, "echo \"it's\"" }, { -1, "last" },
    };
    const char *text =
        "d1: sum xvda ; d0:mem;;\n  echo 'a;b'\n# a comment; with this\nd12: run hello # and more\nd:x;disk;"
        "echo \"it's\"\nlast\0never";
    struct script s = { text, 200, 0, false };
    char command[100];
    int domain;
    for (unsigned i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        cr_assert(script_next(&s, &domain, command, sizeof(command)), "command %u", i);
        cr_assert_str_eq(command, expected[i].command);
        cr_assert_eq(domain, expected[i].domain);
    }
    cr_assert(!script_next(&s, &domain, command, sizeof(command)));
}

Test(script, long_commands_are_cut)
{
    struct script s = { "abcdefghij;k", 12, 0, false };
    char command[5];
    int domain;
    cr_assert(script_next(&s, &domain, command, sizeof(command)));
    cr_assert_str_eq(command, "abcd");
    cr_assert(s.cut);
    cr_assert(script_next(&s, &domain, command, sizeof(command)));
    cr_assert_str_eq(command, "k");
    cr_assert_not(s.cut);
}

Test(number, good_and_bad)
{
    uint64_t v;
    cr_assert(str_number("0", &v) && v == 0);
    cr_assert(str_number("1234", &v) && v == 1234);
    cr_assert(str_number("0x1F", &v) && v == 31);
    cr_assert(str_number("4k", &v) && v == 4096);
    cr_assert(str_number("2M", &v) && v == 2 << 20);
    cr_assert(str_number("18446744073709551615", &v) && v == UINT64_MAX);
    cr_assert(!str_number("18446744073709551616", &v));
    cr_assert(!str_number("18446744073709551615k", &v));
    cr_assert(!str_number("", &v));
    cr_assert(!str_number("0x", &v));
    cr_assert(!str_number("-1", &v));
    cr_assert(!str_number("12z", &v));
    cr_assert(!str_number("1kk", &v));
}

Test(print, conversions)
{
    static const struct {
        const char *expected, *format;
        long a, b;
    } t[] = {
        { "-5|5", "%ld|%lu", -5, 5 },
        { "  42|42  ", "%4ld|%-4lu", 42, 42 },
        { "-0042|ff", "%05ld|%lx", -42, 255 },
        { "00ff|FF", "%04lx|%lX", 255, 255 },
        { "%|x", "%%|%c", 'x', 0 },
    };
    char got[64], want[64];
    for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        ksnprintf(got, sizeof(got), t[i].format, t[i].a, t[i].b);
        snprintf(want, sizeof(want), t[i].format, t[i].a, t[i].b);
#pragma GCC diagnostic pop
        cr_assert_str_eq(got, t[i].expected);
        cr_assert_str_eq(got, want);
    }
    cr_assert_eq(ksnprintf(got, 6, "%s%.2s", "abcd", "xyz"), 6);
    cr_assert_str_eq(got, "abcdx");
    ksnprintf(got, sizeof(got), "%-6s|%6s|%*d", "ab", "cd", 4, 7);
    cr_assert_str_eq(got, "ab    |    cd|   7");
    ksnprintf(got, sizeof(got), "%lu %ld", UINT64_MAX, INT64_MIN);
    cr_assert_str_eq(got, "18446744073709551615 -9223372036854775808");
    cr_assert_eq(ksnprintf(NULL, 0, "%d", 123), 3);
}
