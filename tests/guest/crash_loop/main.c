/* SPDX-License-Identifier: MIT
 *
 * The page fault handler itself isn't mapped: each fault makes another, until the stack is used up. The
 * hypervisor must not recurse with it.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"

TEST("crash_loop");
ROLE(domU);

void test_main(void)
{
    struct trap_info t[2] = { { .vector = PF, .flags = 4, .cs = PV_CS, .address = NOWHERE } };

    require(!HYPERVISOR_set_trap_table(t), "set_trap_table");
    test_expect_crash("a page fault whose handler faults");
    (void)*(volatile char *)(NOWHERE + PAGE_SIZE);
    check(false, "the domain lives on");
}
