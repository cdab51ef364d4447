/* SPDX-License-Identifier: MIT
 *
 * SCHEDOP_watchdog: two of them a domain, taken, fed, stopped; and its refusals. That one ends its domain
 * when it isn't fed would end domain 0 of stock Xen, and the machine: not here. xen/sched.h.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"

TEST("watchdog");
ROLE(dom0, domU);

#define LONG 3600 /* s */

/* As an int: stock Xen gives -ENOSPC as an unsigned number of 32 bits. */
static int watchdog(uint32_t id, uint32_t seconds)
{
    struct sched_watchdog w = { .id = id, .timeout = seconds };

    return (int)HYPERVISOR_sched_op(SCHEDOP_watchdog, &w);
}

void test_main(void)
{
    expect_eq(watchdog(1, LONG), -EINVAL); /* not taken yet */
    expect_eq(watchdog(3, LONG), -EINVAL);
    expect_eq(watchdog(0, LONG), 1);
    expect_eq(watchdog(0, LONG), 2);
    expect_eq(watchdog(0, LONG), -ENOSPC);
    expect_eq(watchdog(1, LONG), 0); /* fed */
    expect_eq(watchdog(1, 0), 0);
    expect_eq(watchdog(1, 0), -EINVAL);
    expect_eq(watchdog(0, LONG), 1);
    expect_eq(watchdog(1, 0), 0);
    expect_eq(watchdog(2, 0), 0);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_watchdog, (void *)NOWHERE), -EFAULT);
}
