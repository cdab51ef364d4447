/* SPDX-License-Identifier: MIT
 *
 * Not a test: the quiet domain 0 of a machine on which others are tested. It waits until no other domain
 * lives, and powers off. VIRQ_DOM_EXC tells of ends; the list of domains is Parador's (libpv/parador.h), so
 * anywhere else it ends at once.
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/shutdown.h"
#include "tests/guest/test.h"

TEST("idle0");

static bool others_live(void)
{
    struct parador_domain_info info = { .idx = 0 };

    for (; HYPERVISOR_parador(PARADOR_domain_info, &info) == 0;
         info = (struct parador_domain_info){ .idx = info.idx + 1 }) {
        if (info.domid != 0 && !info.dying)
            return true;
    }
    return false;
}

void test_main(void)
{
    int port = pv_event_bind_virq(VIRQ_DOM_EXC, NULL, NULL);

    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    while (port > 0 && others_live())
        pv_event_wait(
            (unsigned int)port,
            1000000000); /* look again now and then: an end before the port was bound sent nothing */
    pv_poweroff();
}
