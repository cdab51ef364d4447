/* SPDX-License-Identifier: MIT
 *
 * The end of a domain's life, first half: it stops running for good (poweroff, crash, destroyed by domain 0)
 * and domain 0 hears of it. What it held is given back in steps: teardown.c.
 */
#include "domain/domain.h"

void domain_shutdown(struct domain *d, uint8_t reason)
{
    lock_take(&d->lock);
    if (!d->shut_down) {
        d->shut_down = true;
        if (!d->shutdown_code_set)
            d->shutdown_reason = reason;
        d->crashed = reason == SHUTDOWN_crash;
    }
    lock_drop(&d->lock);
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
    unsigned int w;
    int rc = 0;

    if (id > NR_WATCHDOGS)
        return refuse(-EINVAL, R_WATCHDOG, id, 0);
    lock_take(&d->lock);
    w = id ? id - 1 : (unsigned int)__builtin_ctz(~(unsigned int)d->watchdogs_in_use); /* or a free one */
    if (w == NR_WATCHDOGS || (id && !(d->watchdogs_in_use & 1U << w))) {
        rc = refuse(id ? -EINVAL : -ENOSPC, R_WATCHDOG, id, 0);
    } else if (id && !seconds) {
        timer_stop(&d->watchdog[w]);
        d->watchdogs_in_use &= (uint8_t) ~(1U << w);
    } else {
        timer_set(&d->watchdog[w], now_ns() + seconds * 1000000000ULL);
        d->watchdogs_in_use |= (uint8_t)(1U << w);
        rc = id ? 0 : (int)w + 1;
    }
    lock_drop(&d->lock);
    return rc;
}
