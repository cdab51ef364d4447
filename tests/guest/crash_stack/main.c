/* SPDX-License-Identifier: MIT
 *
 * An exception of the kernel while its stack is not mapped: there is no place for the bounce frame, so the
 * domain ends, it alone. XSA-215: the frame that is checked is the one that is pushed.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"

TEST("crash_stack");
ROLE(dom0, domU);

void test_main(void)
{
    test_expect_crash("an exception with the stack at an address that no table maps");
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(NOWHERE + 64) : "memory");
    check(false, "the domain lives on");
}
