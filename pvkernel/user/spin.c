/* SPDX-License-Identifier: MIT
 *
 * spin [SECONDS]: uses the CPU without a pause and never gives it up by itself; by default until Ctrl-C. Run
 * one with '&' and look at ps: the shell stays alive, because the timer pre-empts.
 */
#include "pvkernel/user/lib/sys.h"

int main(int argc, char **argv)
{
    unsigned long seconds = argc > 1 ? number(argv[1]) : 0;
    unsigned long end = (unsigned long)syscall(SYS_time) + seconds * 1000000000UL, rounds = 0;
    do {
        for (volatile unsigned long i = 0; i < 1000000; i++)
            ;
        rounds++;
    } while (!seconds || (unsigned long)syscall(SYS_time) < end);
    print("spin: ");
    print_number(rounds);
    print(" million rounds\n");
    return 0;
}
