/* SPDX-License-Identifier: MIT
 *
 * An exception of the kernel with its stack in the hypervisor's own memory: nothing may be pushed there.
 * XSA-215.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"

TEST("crash_hv_stack");
ROLE(domU);

void test_main(void)
{
    test_expect_crash("an exception with the stack in the hypervisor's memory");
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(0xffff820000001000UL) : "memory");
    check(false, "the domain lives on");
}
