/* SPDX-License-Identifier: MIT
 *
 * The printf family of print.h: one pass over the format, one struct for what a conversion asked for.
 */
#include "libpv/print.h"
#include <stdbool.h>
#include <stdint.h>
#include "libpv/console.h"
#include "libpv/string.h"

/* Where the text goes. len counts everything, also what no longer fits. */
struct out {
    char *buf;
    size_t size, len;
};

/* One conversion: what stands between % and its letter. */
struct spec {
    bool left, zero, plus, space, alt;
    int width, precision; /* precision -1: none given */
    int longs;            /* -2 hh, -1 h, 0, 1 l and longer */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void pad(struct out *o, char c, int n)
{
    while (n-- > 0)
        put(o, c);
}

/* Sign or 0x, then digits; both padded as the flags say. */
static void put_number(struct out *o, const struct spec *s, const char *prefix, const char *digits, int n)
{
    int zeros = s->precision > n ? s->precision - n : 0;
    int fill = s->width - (int)strlen(prefix) - zeros - n;

    if (s->zero && !s->left && s->precision < 0 && fill > 0) {
        zeros += fill;
        fill = 0;
    }
    if (!s->left)
        pad(o, ' ', fill);
    while (*prefix)
        put(o, *prefix++);
    pad(o, '0', zeros);
    for (int i = 0; i < n; i++)
        put(o, digits[i]);
    if (s->left)
        pad(o, ' ', fill);
}

static void put_unsigned(struct out *o, const struct spec *s, uint64_t v, unsigned int base, bool upper,
                         const char *prefix)
{
    const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char digits[24];
    int n = 0;

    for (uint64_t rest = v; rest; rest /= base)
        digits[sizeof(digits) - (size_t)++n] = set[rest % base];
    if (!v && s->precision)
        digits[sizeof(digits) - (size_t)++n] = '0';
    put_number(o, s, prefix, digits + sizeof(digits) - (size_t)n, n);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    size_t max = s->precision < 0 ? SIZE_MAX : (size_t)s->precision, n;

    if (!text)
        text = "(null)";
    n = strnlen(text, max);
    if (!s->left)
        pad(o, ' ', s->width - (int)n);
    for (size_t i = 0; i < n; i++)
        put(o, text[i]);
    if (s->left)
        pad(o, ' ', s->width - (int)n);
}

static int64_t narrow_signed(const struct spec *s, int64_t v)
{
    return s->longs == -2 ? (signed char)v : s->longs == -1 ? (short)v : s->longs == 0 ? (int)v : v;
}

static uint64_t narrow(const struct spec *s, uint64_t v)
{
    return s->longs == -2 ? (uint8_t)v : s->longs == -1 ? (uint16_t)v : s->longs == 0 ? (uint32_t)v : v;
}

static const char *parse_flags(const char *f, struct spec *s)
{
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else if (*f == '+')
            s->plus = true;
        else if (*f == ' ')
            s->space = true;
        else if (*f == '#')
            s->alt = true;
        else
            return f;
    }
}

static const char *parse_length(const char *f, struct spec *s)
{
    for (;; f++) {
        if (*f == 'h')
            s->longs--;
        else if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't')
            s->longs++;
        else
            return f;
    }
}

int pv_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = { buf, size, 0 };

    for (const char *f = fmt; *f; f++) {
        struct spec s = { .precision = -1 };
        uint64_t v;
        int64_t i;

        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_flags(f + 1, &s);
        if (*f == '*') {
            s.width = va_arg(args, int);
            f++;
        }
        for (; *f >= '0' && *f <= '9'; f++)
            s.width = s.width * 10 + (*f - '0');
        if (s.width < 0) {
            s.left = true;
            s.width = -s.width;
        }
        if (*f == '.') {
            s.precision = 0;
            if (*++f == '*') {
                s.precision = va_arg(args, int);
                f++;
            }
            for (; *f >= '0' && *f <= '9'; f++)
                s.precision = s.precision * 10 + (*f - '0');
        }
        f = parse_length(f, &s);
        switch (*f) {
        case 'd':
        case 'i':
            i = narrow_signed(&s, s.longs > 0 ? va_arg(args, long) : va_arg(args, int));
            put_unsigned(&o, &s, i < 0 ? -(uint64_t)i : (uint64_t)i, 10, false,
                         i < 0     ? "-"
                         : s.plus  ? "+"
                         : s.space ? " "
                                   : "");
            break;
        case 'u':
        case 'o':
        case 'x':
        case 'X':
            v = narrow(&s, s.longs > 0 ? va_arg(args, unsigned long) : va_arg(args, unsigned int));
            put_unsigned(&o, &s, v,
                         *f == 'u'   ? 10
                         : *f == 'o' ? 8
                                     : 16,
                         *f == 'X',
                         !s.alt || !v || *f == 'u' ? ""
                         : *f == 'o'               ? "0"
                         : *f == 'x'               ? "0x"
                                                   : "0X");
            break;
        case 'p':
            put_unsigned(&o, &s, (uintptr_t)va_arg(args, void *), 16, false, "0x");
            break;
        case 'c':
            put_string(&o, &s, (char[2]){ (char)va_arg(args, int), 0 });
            break;
        case 's':
            put_string(&o, &s, va_arg(args, const char *));
            break;
        case 0:
            f--;
            break;
        default:
            put(&o, *f);
        }
    }
    if (size)
        buf[o.len < size ? o.len : size - 1] = 0;
    return (int)o.len;
}

int pv_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = pv_vsnprintf(buf, size, fmt, args);
    va_end(args);
    return n;
}

int pv_vprintf(const char *fmt, va_list args)
{
    char text[512];
    int n = pv_vsnprintf(text, sizeof(text), fmt, args);

    pv_console_write(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
    return n;
}

int pv_printf(const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = pv_vprintf(fmt, args);
    va_end(args);
    return n;
}
