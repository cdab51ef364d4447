/* SPDX-License-Identifier: MIT
 *
 * primes [N]: counts the primes below N (100,000) with a sieve on the heap: work without system calls, to be
 * pre-empted.
 */
#include "pvkernel/user/lib/sys.h"

int main(int argc, char **argv)
{
    unsigned long n = argc > 1 ? number(argv[1]) : 100000, count = 0;
    unsigned long start = (unsigned long)syscall(SYS_time);
    long heap = syscall(SYS_sbrk, n);
    if (heap < 0) {
        print("primes: not enough memory\n");
        return 1;
    }
    char *composite = (char *)heap;
    for (unsigned long i = 2; i < n; i++) {
        if (composite[i])
            continue;
        count++;
        for (unsigned long k = 2 * i; k < n; k += i)
            composite[k] = 1;
    }
    print("primes: ");
    print_number(count);
    print(" below ");
    print_number(n);
    print(", in ");
    print_number(((unsigned long)syscall(SYS_time) - start) / 1000);
    print(" us\n");
    return 0;
}
