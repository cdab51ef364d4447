/* SPDX-License-Identifier: MIT
 *
 * Spin locks between the vcpus of one domain. Zero is free. Whoever holds one has event upcalls off, so an
 * upcall handler may take the same lock. Held for short stretches only; who waits gives its CPU up now and
 * then, because the holder's vcpu may be waiting for one.
 *
 * While the domain runs one vcpu, "events off" is the lock, and no locked instruction is executed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "libpv/event.h"
#include "libpv/vcpu.h"

struct pv_lock {
    uint32_t held;
};

/* One turn of a loop that waits for another vcpu; n: how many turns there were. */
void pv_spin(unsigned int n);

/* Without events off: for who keeps them off anyway. */
static inline void pv_lock_spin(struct pv_lock *l)
{
    if (!pv_several)
        return;
    for (unsigned int n = 0; __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE); n++)
        pv_spin(n);
}

/* Returns what pv_lock_drop wants back: whether events were on. */
static inline bool pv_lock_take(struct pv_lock *l)
{
    bool events = pv_events_off();

    pv_lock_spin(l);
    return events;
}

static inline void pv_lock_drop(struct pv_lock *l, bool events)
{
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
    pv_events_restore(events);
}
