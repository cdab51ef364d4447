/* SPDX-License-Identifier: MIT
 *
 * The end of a domain's life, first half: it stops running for good (poweroff, crash, destroyed by domain 0)
 * and domain 0 hears of it. What it held is given back in steps: teardown.c.
 */
#include "domain/domain.h"
#include <xen/sched.h>

void tell_domain0(void)
{
    struct domain *d = get_domain(0);

    if (!d)
        return;
    evtchn_send_global_virq(d, VIRQ_DOM_EXC);
    put_domain(d);
}

void domain_shutdown(struct domain *d, uint8_t reason)
{
    bool first;

    lock_take(&d->lock);
    first = !d->shut_down;
    if (first) {
        d->shut_down = true;
        if (!d->shutdown_code_set)
            d->shutdown_reason = reason;
        d->crashed = reason == SHUTDOWN_crash;
    }
    lock_drop(&d->lock);
    if (!first)
        return;
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        vcpu_pause(d->vcpu[i], PAUSE_SHUTDOWN);
    tell_domain0();
    domain_destroy(d);
}
