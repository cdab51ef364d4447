/* SPDX-License-Identifier: MIT
 *
 * fault [KIND]: does what a program must not do: write (to a wild address), read (the kernel's memory), code
 * (write to its own), jump (into its data), divide (by zero), invalid (instruction), privileged
 * (instruction), stack (overflow). The kernel ends it with a line that says why; nothing else happens.
 */
#include "pvkernel/user/lib/sys.h"

static int equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static volatile int data;

static int deep(int n)
{
    volatile char room[4000] = { 0 };
    room[n % 4000] = (char)n;
    return (n < 1000000 ? deep(n + 1) : 0) + room[0];
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "write";
    if (equal(kind, "write"))
        *(volatile long *)0xdead0000UL = 1;
    else if (equal(kind, "read"))
        data = *(volatile int *)0xffffffff80100000UL;
    else if (equal(kind, "code"))
        *(volatile char *)(unsigned long)main = 1;
    else if (equal(kind, "jump"))
        ((void (*)(void))(unsigned long)&data)();
    else if (equal(kind, "divide"))
        __asm__ volatile("div %0" : : "r"(0), "a"(1), "d"(0));
    else if (equal(kind, "invalid"))
        __asm__ volatile("ud2");
    else if (equal(kind, "privileged"))
        __asm__ volatile("cli");
    else if (equal(kind, "stack"))
        data = deep(0);
    print("fault: still alive\n");
    return 1;
}
