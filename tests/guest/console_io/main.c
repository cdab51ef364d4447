/* SPDX-License-Identifier: MIT
 *
 * console_io: write and read, the bounds, and who may. A domU of stock Xen gets -EPERM for all of it; Parador
 * lets it write (docs/abi.md 10).
 */
#include "libpv/console.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("console_io");
ROLE(dom0, domU);

void test_main(void)
{
    static char long_line[300], text[] = "console_io: written\n", in[4];

    if (pv_console_is_ring()) {
        expect_eq(HYPERVISOR_console_io(CONSOLEIO_write, sizeof(text) - 1, text), -EPERM);
        expect_eq(HYPERVISOR_console_io(CONSOLEIO_read, sizeof(in), in), -EPERM);
        return;
    }
    expect_eq(HYPERVISOR_console_io(CONSOLEIO_write, sizeof(text) - 1, text), 0);
    expect_eq(HYPERVISOR_console_io(CONSOLEIO_write, 0, text), 0);
    memset(long_line, '.', sizeof(long_line) - 1);
    long_line[sizeof(long_line) - 1] = '\n';
    expect_eq(HYPERVISOR_console_io(CONSOLEIO_write, sizeof(long_line), long_line), 0);
    expect_eq(HYPERVISOR_console_io(CONSOLEIO_read, sizeof(in), in), 0); /* nobody types */
    expect_eq(HYPERVISOR_console_io(CONSOLEIO_write, 10, (void *)NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_console_io(CONSOLEIO_write, 10, (void *)0xffff820000000000UL), -EFAULT);
    expect_eq(HYPERVISOR_console_io(7, 10, text), -ENOSYS);
}
