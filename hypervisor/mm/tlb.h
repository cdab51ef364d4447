/* SPDX-License-Identifier: MIT
 *
 * Which translations may still be cached, and getting rid of them.
 *
 * A clock ticks at every full flush of a CPU, and the CPU remembers the tick. A frame whose last use as a
 * type ends, and a frame that becomes free, remember the time. Before the frame gets another type or owner,
 * only CPUs that did not flush since then must flush (docs/safety.md, "TLBs are flushed before a frame gets a
 * new type"): with the many CR3 loads of a guest, most never need to.
 *
 * A flush ticks the clock before it flushes: a use that ends between the two then looks younger than the
 * flush, which costs a flush too many and never one too few; and the CPU remembers the tick when the flush is
 * done. Times are compared as differences; the CPUs all flush at least every 2^30 ticks, so the comparison
 * never wraps.
 */
#pragma once

#include "lib/types.h"

struct domain;

extern uint32_t tlb_clock; /* atomic; wraps */

/* The time that a frame remembers. */
static inline uint32_t tlb_stamp(void)
{
    return __atomic_load_n(&tlb_clock, __ATOMIC_RELAXED);
}

/* Whether a CPU that last flushed at `flushed` may hold translations of a frame whose use ended at `stamp`.
 */
static inline bool tlb_stale(uint32_t flushed, uint32_t stamp)
{
    return (int32_t)(flushed - stamp) <= 0;
}

/* Flushes the CPUs that did not since `stamp`. */
void tlb_filter_flush(uint32_t stamp);

/* Whether that would interrupt another CPU. */
bool tlb_others_hold(uint32_t stamp);

/* This CPU: everything (not global pages: there are none). */
void tlb_flush_local(void);

/* Another CPU may want a flush of this one: serve it. */
void tlb_serve(void);

/* The page of vaddr or, with ~0, everything, on the CPUs that may hold translations of these vcpus of d (bit
 * n: vcpu n). On other CPUs than this it is always everything. */
void tlb_flush_vcpus(const struct domain *d, uint64_t vcpus, uint64_t vaddr);

/* paging_ops.flush of pv_direct: the same for all of d's. */
void tlb_flush_domain(struct domain *d, uint64_t vaddr);

/* CR3 := maddr on this CPU, counted as the full flush that it is. */
void tlb_load_root(uint64_t maddr);
