/* SPDX-License-Identifier: MIT
 *
 * hello [WORDS]: says hello, and what it was given.
 */
#include "pvkernel/user/lib/sys.h"

int main(int argc, char **argv)
{
    print("hello from user mode, process ");
    print_number((unsigned long)syscall(SYS_getpid));
    for (int i = 1; i < argc; i++) {
        print(i == 1 ? ": " : " ");
        print(argv[i]);
    }
    print("\n");
    return 0;
}
