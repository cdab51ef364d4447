/* SPDX-License-Identifier: MIT
 *
 * Waiting without threads: the vcpu sleeps until an event came. See kernel.h.
 */
#include "drivers/kernel.h"

/* An event between the look and the block would be slept over; so the look is done with events off, and
 * pv_block turns them on and sleeps in one step. */
static void block_vcpu(bool (*ready)(void *arg), void *arg)
{
    for (;;) {
        bool events = pv_events_off();

        if (ready(arg)) {
            pv_events_restore(events);
            return;
        }
        pv_block();
    }
}

static void no_wake(void)
{
}

static const struct drv_waiter vcpu_waiter = { block_vcpu, no_wake };
const struct drv_waiter *drv_waiter = &vcpu_waiter;
