/* SPDX-License-Identifier: MIT
 *
 * The largest frame that is ever pushed must lie in the guest's memory, not only the one of this exception:
 * with the stack pointer less than 96 bytes above the hypervisor's space even an exception without an error
 * code (56 bytes) ends the domain. security.md XSA-215; bounce_at_edge is the stack right above.
 */
#include "tests/guest/pages.h"

TEST("bounce_range");
ROLE(dom0, domU);

#define ABOVE 0xffff880000000000UL /* the first address behind the hypervisor's slots */

void test_main(void)
{
    require(!pv_make_tables(ABOVE, PAGE_SIZE), "tables");
    require(!pv_map(ABOVE, test_pte(test_page(), PTE_KERNEL)), "the first page");
    test_expect_crash("a stack with room for a small frame above the hypervisor's memory");
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(ABOVE + 80) : "memory");
    check(false, "the domain lives on");
}
