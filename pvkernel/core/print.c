/* SPDX-License-Identifier: MIT
 *
 * Formatted text for messages. It has the conversions that lib.h lists and no more.
 */
#include "pvkernel/core/lib.h"
#include "pvkernel/core/arch.h"

struct out {
    char *to;
    size_t size, n;
};

struct spec {
    bool left, zero, upper;
    int width, precision; /* precision -1: none */
};

static void put(struct out *o, char c)
{
    if (o->n + 1 < o->size)
        o->to[o->n] = c;
    o->n++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t n)
{
    size_t width = s->width > 0 ? (size_t)s->width : 0;
    size_t pad = width > n ? width - n : 0;
    size_t i = 0;
    if (s->zero && !s->left && n && text[0] == '-') {
        put(o, '-');
        i = 1;
    }
    if (!s->left)
        for (size_t k = 0; k < pad; k++)
            put(o, s->zero ? '0' : ' ');
    for (; i < n; i++)
        put(o, text[i]);
    if (s->left)
        for (size_t k = 0; k < pad; k++)
            put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, bool negative, unsigned base)
{
    char buf[24];
    size_t i = sizeof(buf);
    do {
        buf[--i] = (s->upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
        v /= base;
    } while (v);
    if (negative)
        buf[--i] = '-';
    put_padded(o, s, buf + i, sizeof(buf) - i);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    size_t n = 0;
    if (!text)
        text = "(null)";
    while ((s->precision < 0 || n < (size_t)s->precision) && text[n])
        n++;
    put_padded(o, s, text, n);
}

static const char *parse_number(const char *f, va_list *ap, int *n)
{
    *n = 0;
    if (*f == '*') {
        *n = va_arg(*ap, int);
        return f + 1;
    }
    while (*f >= '0' && *f <= '9')
        *n = *n * 10 + (*f++ - '0');
    return f;
}

static const char *conversion(struct out *o, const char *f, va_list *ap)
{
    struct spec s = { .precision = -1 };
    for (;; f++) {
        if (*f == '-')
            s.left = true;
        else if (*f == '0')
            s.zero = true;
        else
            break;
    }
    f = parse_number(f, ap, &s.width);
    if (*f == '.')
        f = parse_number(f + 1, ap, &s.precision);
    unsigned longs = 0;
    while (*f == 'l' || *f == 'z')
        longs++, f++;
    switch (*f) {
    case 'd':
    case 'i': {
        long v = longs ? va_arg(*ap, long) : va_arg(*ap, int);
        put_number(o, &s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0, 10);
        break;
    }
    case 'u':
    case 'x':
    case 'X':
        s.upper = *f == 'X';
        put_number(o, &s, longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned), false,
                   *f == 'u' ? 10 : 16);
        break;
    case 'p':
        put(o, '0');
        put(o, 'x');
        put_number(o, &s, (uint64_t)va_arg(*ap, void *), false, 16);
        break;
    case 's':
        put_string(o, &s, va_arg(*ap, const char *));
        break;
    case 'c':
        s.zero = false;
        put_padded(o, &s, (char[]){ (char)va_arg(*ap, int) }, 1);
        break;
    case '%':
        put(o, '%');
        break;
    default: /* unknown: show it as it stands */
        put(o, '%');
        return f;
    }
    return f + 1;
}

int kvsnprintf(char *to, size_t size, const char *format, va_list ap)
{
    struct out o = { to, size, 0 };
    va_list copy;
    va_copy(copy, ap);
    while (*format) {
        if (*format == '%')
            format = conversion(&o, format + 1, &copy);
        else
            put(&o, *format++);
    }
    va_end(copy);
    if (size)
        to[o.n < size ? o.n : size - 1] = 0;
    return (int)o.n;
}

int ksnprintf(char *to, size_t size, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = kvsnprintf(to, size, format, ap);
    va_end(ap);
    return n;
}

static void print(const char *format, va_list ap)
{
    char line[512];
    int n = kvsnprintf(line, sizeof(line), format, ap);
    size_t len = (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
    arch_console_write(line, len);
}

void kprintf(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    print(format, ap);
    va_end(ap);
}

void panic(const char *format, ...)
{
    va_list ap;
    arch_irq_save();
    va_start(ap, format);
    kprintf("\npanic: ");
    print(format, ap);
    kprintf("\n");
    va_end(ap);
    arch_panic();
}
