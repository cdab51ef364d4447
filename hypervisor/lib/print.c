/* SPDX-License-Identifier: MIT
 *
 * vsnprintf and printk. A line of printk is formatted on the stack and handed to print_sink in one piece.
 */
#include "lib/print.h"
#include "lib/string.h"

enum log_level log_level = LOG_WARN; /* constant after boot */

static void no_sink(const char *s, size_t n)
{
    (void)s, (void)n;
}

void (*print_sink)(const char *s, size_t n) = no_sink; /* constant after boot */

/* The output so far: len counts on when buf is full. */
struct out {
    char *buf;
    size_t size, len;
};

static void put(struct out *o, char c)
{
    if (o->len < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void fill(struct out *o, char c, long n)
{
    while (n-- > 0)
        put(o, c);
}

/* One conversion: flags, width, precision (-1: none), length in bytes. */
struct spec {
    bool left, zero, alt;
    long width, precision;
    unsigned int bytes;
};

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
    size_t n = strnlen(s, sp->precision < 0 ? SIZE_MAX : (size_t)sp->precision);

    fill(o, ' ', sp->left ? 0 : sp->width - (long)n);
    for (size_t i = 0; i < n; i++)
        put(o, s[i]);
    fill(o, ' ', sp->left ? sp->width - (long)n : 0);
}

static void put_number(struct out *o, const struct spec *sp, uint64_t val, unsigned int base, bool negative,
                       bool upper)
{
    bool hex = sp->alt && base == 16 && val;
    char digits[24];
    long n = 0, prefix = (negative ? 1 : 0) + (hex ? 2 : 0), zeros;

    for (; val; val /= base)
        digits[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[val % base];
    zeros = (sp->precision < 0 ? 1 : sp->precision) - n;
    if (sp->precision < 0 && sp->zero && !sp->left)
        zeros = MAX(zeros, sp->width - prefix - n);
    zeros = MAX(zeros, 0L);
    fill(o, ' ', sp->left ? 0 : sp->width - prefix - zeros - n);
    if (negative)
        put(o, '-');
    if (hex) {
        put(o, '0');
        put(o, upper ? 'X' : 'x');
    }
    fill(o, '0', zeros);
    for (long i = n; i > 0; i--)
        put(o, digits[i - 1]);
    fill(o, ' ', sp->left ? sp->width - prefix - zeros - n : 0);
}

static long parse_count(const char **f, va_list *args)
{
    long n = 0;

    if (**f == '*') {
        (*f)++;
        return va_arg(*args, int);
    }
    for (; **f >= '0' && **f <= '9'; (*f)++)
        n = n * 10 + (**f - '0');
    return n;
}

static const char *parse_spec(const char *f, struct spec *sp, va_list *args)
{
    *sp = (struct spec){ .precision = -1, .bytes = 4 };
    for (;; f++) {
        if (*f == '-')
            sp->left = true;
        else if (*f == '0')
            sp->zero = true;
        else if (*f == '#')
            sp->alt = true;
        else
            break;
    }
    sp->width = parse_count(&f, args);
    if (sp->width < 0) {
        sp->left = true;
        sp->width = -sp->width;
    }
    if (*f == '.') {
        f++;
        sp->precision = parse_count(&f, args);
    }
    for (;; f++) {
        if (*f == 'h')
            sp->bytes /= 2;
        else if (*f == 'l' || *f == 'z')
            sp->bytes = 8;
        else
            return f;
    }
}

static uint64_t cut(uint64_t val, unsigned int bytes)
{
    return bytes == 8 ? val : val & ((1ULL << (bytes * 8)) - 1);
}

static int64_t sign_extend(uint64_t val, unsigned int bytes)
{
    unsigned int shift = 64 - bytes * 8;

    return (int64_t)(val << shift) >> shift;
}

static void put_integer(struct out *o, const struct spec *sp, char conv, uint64_t arg)
{
    if (conv == 'd' || conv == 'i') {
        int64_t val = sign_extend(arg, sp->bytes);

        put_number(o, sp, val < 0 ? 0 - (uint64_t)val : (uint64_t)val, 10, val < 0, false);
    } else {
        put_number(o, sp, cut(arg, sp->bytes), conv == 'u' ? 10 : 16, false, conv == 'X');
    }
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list list)
{
    struct out o = { buf, size ? size - 1 : 0, 0 };
    struct spec sp;
    va_list args;

    va_copy(args, list);
    for (const char *f = fmt; *f; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_spec(f + 1, &sp, &args);
        switch (*f) {
        case 'd':
        case 'i':
        case 'u':
        case 'x':
        case 'X':
            put_integer(&o, &sp, *f,
                        sp.bytes == 8 ? va_arg(args, uint64_t) : (uint64_t)va_arg(args, unsigned int));
            break;
        case 'p':
            sp.alt = true;
            put_number(&o, &sp, (uint64_t)va_arg(args, void *), 16, false, false);
            break;
        case 's':
            put_string(&o, &sp, va_arg(args, const char *));
            break;
        case 'c':
            put_string(&o, &(struct spec){ sp.left, false, false, sp.width, 1, 1 },
                       (char[2]){ (char)va_arg(args, int), 0 });
            break;
        case 0:
            f--;
            break;
        default: /* %% and what we don't know */
            put(&o, *f);
        }
    }
    va_end(args);
    if (size)
        buf[MIN(o.len, size - 1)] = 0;
    return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(buf, size, fmt, args);
    va_end(args);
    return n;
}

void printk(enum log_level level, const char *fmt, ...)
{
    char line[512];
    va_list args;
    int n;

    if (level > log_level)
        return;
    va_start(args, fmt);
    n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    print_sink(line, MIN((size_t)n, sizeof(line) - 1));
}
