/* SPDX-License-Identifier: MIT
 *
 * Spinlocks, and the lock order, written once.
 *
 * A lock is taken only while all locks that the CPU holds have a smaller order; debug builds assert it. Locks
 * of equal order are taken only as a pair, by lock_pair(), lower address first. Parador runs with interrupts
 * off, so one kind of lock is enough; NMI and #MC handlers take none. A wait for a lock serves incoming
 * shoot-downs (cpu_relax()).
 */
#pragma once

#include "lib/types.h"
#include "lib/bug.h"

/* The order, outermost first: what each guards is said where it is declared. */
enum lock_order {
    LOCK_DOMAIN_LIST = 1, /* list of domains, domid allocation */
    LOCK_DOMAIN,          /* a domain's life cycle, descriptor tables, misc. state */
    LOCK_GRANT,           /* a domain's grant table */
    LOCK_EVTCHN,          /* a domain's event channels */
    LOCK_PAGE_LIST,       /* a domain's list of frames and its page counts */
    LOCK_SCHED,           /* run queues */
    LOCK_TIMER,           /* a CPU's timer list */
    LOCK_HEAP,            /* free frames */
    LOCK_CONSOLE,         /* the serial line and line buffers */
};

struct lock {
    uint32_t taken;
    uint32_t order; /* enum lock_order */
};

#define LOCK_INIT(which) \
    {                    \
        0, (which)       \
    }

/* Pause, and serve shoot-downs that came in (x86/traps.c; the host tests bring their own). */
void cpu_relax(void);

/* Debug: asserts the order and keeps this CPU's list of held locks (lib/lock.c); release: nothing. Host tests
 * bring their own, where other threads may come in between. */
#if defined(DEBUG) || defined(HOST_TEST)
void lock_check(const struct lock *l, bool taking);
#else
static inline void lock_check(const struct lock *l, bool taking)
{
}
#endif

static inline void lock_init(struct lock *l, enum lock_order order)
{
    l->taken = 0;
    l->order = (uint32_t)order;
}

static inline void lock_take(struct lock *l)
{
    lock_check(l, true);
    while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&l->taken, __ATOMIC_RELAXED))
            cpu_relax();
}

static inline void lock_drop(struct lock *l)
{
    lock_check(l, false);
    __atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}

static inline bool lock_is_taken(const struct lock *l)
{
    return __atomic_load_n(&l->taken, __ATOMIC_RELAXED) != 0;
}

/* Takes two locks of the same order (two domains' event channels, say); a and b may be the same. lib/lock.c
 */
void lock_pair(struct lock *a, struct lock *b);
void unlock_pair(struct lock *a, struct lock *b);
