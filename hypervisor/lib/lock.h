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

/* All locks and their order, outermost first. Beside them: the lock bit in a frame's word (mm/frame.h; held
 * over the change of one table entry or the check of one table, taken downwards only: a table's before those
 * of tables that it points to, and any of the locks below may be taken inside), and words changed by
 * compare-and-exchange alone (frames, grant entries, maptrack). */
enum lock_order {
    LOCK_DOMAIN_LIST = 1, /* domains.lock: the list, domids; teardown.lock: how many domains end */
    LOCK_DOMAIN,          /* d->lock: a domain's life cycle, its vcpus' first state, watchdogs */
    LOCK_GRANT,           /* d->grant->lock: a domain's grant table and its growth */
    LOCK_EVTCHN,          /* d->evtchn.lock: a domain's ports; a pair of them for two ends */
    LOCK_PAGE_LIST,       /* d->page_lock: a domain's lists of frames and its page counts */
    LOCK_SCHED,           /* run_queues[cpu].lock: the queue and its vcpus; a pair of them to move one */
    LOCK_TIMER,           /* timers[cpu].lock: a CPU's timers; wallclock.lock: the time of day */
    LOCK_HEAP,            /* heap.lock: free frames */
    LOCK_CONSOLE,         /* console.lock: the serial line, line buffers, the keyboard's owner */
};

struct lock {
    uint32_t taken;
    uint32_t order; /* enum lock_order */
};

#define LOCK_INIT(which) \
    {                    \
        0, (which)       \
    }

/* Pause, and serve shoot-downs that came in (x86/traps.c; the host tests bring their own). Who hardly ever
 * waits shall not save registers for it: it saves all itself (x86/entry.S), and the compiler sees no call. */
#ifdef HOST_TEST
void cpu_relax(void);
#else
void cpu_relax_called(void); /* what it does */
static inline void cpu_relax(void)
{
    __asm__ volatile("call cpu_relax_saving" ::: "memory", "cc");
}
#endif

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

static __attribute__((cold, noinline, unused)) void lock_wait(struct lock *l)
{
    do
        while (__atomic_load_n(&l->taken, __ATOMIC_RELAXED))
            cpu_relax();
    while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE));
}

static inline void lock_take(struct lock *l)
{
    lock_check(l, true);
    if (unlikely(__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE)))
        lock_wait(l);
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
