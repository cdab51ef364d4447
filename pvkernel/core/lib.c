/* SPDX-License-Identifier: MIT
 *
 * Strings and numbers, and the text of errors.
 */
#include "pvkernel/core/lib.h"
#include "pvkernel/core/errno.h"

size_t str_len(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

bool str_equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

bool str_starts(const char *s, const char *prefix)
{
    while (*prefix)
        if (*s++ != *prefix++)
            return false;
    return true;
}

size_t str_copy(char *to, const char *from, size_t size)
{
    size_t n = str_len(from);
    if (size) {
        size_t m = n < size ? n : size - 1;
        memcpy(to, from, m);
        to[m] = 0;
    }
    return n;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

bool str_number(const char *s, uint64_t *value)
{
    uint64_t base = 10, v = 0;
    if (s[0] == '0' && (s[1] | 0x20) == 'x') {
        base = 16;
        s += 2;
    }
    if (digit(*s) >= (int)base)
        return false;
    for (; digit(*s) < (int)base; s++)
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (uint64_t)digit(*s), &v))
            return false;
    unsigned shift = *s == 'k' ? 10 : *s == 'M' ? 20 : *s == 'G' ? 30 : 0;
    if (shift)
        s++;
    *value = v << shift;
    return *s == 0 && *value >> shift == v;
}

const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

const char *error_text(int error)
{
    static const char *const text[] = {
        [KE_PERM] = "not permitted",    [KE_NOENT] = "no such file",  [KE_SRCH] = "no such process",
        [KE_INTR] = "interrupted",      [KE_IO] = "I/O error",        [KE_NOEXEC] = "not a program",
        [KE_BADF] = "not an open file", [KE_CHILD] = "no child",      [KE_AGAIN] = "try again",
        [KE_NOMEM] = "out of memory",   [KE_FAULT] = "bad address",   [KE_BUSY] = "busy",
        [KE_NODEV] = "no such device",  [KE_INVAL] = "bad argument",  [KE_NOSPC] = "past the end",
        [KE_NOSYS] = "not implemented", [KE_NXIO] = "no such sector", [KE_ROFS] = "read-only",
    };
    unsigned e = error < 0 ? 0u - (unsigned)error : (unsigned)error;
    return e < sizeof(text) / sizeof(*text) && text[e] ? text[e] : "error";
}
