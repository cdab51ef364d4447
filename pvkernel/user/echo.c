/* SPDX-License-Identifier: MIT
 *
 * echo: reads lines from the keyboard and says them again, until Ctrl-D.
 */
#include "pvkernel/user/lib/sys.h"

int main(int argc, char **argv)
{
    char line[128];
    long n;
    (void)argc, (void)argv;
    print("type lines; Ctrl-D ends\n");
    while ((n = syscall(SYS_read, 0L, line, sizeof(line))) > 0)
        syscall(SYS_write, 1L, line, n);
    return n < 0;
}
