/* SPDX-License-Identifier: MIT
 *
 * Pairs of locks, and in debug builds the check of the lock order (lib/lock.h).
 */
#include "lib/lock.h"
#if defined(DEBUG) && !defined(HOST_TEST)
#include "x86/percpu.h"

void lock_check(const struct lock *l, bool taking)
{
    struct cpu *c = this_cpu();
    uint32_t bit = 1U << l->order;

    if (taking) {
        if (c->held_locks >= bit && !(c->held_locks & bit && c->lock_pairing))
            BUG("lock of order %u taken while holding %x", l->order, c->held_locks);
        c->held_locks |= bit;
    } else {
        if (!lock_is_taken(l) || !(c->held_locks & bit))
            BUG("lock of order %u dropped, but not held (%x)", l->order, c->held_locks);
        if (!c->lock_pairing)
            c->held_locks &= ~bit;
    }
}
#endif

static void pairing(bool on)
{
#if defined(DEBUG) && !defined(HOST_TEST)
    this_cpu()->lock_pairing = on;
#endif
}

void lock_pair(struct lock *a, struct lock *b)
{
    struct lock *first = a < b ? a : b, *second = a < b ? b : a;

    lock_take(first);
    if (first == second)
        return;
    pairing(true);
    lock_take(second);
    pairing(false);
}

void unlock_pair(struct lock *a, struct lock *b)
{
    if (a != b) {
        pairing(true);
        lock_drop(b);
        pairing(false);
    }
    lock_drop(a);
}
