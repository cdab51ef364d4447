/* SPDX-License-Identifier: MIT
 *
 * The shared ring: its layout against the public headers, wrap-around, full and empty, a lying peer,
 * notifications, and two threads.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include "drivers/blkring.h"
#include "drivers/blk.h"

/* What the public macros ask of their user. */
#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#define SLOTS     BLK_RING_SLOTS

static _Alignas(4096) unsigned char page[PAGE_SIZE];
static struct blk_front front;
static struct blk_back back;

static void setup(void)
{
    blk_front_init(&front, page, PAGE_SIZE);
    blk_back_attach(&back, page, PAGE_SIZE);
}

TestSuite(ring, .init = setup);

static struct ring_page *shared(void)
{
    return (struct ring_page *)page;
}

static struct blkif_request request(uint64_t id)
{
    struct blkif_request req;

    memset(&req, 0, sizeof(req));
    req.id = id;
    req.sector_number = ~id;
    return req;
}

static struct blkif_response response(uint64_t id)
{
    struct blkif_response rsp;

    memset(&rsp, 0, sizeof(rsp));
    rsp.id = id;
    return rsp;
}

static bool put(uint64_t id)
{
    struct blkif_request req = request(id);

    return blk_front_put(&front, &req);
}

static bool answer(uint64_t id)
{
    struct blkif_response rsp = response(id);

    return blk_back_put(&back, &rsp);
}

Test(ring, layout_is_that_of_the_public_header)
{
    cr_assert_eq(offsetof(struct ring_page, req_prod), offsetof(struct blkif_sring, req_prod));
    cr_assert_eq(offsetof(struct ring_page, req_event), offsetof(struct blkif_sring, req_event));
    cr_assert_eq(offsetof(struct ring_page, rsp_prod), offsetof(struct blkif_sring, rsp_prod));
    cr_assert_eq(offsetof(struct ring_page, rsp_event), offsetof(struct blkif_sring, rsp_event));
    cr_assert_eq(offsetof(struct ring_page, slots), offsetof(struct blkif_sring, ring));
    cr_assert_eq(blk_SLOT_BYTES, sizeof(union blkif_sring_entry));
    cr_assert_eq(ring_slots(PAGE_SIZE, blk_SLOT_BYTES), __CONST_RING_SIZE(blkif, PAGE_SIZE));
    cr_assert_eq(front.ring.slots, BLK_RING_SLOTS);
    cr_assert_eq(BLK_MAX_SEGS, BLKIF_MAX_SEGMENTS_PER_REQUEST);
    cr_assert_eq(ring_slots(63, 1), 0);
    cr_assert_eq(ring_slots(65, 1), 1);
}

/* The public macros mix signs and shadow names. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"

/* Our front, and the back as the public header's macros are it. */
Test(ring, talks_to_a_back_of_the_public_macros)
{
    blkif_back_ring_t theirs;
    struct blkif_response rsp;
    int notify, work;

    BACK_RING_INIT(&theirs, (blkif_sring_t *)page, PAGE_SIZE);
    for (uint64_t id = 0; id < 5 * SLOTS; id++) {
        struct blkif_request req;

        cr_assert(put(id));
        cr_assert(ring_front_push(&front.ring)); /* it sleeps: it wants to know */
        cr_assert(RING_HAS_UNCONSUMED_REQUESTS(&theirs));
        RING_COPY_REQUEST(&theirs, theirs.req_cons++, &req);
        cr_assert_eq(req.id, id);
        cr_assert_eq(req.sector_number, ~id);
        RING_FINAL_CHECK_FOR_REQUESTS(&theirs, work);
        cr_assert_not(work);
        *RING_GET_RESPONSE(&theirs, theirs.rsp_prod_pvt++) = response(id);
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&theirs, notify);
        cr_assert(notify);
        cr_assert(blk_front_take(&front, &rsp));
        cr_assert_eq(rsp.id, id);
        cr_assert(ring_front_idle(&front.ring));
    }
}

/* Our back, and the front of the public macros. */
Test(ring, talks_to_a_front_of_the_public_macros)
{
    blkif_front_ring_t theirs;
    int notify, work;

    XEN_FRONT_RING_INIT(&theirs, (blkif_sring_t *)page, PAGE_SIZE);
    for (uint64_t id = 0; id < 5 * SLOTS; id++) {
        struct blkif_request req;
        struct blkif_response rsp;

        *RING_GET_REQUEST(&theirs, theirs.req_prod_pvt++) = request(id);
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&theirs, notify);
        cr_assert(notify);
        cr_assert(blk_back_take(&back, &req));
        cr_assert_eq(req.id, id);
        cr_assert(ring_back_idle(&back.ring));
        cr_assert(answer(id));
        cr_assert(ring_back_push(&back.ring));
        RING_COPY_RESPONSE(&theirs, theirs.rsp_cons++, &rsp);
        cr_assert_eq(rsp.id, id);
        RING_FINAL_CHECK_FOR_RESPONSES(&theirs, work);
        cr_assert_not(work);
    }
}

