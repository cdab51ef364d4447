/* SPDX-License-Identifier: MIT
 *
 * A user program faults, and the kernel stack of stack_switch is a read-only page: no place for the frame.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("crash_user_stack");
ROLE(domU);

USER_CODE(code_ud2, "ud2");

void test_main(void)
{
    struct pv_regs r;
    char *page = (char *)test_table_page();

    test_user_init();
    require(!HYPERVISOR_stack_switch(PV_SS, (unsigned long)page + PAGE_SIZE), "stack_switch");
    r = test_user_regs(code_ud2);
    test_expect_crash("a user's exception with a read-only kernel stack");
    pv_resume(&r);
    check(false, "the domain lives on");
}
