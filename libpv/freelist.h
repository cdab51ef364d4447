/* SPDX-License-Identifier: MIT
 *
 * A list of free numbers that vcpus and upcalls take from and put back at the same time, without a lock.
 *
 * next[i] is the number behind i, 0 ends the list. The head is one word: the first number, and a tag that
 * every pop changes. So a compare-and-exchange fails for who has read next[first] and slept while others took
 * `first` and put it back with another next (the tag comes round after 2^32 pops). Barriers: a push releases
 * what was done with the number before, the pop that gets it acquires that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pv_freelist {
    uint64_t head;  /* low half: the first number; high half: the tag */
    uint16_t *next; /* an element for each number */
};

/* The first number, which is the caller's now; 0: none is free. */
static inline unsigned int pv_freelist_pop(struct pv_freelist *l)
{
    uint64_t old = __atomic_load_n(&l->head, __ATOMIC_ACQUIRE), tag;
    uint32_t first;

    do {
        first = (uint32_t)old;
        if (!first)
            return 0;
        tag = (old >> 32) + 1;
    } while (!__atomic_compare_exchange_n(&l->head, &old,
                                          tag << 32 | __atomic_load_n(&l->next[first], __ATOMIC_RELAXED),
                                          false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
    return first;
}

/* Puts a number other than 0 in front. */
static inline void pv_freelist_push(struct pv_freelist *l, unsigned int number)
{
    uint64_t old = __atomic_load_n(&l->head, __ATOMIC_RELAXED);

    do
        __atomic_store_n(&l->next[number], (uint16_t)old, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&l->head, &old, (old >> 32 << 32) | number, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
}
