/* SPDX-License-Identifier: MIT
 *
 * HYPERVISOR_iret with a stack pointer that no table maps: there is no frame to take. docs/abi.md 12.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"

TEST("crash_iret");
ROLE(domU);

void test_main(void)
{
    test_expect_crash("iret with the stack pointer at an address that no table maps");
    __asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall" : : "r"(NOWHERE) : "memory");
    check(false, "the domain lives on");
}
