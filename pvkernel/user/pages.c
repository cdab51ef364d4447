/* SPDX-License-Identifier: MIT
 *
 * pages [N]: takes N pages of heap (256), writes to each, reads them back, and gives them back. Each first
 * touch is a page fault that the kernel serves with an mmu_update.
 */
#include "pvkernel/user/lib/sys.h"

#define PAGE 4096UL

int main(int argc, char **argv)
{
    unsigned long n = argc > 1 ? number(argv[1]) : 256;
    long heap = syscall(SYS_sbrk, n * PAGE);
    if (heap < 0) {
        print("pages: not enough memory\n");
        return 1;
    }
    volatile unsigned long *words = (volatile unsigned long *)heap;
    unsigned long start = (unsigned long)syscall(SYS_time);
    for (unsigned long i = 0; i < n; i++) {
        if (words[i * PAGE / sizeof(*words)] != 0) {
            print("pages: a fresh page is not zero\n");
            return 2;
        }
        words[i * PAGE / sizeof(*words)] = i + 1;
    }
    unsigned long ns = (unsigned long)syscall(SYS_time) - start;
    for (unsigned long i = 0; i < n; i++)
        if (words[i * PAGE / sizeof(*words)] != i + 1) {
            print("pages: a page lost what was written\n");
            return 3;
        }
    syscall(SYS_sbrk, -(long)(n * PAGE));
    print("pages: ");
    print_number(n);
    print(" pages, ");
    print_number(n ? ns / n : 0);
    print(" ns a fault\n");
    return 0;
}
