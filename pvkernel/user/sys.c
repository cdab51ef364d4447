/* SPDX-License-Identifier: MIT
 *
 * sys [N]: N system calls (10,000) that do nothing, and what one costs.
 */
#include "pvkernel/user/lib/sys.h"

int main(int argc, char **argv)
{
    unsigned long n = argc > 1 ? number(argv[1]) : 10000;
    unsigned long start = (unsigned long)syscall(SYS_time);
    for (unsigned long i = 0; i < n; i++)
        syscall(SYS_getpid);
    unsigned long ns = (unsigned long)syscall(SYS_time) - start;
    print("sys: ");
    print_number(n);
    print(" system calls, ");
    print_number(n ? ns / n : 0);
    print(" ns each\n");
    return 0;
}
