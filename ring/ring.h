/* SPDX-License-Identifier: MIT
 *
 * A ring: one shared page, two private sides. The front puts requests and takes responses; the back takes
 * requests and puts responses, in any order it likes. The page is laid out as <xen/io/ring.h> has it, so the
 * peer may be anybody's:
 *
 *     0 req_prod   4 req_event   8 rsp_prod   12 rsp_event   16..63 unused   64 slot[0], slot[1], ...
 *
 * Indices run freely over 32 bits; slot = index modulo the number of slots, a power of two. A slot carries a
 * request, later a response. The invariant, all differences modulo 2^32:
 *
 *     rsp taken by front <= rsp published <= req taken by back <= req published <= rsp taken by front + slots
 *
 * Each side keeps its own indices privately and never reads back what it wrote. What the peer writes is read
 * once and checked against the invariant; a peer that breaks it makes the ring `broken` (a sentence says
 * why), and from then on nothing is taken or put. Notifications are suppressed by the event words: "tell me
 * when your index passes this".
 *
 * No locks: the caller serialises each side. No I/O: whoever pushes sends the event if it is told to. Memory
 * ordering: order.h. Proof of the wake-up protocol: tests/model/ring_notify.pml. Users: drivers/front/,
 * drivers/back/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ring/order.h"

/* The shared page. Written by both domains, trusted by neither. */
struct ring_page {
    uint32_t req_prod;  /* written by the front: requests published */
    uint32_t req_event; /* written by the back: notify when req_prod reaches this */
    uint32_t rsp_prod;  /* written by the back: responses published */
    uint32_t rsp_event; /* written by the front: notify when rsp_prod reaches this */
    uint8_t unused[48];
    unsigned char slots[];
};
_Static_assert(offsetof(struct ring_page, slots) == 64, "the slots start at byte 64");

struct ring_stats {
    uint64_t requests, responses;  /* published or taken by this side */
    uint64_t batches;              /* pushes that published something */
    uint64_t notified, suppressed; /* pushes that asked for a notification, and that needed none */
};

/* The front's private side; every field is the front's alone. */
struct ring_front {
    struct ring_page *page;
    uint32_t slots;      /* a power of two */
    uint32_t slot_bytes; /* the larger of request and response */
    uint32_t req_put;    /* requests written into slots ... */
    uint32_t req_pushed; /* ... and published */
    uint32_t rsp_seen;   /* the peer's index as last observed and found lawful */
    uint32_t rsp_taken;
    const char *broken; /* NULL: the peer kept the rules so far */
    struct ring_stats stats;
};

/* The back's private side; every field is the back's alone. */
struct ring_back {
    struct ring_page *page;
    uint32_t slots, slot_bytes;
    uint32_t rsp_put, rsp_pushed;
    uint32_t req_seen, req_taken;
    const char *broken;
    struct ring_stats stats;
};

/* How many slots of `slot_bytes` fit a shared area of `bytes`: rounded down to a power of two; 0 if none
 * does. */
static inline uint32_t ring_slots(size_t bytes, uint32_t slot_bytes)
{
    uint32_t slots = 1;

    if (bytes < sizeof(struct ring_page) + slot_bytes)
        return 0;
    while (2 * (size_t)slots * slot_bytes <= bytes - sizeof(struct ring_page))
        slots *= 2;
    return slots;
}

static inline unsigned char *ring_slot(struct ring_page *page, uint32_t index, uint32_t slots,
                                       uint32_t slot_bytes)
{
    return page->slots + (size_t)(index & (slots - 1)) * slot_bytes;
}

/* Did publishing (from, to] pass the peer's threshold? True: the peer wants to be told. */
static inline bool ring_passed(uint32_t event, uint32_t from, uint32_t to)
{
    return to - event < to - from;
}

/* The end of a push: counts it and says whether the peer must be notified. `event` is the peer's threshold.
 */
static inline bool ring_pushed(struct ring_stats *stats, const uint32_t *event, uint32_t from, uint32_t to)
{
    bool notify;

    ring_fence(); /* C: our index is visible before we read the threshold; pairs with C' in ring_*_idle */
    notify = ring_passed(ring_observe(event), from, to);
    stats->batches++;
    if (notify)
        stats->notified++;
    else
        stats->suppressed++;
    return notify;
}

