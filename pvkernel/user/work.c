/* SPDX-License-Identifier: MIT
 *
 * work [SEED]: a bit of everything that a program can ask of the kernel, without a word: pages come and go,
 * it sleeps and gives its turn away, and looks whether all it wrote is still there. Status 0: it is. `work
 * for-ever` never ends by itself. The command `stress` runs many of them.
 */
#include <stdbool.h>
#include "sys.h"

#define PAGE  4096ul
#define WORDS (PAGE / sizeof(unsigned long))

static unsigned long seed;

static unsigned long next(void)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return seed >> 33;
}

/* A heap of n pages, each with its own mark, looked at twice, with time for others between. */
static int pages(unsigned long n, unsigned long pid)
{
    long heap = syscall(SYS_sbrk, (long)(n * PAGE));
    volatile unsigned long *words = (volatile unsigned long *)heap;
    if (heap < 0)
        return 0; /* others have all of it: no mistake */
    for (unsigned long i = 0; i < n; i++) {
        if (words[i * WORDS] || words[i * WORDS + WORDS - 1])
            return 2; /* a fresh page is zero */
        words[i * WORDS] = words[i * WORDS + WORDS - 1] = pid << 32 | i;
    }
    if (next() % 4 == 0)
        syscall(SYS_sleep, (long)(next() % 3000000));
    else
        syscall(SYS_yield);
    for (unsigned long i = 0; i < n; i++)
        if (words[i * WORDS] != (pid << 32 | i) || words[i * WORDS + WORDS - 1] != (pid << 32 | i))
            return 3; /* somebody else wrote here, or we see somebody else's */
    return syscall(SYS_sbrk, -(long)(n * PAGE)) < 0 ? 4 : 0;
}

/* Some work, with a value in a register that the kernel doesn't use, but has to save. */
static int numbers(void)
{
    unsigned long sum = 0, n = 1000 + next() % 20000, mark = next(), kept;
    __asm__ volatile("movq %0, %%xmm5" : : "r"(mark));
    for (volatile unsigned long i = 1; i <= n; i++)
        sum += i;
    syscall(SYS_yield);
    __asm__ volatile("movq %%xmm5, %0" : "=r"(kept));
    return sum == n * (n + 1) / 2 && kept == mark ? 0 : 5;
}

int main(int argc, char **argv)
{
    unsigned long pid = (unsigned long)syscall(SYS_getpid);
    bool for_ever = argc > 1 && argv[1][0] == 'f';
    int status = 0;
    seed = pid;
    for (const char *p = argc > 1 ? argv[1] : ""; *p; p++)
        seed = seed * 31 + (unsigned char)*p;
    for (int i = 0; (i < 8 || for_ever) && !status; i++) {
        status = pages(1 + next() % 24, pid);
        if (!status)
            status = numbers();
    }
    return status;
}
