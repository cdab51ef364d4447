/* SPDX-License-Identifier: MIT
 *
 * An exception with an empty trap table.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"

TEST("crash_no_handler");
ROLE(domU);

void test_main(void)
{
    require(!HYPERVISOR_set_trap_table(NULL), "empty the table");
    test_expect_crash("an exception that nobody handles");
    __asm__ volatile("ud2");
    check(false, "the domain lives on");
}