/* ---- front ---- */

/*
 * Starts an empty ring in a page that only we know yet; the back attaches later. `bytes` is the size of the
 * shared area, `slot_bytes` the larger of request and response.
 */
static inline void ring_front_init(struct ring_front *f, void *page, size_t bytes, uint32_t slot_bytes)
{
    __builtin_memset(page, 0, bytes);
    *f =
        (struct ring_front){ .page = page, .slots = ring_slots(bytes, slot_bytes), .slot_bytes = slot_bytes };
    ring_set(&f->page->req_event, 1);
    ring_set(&f->page->rsp_event, 1);
}

/* Requests that can be put now: those without a taken response hold their slots. */
static inline uint32_t ring_front_free(const struct ring_front *f)
{
    return f->broken ? 0 : f->slots - (f->req_put - f->rsp_taken);
}

/* Writes one request into its slot; nobody sees it before the push. False: the ring is full or broken. */
static inline bool ring_front_put(struct ring_front *f, const void *req, uint32_t req_bytes)
{
    if (!ring_front_free(f))
        return false;
    ring_copy(ring_slot(f->page, f->req_put, f->slots, f->slot_bytes), req, req_bytes);
    f->req_put++;
    return true;
}

/* Publishes what was put. True: notify the back. */
static inline bool ring_front_push(struct ring_front *f)
{
    uint32_t from = f->req_pushed;

    if (f->broken || from == f->req_put)
        return false;
    ring_publish(&f->page->req_prod, f->req_put); /* A: after the slots; pairs with A' in ring_back_look */
    f->req_pushed = f->req_put;
    f->stats.requests += f->req_put - from;
    return ring_pushed(&f->stats, &f->page->req_event, from, f->req_put);
}

/* Looks at the back's index: are there responses to take? A back that answers more than it was asked breaks
 * the ring. */
static inline bool ring_front_look(struct ring_front *f)
{
    uint32_t prod;

    if (f->broken)
        return false;
    prod = ring_observe(&f->page->rsp_prod); /* B': before the slots; pairs with B in ring_back_push */
    if (prod - f->rsp_taken > f->req_pushed - f->rsp_taken) {
        f->broken = "the back published more responses than there are requests";
        return false;
    }
    f->rsp_seen = prod;
    return prod != f->rsp_taken;
}

/* Copies the next response out. False: none, or the ring is broken. */
static inline bool ring_front_take(struct ring_front *f, void *rsp, uint32_t rsp_bytes)
{
    if (f->broken || (f->rsp_seen == f->rsp_taken && !ring_front_look(f)))
        return false;
    ring_copy(rsp, ring_slot(f->page, f->rsp_taken, f->slots, f->slot_bytes), rsp_bytes);
    f->rsp_taken++;
    f->stats.responses++;
    return true;
}

/*
 * Call when nothing is left to take, before sleeping: asks for a notification at the next response and looks
 * once more. True: safe to sleep. False: responses came in between, take them (or the ring is broken).
 */
static inline bool ring_front_idle(struct ring_front *f)
{
    ring_set(&f->page->rsp_event, f->rsp_taken + 1);
    ring_fence(); /* C': our threshold is visible before we read the index; pairs with C in ring_pushed */
    return !ring_front_look(f) && !f->broken;
}

/* ---- back ---- */

/* Joins a ring that the front has started and nobody served yet. */
static inline void ring_back_attach(struct ring_back *b, void *page, size_t bytes, uint32_t slot_bytes)
{
    *b = (struct ring_back){ .page = page, .slots = ring_slots(bytes, slot_bytes), .slot_bytes = slot_bytes };
}

/* Looks at the front's index: are there requests to take? A front that claims more slots than there are
 * breaks the ring. */
static inline bool ring_back_look(struct ring_back *b)
{
    uint32_t prod;

    if (b->broken)
        return false;
    prod = ring_observe(&b->page->req_prod); /* A': before the slots; pairs with A in ring_front_push */
    if (prod - b->req_taken > b->slots - (b->req_taken - b->rsp_pushed)) {
        b->broken = "the front published more requests than the ring has slots";
        return false;
    }
    b->req_seen = prod;
    return prod != b->req_taken;
}

