/* SPDX-License-Identifier: MIT
 *
 * The largest frame that is ever pushed must lie in the guest's memory, not only the one of this exception:
 * with the stack pointer less than 96 bytes above the hypervisor's space even an exception without an error
 * code (56 bytes) ends the domain. Stock Xen looks at the frame in question, so there it is one that doesn't
 * fit. docs/safety.md XSA-215; bounce_at_edge has the stacks that do.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"

TEST("bounce_range");
ROLE(dom0, domU);

#define ABOVE 0xffff880000000000UL /* the first address behind the hypervisor's slots */

static char stack[8192] __attribute__((aligned(16), used));

/* On a stack of its own: what is left of the other one is not enough for it. */
static void __attribute__((used)) lives_on(void)
{
    check(false, "the domain lives on");
    test_finish();
}

static void __attribute__((naked)) handler(void)
{
    __asm__ volatile("lea stack + 8192(%rip), %rsp; call lives_on");
}

void test_main(void)
{
    unsigned long room = test_on_parador() ? 80 : 40;
    struct trap_info rows[2] = { { UD, 4, PV_CS, (unsigned long)handler }, { 0 } };

    require(!HYPERVISOR_set_trap_table(rows), "a handler");
    require(!pv_make_tables(ABOVE, PAGE_SIZE), "tables");
    require(!pv_map(ABOVE, test_pte(test_page(), PTE_KERNEL)), "the first page");
    test_expect_crash("a stack with room for a small frame above the hypervisor's memory");
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(ABOVE + room) : "memory");
}
