/* SPDX-License-Identifier: MIT
 *
 * The end of a domain's life, first half: it stops running for good (poweroff, crash, destroyed by domain 0)
 * and domain 0 hears of it. What it held is given back in steps: teardown.c.
 */
#include "domain/crash.h"
#include "domain/domain.h"
#include <xen/sched.h>
#include "lib/print.h"

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

static void watchdog_over(void *arg)
{
    struct domain *d = arg;

    domain_crash_as(d, SHUTDOWN_watchdog, "it did not feed its watchdog in time");
}

void watchdog_init(struct domain *d)
{
    for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
        timer_init(&d->watchdog[i], watchdog_over, d);
}

void watchdog_stop(struct domain *d)
{
    for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
        timer_stop(&d->watchdog[i]);
}

int watchdog_set(struct domain *d, uint32_t id, uint32_t seconds)
{
    int rc = 0;

    if (id > NR_WATCHDOGS)
        return refuse(-EINVAL, R_WATCHDOG, id, 0);
    lock_take(&d->lock);
    if (id == 0) {
        while (id < NR_WATCHDOGS && d->watchdogs_in_use & 1U << id)
            id++;
        if (id == NR_WATCHDOGS) {
            rc = refuse(-ENOSPC, R_WATCHDOG, 0, 0);
        } else {
            d->watchdogs_in_use |= (uint8_t)(1U << id);
            timer_set(&d->watchdog[id], now_ns() + seconds * 1000000000ULL);
            rc = (int)id + 1;
        }
    } else if (!(d->watchdogs_in_use & 1U << (id - 1))) {
        rc = refuse(-EINVAL, R_WATCHDOG, id, 0);
    } else if (seconds == 0) {
        timer_stop(&d->watchdog[id - 1]);
        d->watchdogs_in_use &= (uint8_t) ~(1U << (id - 1));
    } else {
        timer_set(&d->watchdog[id - 1], now_ns() + seconds * 1000000000ULL);
    }
    lock_drop(&d->lock);
    return rc;
}
