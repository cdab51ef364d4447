/* SPDX-License-Identifier: MIT
 *
 * vsnprintf and printk. A line of printk is formatted on the stack and handed to print_sink in one piece.
 */
#include "lib/print.h"
#include "lib/string.h"

enum log_level log_level = LOG_WARN; /* constant after boot */

static void no_sink(const char *s, size_t n)
{
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

/* One conversion: its flags, the least width. */
struct spec {
    bool left, zero, alt;
    int width;
};

/* The prefix (a sign, 0x) stands before zeros that fill the field, and behind spaces that do. */
static void put_text(struct out *o, const struct spec *sp, const char *prefix, const char *s, size_t n)
{
    long pad = sp->width - (long)(strlen(prefix) + n);

    fill(o, ' ', sp->left || sp->zero ? 0 : pad);
    while (*prefix)
        put(o, *prefix++);
    fill(o, '0', sp->zero && !sp->left ? pad : 0);
    for (size_t i = 0; i < n; i++)
        put(o, s[i]);
    fill(o, ' ', sp->left ? pad : 0);
}

static void put_number(struct out *o, const struct spec *sp, uint64_t val, unsigned int base, bool negative)
{
    const char *prefix = negative ? "-" : sp->alt && val ? "0x" : "";
    char digits[20], *end = digits + sizeof(digits), *at = end;

    do
        *--at = "0123456789abcdef"[val % base];
    while (val /= base);
    put_text(o, sp, prefix, at, (size_t)(end - at));
}

/* One conversion, of which f is behind the %; returns its letter's place. */
static const char *convert(struct out *o, const char *f, va_list *args)
{
    struct spec sp = { 0 };
    bool wide = false;
    int64_t val;
    char c;

    for (; *f == '-' || *f == '0' || *f == '#'; f++) {
        sp.left |= *f == '-';
        sp.zero |= *f == '0';
        sp.alt |= *f == '#';
    }
    if (*f == '*') {
        sp.width = va_arg(*args, int);
        f++;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        sp.width = sp.width * 10 + (*f - '0');
    for (; *f == 'l' || *f == 'z'; f++)
        wide = true;
    switch (*f) {
    case 'd':
        val = wide ? va_arg(*args, int64_t) : va_arg(*args, int);
        put_number(o, &sp, val < 0 ? 0 - (uint64_t)val : (uint64_t)val, 10, val < 0);
        break;
    case 'u':
    case 'x':
        put_number(o, &sp, wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int), *f == 'u' ? 10 : 16,
                   false);
        break;
    case 's': {
        const char *s = va_arg(*args, const char *);
        put_text(o, &sp, "", s, strlen(s));
        break;
    }
    case 'c':
        c = (char)va_arg(*args, int);
        put_text(o, &sp, "", &c, 1);
        break;
    case 0:
        return f - 1;
    default: /* %% and what we don't know */
        put(o, *f);
    }
    return f;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list list)
{
    struct out o = { buf, size ? size - 1 : 0, 0 };
    va_list args;

    va_copy(args, list);
    for (const char *f = fmt; *f; f++) {
        if (*f == '%')
            f = convert(&o, f + 1, &args);
        else
            put(&o, *f);
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
