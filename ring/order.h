/* SPDX-License-Identifier: MIT
 *
 * The only memory ordering that a ring needs, as five named operations. Nothing else in ring/ or drivers/
 * touches a word that the peer may change. Who pairs with whom (the letters stand at each use in ring.h):
 *
 *   A  front publishes requests  (ring_publish)  <->  A'  back looks for requests   (ring_observe)
 *   B  back publishes responses  (ring_publish)  <->  B'  front looks for responses (ring_observe)
 *   C  producer: index, then event threshold     <->  C'  consumer: event threshold, then index (ring_fence)
 *
 * A and B make the slots' contents visible before the index that covers them, and make the reading of a slot
 * come before the index that gives it back. C is Dekker's pattern: both sides write one word, then read the
 * other's. Without a full fence on both sides, x86 too may let both reads go first, and the consumer sleeps
 * on a full ring.
 *
 * Next: ring.h, and tests/model/ring_notify.pml, which proves C needful.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Makes everything before it (slots written, slots read) visible to whoever observes `value` in `*word`. */
static inline void ring_publish(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Reads the peer's word once; what the peer did before publishing that value is visible afterwards. */
static inline uint32_t ring_observe(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Writes a word that only ring_fence orders: an event threshold. */
static inline void ring_set(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Every store before it is visible to the peer before any load after it is done. */
static inline void ring_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * Copies between a slot and private memory. The compiler's fence makes the copy happen here and once: what is
 * checked afterwards is the copy, whatever the peer does to the slot (XSA-155).
 */
static inline void ring_copy(void *to, const void *from, size_t bytes)
{
    __builtin_memcpy(to, from, bytes);
    __asm__ volatile("" ::: "memory");
}
