/* SPDX-License-Identifier: MIT
 *
 * Parador's vsnprintf against the C library's: every conversion that lib/print.h promises, with flags, widths
 * and precisions, and buffers that are too small.
 */
// sources:
#include <criterion/criterion.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Its names are the C library's, so it is compiled in under others. */
#define vsnprintf hv_vsnprintf
#define snprintf  hv_snprintf
#include "hypervisor/lib/print.c"
#undef vsnprintf
#undef snprintf

/* Formats by both, into buffers of `size` bytes with a guard behind them. */
static void same(size_t size, const char *fmt, ...)
{
    char ours[128], theirs[128];
    int n, want;
    va_list args;

    memset(ours, 'x', sizeof(ours));
    memset(theirs, 'x', sizeof(theirs));
    va_start(args, fmt);
    want = vsnprintf(theirs, size, fmt, args);
    va_end(args);
    va_start(args, fmt);
    n = hv_vsnprintf(ours, size, fmt, args);
    va_end(args);
    cr_expect_eq(n, want, "\"%s\": length %d, not %d", fmt, n, want);
    cr_expect_arr_eq(ours, theirs, sizeof(ours), "\"%s\": \"%.*s\", not \"%.*s\"", fmt, 60, ours, 60, theirs);
}

Test(print, numbers)
{
    static const char *const formats[] = { "%d",    "%5d",  "%-5d|", "%05d",  "%u",  "%x",     "%#x",
                                           "%#10x", "%08x", "%-8x|", "%#08x", "%1d", "%-08x|", "%-#8x|" };
    static const int values[] = { 0, 1, -1, 7, 42, -42, 123456, INT_MAX, INT_MIN, 255, 65536 };

    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        for (size_t v = 0; v < ARRAY_SIZE(values); v++)
            same(sizeof("0123456789012345678901234567890123456789"), formats[f], values[v]);
    }
}

Test(print, long_numbers)
{
    static const char *const formats[] = { "%ld", "%lu",    "%lx",  "%llx",  "%lld",
                                           "%zu", "%016lx", "%#lx", "%20lu", "%-20ld|" };
    static const long values[] = { 0, 1, -1, LONG_MAX, LONG_MIN, 1L << 32, 0x7fffffffL };

    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        for (size_t v = 0; v < ARRAY_SIZE(values); v++)
            same(64, formats[f], values[v]);
    }
}

Test(print, strings)
{
    same(64, "%s", "hello");
    same(64, "[%8s]", "hello");
    same(64, "[%-8s]", "hello");
    same(64, "[%*s]", 7, "ab");
    same(64, "[%-*s]", 7, "ab");
    same(64, "[%s]", "");
    same(64, "%c%c", 'a', 'b');
    same(64, "[%3c]", 'a');
    same(64, "100%%");
}

Test(print, short_buffers)
{
    for (size_t size = 0; size < 20; size++)
        same(size, "%s is %d, %#x", "seven", 7, 255);
}