#pragma GCC diagnostic pop

Test(ring, full_ring_takes_no_more)
{
    struct blkif_request req;
    struct blkif_response rsp;

    for (uint64_t id = 0; id < SLOTS; id++)
        cr_assert(put(id));
    cr_assert_not(put(99));
    ring_front_push(&front.ring);
    for (uint64_t id = 0; id < SLOTS; id++)
        cr_assert(blk_back_take(&back, &req) && req.id == id);
    cr_assert_not(blk_back_take(&back, &req));
    cr_assert_not(put(99)); /* taken isn't answered */
    cr_assert(answer(7));
    cr_assert_not(blk_front_take(&front, &rsp)); /* put isn't pushed */
    ring_back_push(&back.ring);
    cr_assert(blk_front_take(&front, &rsp) && rsp.id == 7);
    cr_assert(put(99));
    cr_assert_not(put(100));
    cr_assert_null(front.ring.broken);
    cr_assert_null(back.ring.broken);
}

Test(ring, nothing_is_seen_before_the_push)
{
    struct blkif_request req;

    put(1);
    cr_assert_not(blk_back_take(&back, &req));
    ring_front_push(&front.ring);
    cr_assert(blk_back_take(&back, &req));
    cr_assert_not(ring_front_push(&front.ring)); /* nothing new: nothing to tell */
    cr_assert_eq(front.ring.stats.batches, 1);
}

Test(ring, indices_wrap_at_2_to_the_32)
{
    uint32_t start = UINT32_MAX - 2 * SLOTS - 5;

    shared()->req_prod = shared()->rsp_prod = start;
    shared()->req_event = shared()->rsp_event = start + 1;
    front.ring.req_put = front.ring.req_pushed = front.ring.rsp_seen = front.ring.rsp_taken = start;
    back.ring.rsp_put = back.ring.rsp_pushed = back.ring.req_seen = back.ring.req_taken = start;
    for (uint64_t id = 0; id < 6 * SLOTS; id += 3) {
        struct blkif_request req;
        struct blkif_response rsp;

        for (uint64_t i = 0; i < 3; i++)
            cr_assert(put(id + i));
        cr_assert(ring_front_push(&front.ring));
        for (uint64_t i = 0; i < 3; i++)
            cr_assert(blk_back_take(&back, &req) && req.id == id + i);
        cr_assert(ring_back_idle(&back.ring));
        for (uint64_t i = 0; i < 3; i++)
            cr_assert(answer(id + 2 - i)); /* out of order */
        cr_assert(ring_back_push(&back.ring));
        for (uint64_t i = 0; i < 3; i++)
            cr_assert(blk_front_take(&front, &rsp) && rsp.id == id + 2 - i);
        cr_assert(ring_front_idle(&front.ring));
    }
    cr_assert_lt(front.ring.req_put, SLOTS * 6);
    cr_assert_null(front.ring.broken);
    cr_assert_null(back.ring.broken);
}

Test(ring, back_answers_only_what_it_took)
{
    struct blkif_request req;

    cr_assert_not(answer(1));
    put(1);
    ring_front_push(&front.ring);
    cr_assert_not(answer(1));
    blk_back_take(&back, &req);
    cr_assert(answer(1));
    cr_assert_not(answer(1));
}

Test(ring, notifications_are_suppressed_while_the_peer_works)
{
    struct blkif_request req;

    put(1);
    cr_assert(ring_front_push(&front.ring)); /* asleep since the start */
    blk_back_take(&back, &req);
    put(2);
    cr_assert_not(ring_front_push(&front.ring)); /* it never said that it sleeps again */
    cr_assert_not(ring_back_idle(&back.ring));   /* and so must look */
    blk_back_take(&back, &req);
    cr_assert(ring_back_idle(&back.ring));
    put(3);
    put(4);
    cr_assert(ring_front_push(&front.ring)); /* the batch passes its threshold */
    cr_assert_eq(front.ring.stats.notified, 2);
    cr_assert_eq(front.ring.stats.suppressed, 1);
    cr_assert_eq(front.ring.stats.batches, 3);
    cr_assert_eq(front.ring.stats.requests, 4);
}