/* Copies the next request out. False: none, or the ring is broken. The caller checks the copy. */
static inline bool ring_back_take(struct ring_back *b, void *req, uint32_t req_bytes)
{
    if (b->broken || (b->req_seen == b->req_taken && !ring_back_look(b)))
        return false;
    ring_copy(req, ring_slot(b->page, b->req_taken, b->slots, b->slot_bytes), req_bytes);
    b->req_taken++;
    b->stats.requests++;
    return true;
}

/*
 * Writes one response; nobody sees it before the push. Every byte of `rsp` reaches the peer, padding too:
 * zero it first (XSA-216). False: each request taken has its response already, or the ring is broken.
 */
static inline bool ring_back_put(struct ring_back *b, const void *rsp, uint32_t rsp_bytes)
{
    if (b->broken || b->rsp_put == b->req_taken)
        return false;
    ring_copy(ring_slot(b->page, b->rsp_put, b->slots, b->slot_bytes), rsp, rsp_bytes);
    b->rsp_put++;
    return true;
}

/* Publishes what was put. True: notify the front. */
static inline bool ring_back_push(struct ring_back *b)
{
    uint32_t from = b->rsp_pushed;

    if (b->broken || from == b->rsp_put)
        return false;
    ring_publish(&b->page->rsp_prod, b->rsp_put); /* B: after the slots; pairs with B' in ring_front_look */
    b->rsp_pushed = b->rsp_put;
    b->stats.responses += b->rsp_put - from;
    return ring_pushed(&b->stats, &b->page->rsp_event, from, b->rsp_put);
}

/* As ring_front_idle, for requests. True: safe to sleep. */
static inline bool ring_back_idle(struct ring_back *b)
{
    ring_set(&b->page->req_event, b->req_taken + 1);
    ring_fence(); /* C': our threshold is visible before we read the index; pairs with C in ring_pushed */
    return !ring_back_look(b) && !b->broken;
}

/*
 * The typed face of a ring: RING_TYPES(blk, struct blkif_request, struct blkif_response) makes struct
 * blk_front and blk_back (the untyped side is their only member, `ring`), blk_front_init/put/take and
 * blk_back_attach/take/put.
 */
#define RING_TYPES(name, req_t, rsp_t)                                                          \
    enum { name##_SLOT_BYTES = sizeof(req_t) > sizeof(rsp_t) ? sizeof(req_t) : sizeof(rsp_t) }; \
    struct name##_front {                                                                       \
        struct ring_front ring;                                                                 \
    };                                                                                          \
    struct name##_back {                                                                        \
        struct ring_back ring;                                                                  \
    };                                                                                          \
    static inline void name##_front_init(struct name##_front *f, void *page, size_t bytes)      \
    {                                                                                           \
        ring_front_init(&f->ring, page, bytes, name##_SLOT_BYTES);                              \
    }                                                                                           \
    static inline bool name##_front_put(struct name##_front *f, const req_t *req)               \
    {                                                                                           \
        return ring_front_put(&f->ring, req, sizeof(*req));                                     \
    }                                                                                           \
    static inline bool name##_front_take(struct name##_front *f, rsp_t *rsp)                    \
    {                                                                                           \
        return ring_front_take(&f->ring, rsp, sizeof(*rsp));                                    \
    }                                                                                           \
    static inline void name##_back_attach(struct name##_back *b, void *page, size_t bytes)      \
    {                                                                                           \
        ring_back_attach(&b->ring, page, bytes, name##_SLOT_BYTES);                             \
    }                                                                                           \
    static inline bool name##_back_take(struct name##_back *b, req_t *req)                      \
    {                                                                                           \
        return ring_back_take(&b->ring, req, sizeof(*req));                                     \
    }                                                                                           \
    static inline bool name##_back_put(struct name##_back *b, const rsp_t *rsp)                 \
    {                                                                                           \
        return ring_back_put(&b->ring, rsp, sizeof(*rsp));                                      \
    }                                                                                           \
    _Static_assert(sizeof(req_t) && sizeof(rsp_t), "")
