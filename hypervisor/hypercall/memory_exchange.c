/* SPDX-License-Identifier: MIT
 *
 * XENMEM_exchange: trades frames for others, to get contiguous ones. Chunk by chunk: the smallest number of
 * extents on both sides that is the same amount of memory. A chunk's frames are stolen from the domain first
 * (they must be mapped nowhere); when new ones can't be had, they are given back, so that a chunk happens
 * whole or not at all.
 *
 * Stolen frames are nobody's and linked by their own `next`, the list's head is on the stack.
 */
#include "domain/domain.h"
#include "domain/refuse.h"
#include "hypercall/hypercall.h"
#include "hypercall/memory.h"
#include "mm/frame.h"
#include "x86/copy.h"
#include <xen/memory.h>

static void give_back(struct domain *d, uint64_t list)
{
    while (list) {
        uint64_t next = frame_of(MFN(list))->next;

        if (!domain_frame_give(d, MFN(list)))
            domain_frame_discard(MFN(list)); /* the domain dies meanwhile */
        list = next;
    }
}

static void discard(uint64_t list)
{
    while (list) {
        uint64_t next = frame_of(MFN(list))->next;

        domain_frame_discard(MFN(list));
        list = next;
    }
}

/* Takes the frames of n extents (their numbers are at guest) from d and puts them on *list. 0 or an errno. */
static int steal(struct domain *d, uint64_t guest, uint64_t n, unsigned int order, uint64_t *list)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t first;

        if (get_guest_u64(&first, guest + i * 8))
            return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
        for (uint64_t j = 0; j < 1UL << order; j++) {
            mfn_t m = MFN(first + j);

            if (!mfn_valid(m) || !domain_frame_steal(d, m))
                return refuse(-EINVAL, R_FRAME_NOT_GIVABLE, m.v, 0);
            frame_of(m)->next = (uint32_t)*list;
            *list = m.v;
        }
    }
    return 0;
}

/* Gives d n new extents and writes their numbers; their pfns are read from the same place. */
static int refill(struct domain *d, uint64_t guest, uint64_t n, unsigned int order)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t pfn;
        mfn_t m;

        if (get_guest_u64(&pfn, guest + i * 8))
            return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
        m = domain_frames_alloc(d, order);
        if (m.v == INVALID_MFN.v)
            return refuse(-ENOMEM, R_NO_MEMORY, 1UL << order, d->domid);
        for (uint64_t j = 0; j < 1UL << order; j++)
            m2p_set(MFN(m.v + j), PFN(pfn + j));
        if (put_guest_u64(m.v, guest + i * 8))
            return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    }
    return 0;
}

static int check_exchange(const struct xen_memory_exchange *x)
{
    uint64_t in = (uint64_t)x->in.extent_start.p, out = (uint64_t)x->out.extent_start.p;

    if (x->nr_exchanged > x->in.nr_extents || x->in.domid != x->out.domid)
        return refuse(-EINVAL, R_EXCHANGE, x->nr_exchanged, x->in.nr_extents);
    if (MAX(x->in.extent_order, x->out.extent_order) > memory_max_order())
        return refuse(-EPERM, R_EXTENTS, x->in.nr_extents, MAX(x->in.extent_order, x->out.extent_order));
    if (x->in.nr_extents > ~0UL >> MEMOP_OP_BITS || x->out.nr_extents > ~0UL >> MEMOP_OP_BITS ||
        x->in.nr_extents << x->in.extent_order != x->out.nr_extents << x->out.extent_order)
        return refuse(-EINVAL, R_EXCHANGE, x->in.nr_extents, x->out.nr_extents);
    if (x->nr_exchanged == x->in.nr_extents)
        return 0; /* no list is looked at */
    if (!guest_range_ok(in, x->in.nr_extents * 8) || !guest_range_ok(out, x->out.nr_extents * 8))
        return refuse(-EFAULT, R_BAD_POINTER, in, out);
    return 0;
}

long memory_exchange(void *arg)
{
    struct xen_memory_exchange *x = arg;
    unsigned int in_order = x->in.extent_order, out_order = x->out.extent_order;
    uint64_t in = (uint64_t)x->in.extent_start.p, out = (uint64_t)x->out.extent_start.p, ins, outs;
    struct domain *d;
    long rc = check_exchange(x);

    if (!rc && x->nr_exchanged < x->in.nr_extents)
        rc = memory_target(x->in.domid, &d);
    if (rc || x->nr_exchanged == x->in.nr_extents)
        return rc;
    ins = out_order > in_order ? 1UL << (out_order - in_order) : 1;
    outs = in_order > out_order ? 1UL << (in_order - out_order) : 1;
    if (x->nr_exchanged % ins)
        rc = refuse(-EINVAL, R_EXCHANGE, x->nr_exchanged, ins);
    for (uint64_t chunk = x->nr_exchanged / ins; !rc && x->nr_exchanged < x->in.nr_extents; chunk++) {
        uint64_t list = 0;

        rc = memory_clean(out_order);
        if (rc)
            break;
        rc = steal(d, in + chunk * ins * 8, ins, in_order, &list);
        if (rc) {
            give_back(d, list);
            break;
        }
        rc = refill(d, out + chunk * outs * 8, outs, out_order);
        if (rc == -ENOMEM) {
            give_back(d, list);
            break;
        }
        discard(list);
        x->nr_exchanged += ins;
        if (!rc && preempt_pending() && x->nr_exchanged < x->in.nr_extents)
            rc = -ERESTART;
    }
    put_domain(d);
    return rc;
}