Test(ring, front_that_claims_too_many_requests_breaks_the_ring)
{
    static const uint32_t lies[] = { SLOTS + 1, 0x80000000u, UINT32_MAX };
    struct blkif_request req;

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        setup();
        shared()->req_prod = lies[i];
        cr_assert_not(blk_back_take(&back, &req));
        cr_assert_not_null(back.ring.broken);
        cr_assert_not(ring_back_idle(&back.ring));
        cr_assert_not(ring_back_push(&back.ring));
        shared()->req_prod = 1; /* too late to be good */
        cr_assert_not(blk_back_take(&back, &req));
        cr_assert_not(answer(0));
    }
    setup();
    shared()->req_prod = SLOTS; /* the most that is lawful */
    for (int i = 0; i < SLOTS; i++)
        cr_assert(blk_back_take(&back, &req));
    shared()->req_prod = SLOTS + 1; /* none was answered */
    cr_assert_not(blk_back_take(&back, &req));
    cr_assert_not_null(back.ring.broken);
    setup();
    put(1);
    put(2);
    ring_front_push(&front.ring);
    blk_back_take(&back, &req);
    blk_back_take(&back, &req);
    shared()->req_prod = 1; /* backwards */
    cr_assert_not(blk_back_take(&back, &req));
    cr_assert_not_null(back.ring.broken);
}

Test(ring, back_that_claims_too_many_responses_breaks_the_ring)
{
    struct blkif_response rsp;

    shared()->rsp_prod = 1; /* nothing was asked */
    cr_assert_not(blk_front_take(&front, &rsp));
    cr_assert_not_null(front.ring.broken);
    cr_assert_not(put(1));
    cr_assert_not(ring_front_idle(&front.ring));
    setup();
    put(1);
    put(2); /* put isn't pushed: it may not be answered */
    shared()->rsp_prod = 1;
    cr_assert_not(blk_front_take(&front, &rsp));
    cr_assert_not_null(front.ring.broken);
}

Test(ring, peer_cannot_change_what_was_taken)
{
    struct blkif_request req;

    put(5);
    ring_front_push(&front.ring);
    cr_assert(blk_back_take(&back, &req));
    memset(page + 64, 0xff, PAGE_SIZE - 64);
    cr_assert_eq(req.id, 5);
    cr_assert_eq(req.nr_segments, 0);
}

Test(ring, a_peer_that_rewrites_our_words_harms_nothing)
{
    struct blkif_request req;

    for (uint64_t id = 0; id < 3 * SLOTS; id++) {
        struct blkif_response rsp;

        shared()->rsp_prod = 12345; /* the front writes the back's word; the back never reads it back */
        put(id);
        ring_front_push(&front.ring);
        cr_assert(blk_back_take(&back, &req) && req.id == id);
        cr_assert(answer(id));
        ring_back_push(&back.ring);
        cr_assert(blk_front_take(&front, &rsp) && rsp.id == id);
    }
    cr_assert_null(back.ring.broken);
}

/* ---- two threads: no lost wake-up, no lost or doubled request ---- */

#define STRESS 300000

static sem_t event_front, event_back;
static uint64_t back_served;

static void *back_thread(void *arg)
{
    struct blkif_request batch[SLOTS];
    unsigned int seed = 1;

    while (back_served < STRESS) {
        unsigned int n = 0, limit = 1 + (unsigned int)rand_r(&seed) % SLOTS;

        while (n < limit && blk_back_take(&back, &batch[n]))
            n++;
        for (unsigned int i = n; i-- > 0;) { /* backwards: out of order */
            if (batch[i].sector_number != ~batch[i].id)
                return "a request was torn";
            if (!answer(batch[i].id))
                return "no room for a response";
        }
        back_served += n;
        if (ring_back_push(&back.ring))
            sem_post(&event_front);
        if (back.ring.broken)
            return (void *)back.ring.broken;
        if (back_served < STRESS && ring_back_idle(&back.ring))
            sem_wait(&event_back);
    }
    return arg;
}

Test(ring, two_threads, .timeout = 60)
{
    static unsigned char answered[STRESS];
    struct blkif_response rsp;
    pthread_t thread;
    uint64_t sent = 0, got = 0;
    unsigned int seed = 2;
    void *why;

    sem_init(&event_front, 0, 0);
    sem_init(&event_back, 0, 0);
    cr_assert_eq(pthread_create(&thread, NULL, back_thread, NULL), 0);
    while (got < STRESS) {
        for (unsigned int n = 1 + (unsigned int)rand_r(&seed) % SLOTS; n && sent < STRESS && put(sent); n--)
            sent++;
        if (ring_front_push(&front.ring))
            sem_post(&event_back);
        while (blk_front_take(&front, &rsp)) {
            cr_assert(rsp.id < sent && !answered[rsp.id]);
            answered[rsp.id] = 1;
            got++;
        }
        cr_assert_null(front.ring.broken);
        if (got < STRESS && (sent == STRESS || !ring_front_free(&front.ring)) && ring_front_idle(&front.ring))
            sem_wait(&event_front);
    }
    pthread_join(thread, &why);
    cr_assert_null(why, "%s", (char *)why);
    cr_assert_gt(front.ring.stats.suppressed, 0);
}
