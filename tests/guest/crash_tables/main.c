/* SPDX-License-Identifier: MIT
 *
 * A valid top-level table that maps nothing of the guest: the switch is allowed, and the guest's next
 * instruction its last.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"

TEST("crash_tables");
ROLE(domU);

void test_main(void)
{
    uint64_t *l4 = test_table_page();

    require(!test_pin(4, l4), "pin an empty L4");
    test_expect_crash("an address space without the kernel");
    test_mmuext(MMUEXT_NEW_BASEPTR, l4);
    check(false, "the domain lives on");
}
