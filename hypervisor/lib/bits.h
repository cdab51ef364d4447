/* SPDX-License-Identifier: MIT
 *
 * Single bits of arrays of words that others change at the same time: shared pages, masks of vcpus.
 * test_and_* are atomic and order everything around them (a lock prefix).
 */
#pragma once

#include "lib/types.h"

static inline bool test_bit(uint64_t nr, const uint64_t *words)
{
    return READ_ONCE(words[nr / 64]) >> (nr % 64) & 1;
}

/* The bit's value before. */
static inline bool test_and_set_bit(uint64_t nr, uint64_t *words)
{
#ifdef HOST_TEST /* sanitizers see into this one only */
    uint64_t bit = 1ULL << (nr % 64);

    return (__atomic_fetch_or(&words[nr / 64], bit, __ATOMIC_SEQ_CST) & bit) != 0;
#else
    bool was;

    __asm__ volatile("lock bts %1, %2" : "=@ccc"(was) : "r"(nr), "m"(*words) : "memory");
    return was;
#endif
}

static inline bool test_and_clear_bit(uint64_t nr, uint64_t *words)
{
    uint64_t bit = 1ULL << (nr % 64);

    return (__atomic_fetch_and(&words[nr / 64], ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

static inline void set_bit(uint64_t nr, uint64_t *words)
{
    __atomic_fetch_or(&words[nr / 64], 1ULL << (nr % 64), __ATOMIC_SEQ_CST);
}

static inline void clear_bit(uint64_t nr, uint64_t *words)
{
    __atomic_fetch_and(&words[nr / 64], ~(1ULL << (nr % 64)), __ATOMIC_SEQ_CST);
}
