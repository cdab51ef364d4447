/* SPDX-License-Identifier: MIT
 *
 * Line-buffered printing.
 */
#include "pvkernel/user/lib/sys.h"

static char buffer[128];
static size_t used;

static void put(char c)
{
    buffer[used++] = c;
    if (c == '\n' || used == sizeof(buffer)) {
        syscall(SYS_write, 1L, buffer, used);
        used = 0;
    }
}

void print(const char *text)
{
    while (*text)
        put(*text++);
}

void print_number(unsigned long n)
{
    if (n >= 10)
        print_number(n / 10);
    put((char)('0' + n % 10));
}

unsigned long number(const char *text)
{
    unsigned long n = 0;
    while (*text >= '0' && *text <= '9')
        n = n * 10 + (unsigned long)(*text++ - '0');
    return n;
}
