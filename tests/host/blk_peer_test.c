/* SPDX-License-Identifier: MIT
 *
 * Block halves with a peer that lies, in the ring or in xenstore, or that goes away with ios under way.
 */
// sources: drivers/blk.c drivers/vaddr.c drivers/xenbus.c drivers/kernel.c libpv/xenstore.c
// sources: drivers/front/blkfront.c drivers/front/issue.c
// sources: drivers/back/blkback.c drivers/back/serve.c drivers/back/memdisk.c
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c tests/host/fake_machine.c tests/host/blk_pair.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libpv/errno.h"
#include "libpv/memory.h"
#include "libpv/xenstore.h"
#include "tests/host/blk_pair.h"

/* ---- a hostile frontend: requests written by hand into its ring ---- */

static int16_t raw(struct blkif_request *req)
{
    uint64_t id = req->id;
    unsigned char *slot;
    struct blkif_response rsp;

    cr_assert(blk_front_put(&front->ring, req));
    ring_front_push(&front->ring.ring);
    blkback_poke(back);
    while (blkback_pending())
        blkback_work();
    slot = ring_slot(front->ring.ring.page, front->ring.ring.rsp_taken, BLK_RING_SLOTS, blk_SLOT_BYTES);
    cr_assert(blk_front_take(&front->ring, &rsp), "no response");
    cr_assert_eq(rsp.id, id);
    cr_assert_eq(rsp.operation, req->operation);
    /* The padding is zero: nothing of the backend's memory comes along. */
    cr_assert_eq(slot[9], 0);
    cr_assert_arr_eq(slot + 12, "\0\0\0\0", 4);
    cr_assert_null(back->error);
    cr_assert_eq(back->in_flight, 0);
    cr_assert_eq(fake_mappings(), 1);
    return rsp.status;
}

Test(blk_peer, backend_refuses_wrong_requests_one_by_one)
{
    unsigned char *buf = fake_pages(2);
    int ref = pv_grant_access(0, pv_virt_to_mfn(buf), false), ro;
    struct blkif_request good = { .operation = BLKIF_OP_READ, .nr_segments = 1, .id = 0xdeadbeefcafef00d },
                         req;

    make_disk(100 * 512);
    start(&disk.store);
    good.seg[0] = (struct blkif_request_segment){ (grant_ref_t)ref, 0, 7 };
    req = good;
    cr_assert_eq(raw(&req), BLKIF_RSP_OKAY);
    cr_assert_arr_eq(buf, bytes, 4096);
    req = good, req.nr_segments = 0;
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.nr_segments = 12;
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.nr_segments = 255;
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.seg[0].first_sect = 5, req.seg[0].last_sect = 4;
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.seg[0].last_sect = 8;
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.seg[0].first_sect = req.seg[0].last_sect = 255;
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.sector_number = 93; /* the last sector is one behind the end */
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.sector_number = UINT64_MAX - 3; /* the sum overflows */
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.seg[0].gref = 999; /* not granted */
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.seg[0].gref = UINT32_MAX;
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.nr_segments = 3, req.seg[1].gref = 999,
    req.seg[2] = req.seg[0]; /* the middle one fails */
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.operation = BLKIF_OP_FLUSH_DISKCACHE; /* with data */
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req = good, req.operation = BLKIF_OP_DISCARD;
    cr_assert_eq(raw(&req), BLKIF_RSP_EOPNOTSUPP);
    req = good, req.operation = 255;
    cr_assert_eq(raw(&req), BLKIF_RSP_EOPNOTSUPP);
    ro = pv_grant_access(0, pv_virt_to_mfn(buf + 4096), true);
    req = good, req.seg[0].gref = (grant_ref_t)ro; /* read into a page that is granted read-only */
    cr_assert_eq(raw(&req), BLKIF_RSP_ERROR);
    req.operation = BLKIF_OP_WRITE;
    cr_assert_eq(raw(&req), BLKIF_RSP_OKAY);
    req = good; /* and it works still */
    cr_assert_eq(raw(&req), BLKIF_RSP_OKAY);
}

Test(blk_peer, frontend_that_lies_about_its_index_is_served_no_more)
{
    make_disk(100 * 512);
    start(&disk.store);
    front->ring.ring.page->req_prod += BLK_RING_SLOTS + 1;
    pv_event_send((unsigned int)front->port);
    run();
    cr_assert_not_null(blkback_info(back).error);
    cr_assert_not(blkback_info(back).connected);
    cr_assert_eq(fake_mappings(), 0); /* not even the ring */
    cr_assert(blkfront_settled(front) && !blkfront_ready(front));
    domain = 0;
    cr_assert_eq(xenbus_get_state(back->dir), XenbusStateClosed);
}

/* Random words all over the shared page, for a long time: the backend neither crashes nor keeps anything. */
Test(blk_peer, random_ring_pages)
{
    struct ring_page *page = fake_pages(1);
    unsigned char *data = fake_pages(1);
    uint32_t *words = (uint32_t *)page;
    unsigned int seed = 7, served = 0;
    struct ring_front init;

    make_disk(100 * 512);
    start_store();
    for (int round = 0; round < 500; round++) {
        int ring_ref = pv_grant_access(0, pv_virt_to_mfn(page), false);
        int data_ref = pv_grant_access(0, pv_virt_to_mfn(data), false);
        int port = pv_event_alloc_unbound(0, NULL, NULL);

        ring_front_init(&init, page, PAGE_SIZE, blk_SLOT_BYTES);
        domain = 0;
        back = blkback_offer(1, XVDA, &disk.store, false);
        domain = 1;
        xenbus_printf("device/vbd/51712", "ring-ref", "%d", ring_ref);
        xenbus_printf("device/vbd/51712", "event-channel", "%d", port);
        xenbus_set_state("device/vbd/51712", XenbusStateInitialised);
        xenbus_round(0);
        cr_assert(back->connected);
        for (int i = 0; i < 50; i++) {
            for (int n = 0; n < 100; n++)
                words[16 + rand_r(&seed) % 1008] =
                    (uint32_t)(rand_r(&seed) % 4 ? rand_r(&seed) % 16 : rand_r(&seed));
            words[0] += (uint32_t)(rand_r(&seed) % 5);
            if (rand_r(&seed) % 50 == 0)
                words[rand_r(&seed) % 4] = (uint32_t)rand_r(&seed);
            blkback_poke(back);
            for (int n = 0; n < 10 && blkback_pending(); n++)
                blkback_work();
        }
        served += (unsigned int)(back->ring.ring.stats.requests - back->refused);
        domain = 0;
        blkback_domain_gone(1);
        while (blkback_pending())
            blkback_work();
        cr_assert_eq(fake_mappings(), 0);
        cr_assert_null(blkback_next(NULL));
        pv_event_close((unsigned int)port);
        pv_grant_end(ring_ref);
        pv_grant_end(data_ref);
    }
    cr_assert_gt(served, 0, "none of the random requests was good: the test tests too little");
}

/* ---- a hostile backend: responses written by hand ---- */

static void bad_answer(uint64_t id, uint8_t operation, uint32_t advance)
{
    struct ring_page *page;
    struct blkif_response rsp;
    struct test_io t, queued, late;
    unsigned char *buf = fake_pages(1);

    make_disk(100 * 512);
    start(&disk.store);
    page = front->ring.ring.page;
    submit(&t, BLK_READ, 0, buf, 1);
    submit(&queued, BLK_READ, 0, buf, 1);
    memset(&rsp, 0, sizeof(rsp));
    rsp.id = id;
    rsp.operation = operation;
    memcpy(page->slots, &rsp, sizeof(rsp));
    page->rsp_prod += advance;
    pv_event_send((unsigned int)back->port);
    blkfront_event((unsigned int)front->port, front);
    cr_assert_not_null(blkfront_error(front));
    cr_assert_eq(t.nr_done, 1);
    cr_assert_eq(queued.nr_done, 1);
    cr_assert_eq(queued.io.status, -EIO);
    submit(&late, BLK_READ, 0, buf, 1);
    cr_assert(late.nr_done == 1 && late.io.status == -EIO);
    cr_assert_eq(fake_grants_used(), 1); /* the ring's */
}

Test(blk_peer, backend_answers_an_id_that_is_not_out)
{
    bad_answer(5, BLKIF_OP_READ, 1);
}

Test(blk_peer, backend_answers_an_id_out_of_range)
{
    bad_answer(UINT64_MAX, BLKIF_OP_READ, 1);
}

Test(blk_peer, backend_answers_another_operation)
{
    bad_answer(0, BLKIF_OP_WRITE, 1);
}

Test(blk_peer, backend_answers_too_much)
{
    bad_answer(0, BLKIF_OP_READ, 3);
}

Test(blk_peer, backend_answers_one_id_twice)
{
    struct test_io t[2];
    unsigned char *buf = fake_pages(1);
    struct blkif_response rsp;

    make_disk(100 * 512);
    start(&disk.store);
    submit(&t[0], BLK_READ, 0, buf, 1);
    submit(&t[1], BLK_READ, 1, buf + 512, 1);
    memset(&rsp, 0, sizeof(rsp));
    memcpy(front->ring.ring.page->slots, &rsp, sizeof(rsp));
    memcpy(front->ring.ring.page->slots + blk_SLOT_BYTES, &rsp, sizeof(rsp));
    front->ring.ring.page->rsp_prod += 2;
    blkfront_event((unsigned int)front->port, front);
    cr_assert(t[0].nr_done == 1 && t[0].io.status == 0);
    cr_assert(t[1].nr_done == 1 && t[1].io.status == -EIO);
    cr_assert_not_null(blkfront_error(front));
}

Test(blk_peer, backend_that_keeps_a_page_mapped)
{
    struct test_io t;
    unsigned char *buf = fake_pages(1);
    void *va = pv_vaddr_reserve(1);
    grant_handle_t handle;

    make_disk(100 * 512);
    start(&disk.store);
    submit(&t, BLK_READ, 0, buf, 1);
    cr_assert_eq(pv_grant_map(1, (grant_ref_t)front->slot[0].ref[0], va, false, &handle), 0);
    run();
    cr_assert_eq(t.nr_done, 1);
    cr_assert(t.io.stuck);
    cr_assert_eq(t.io.status, -EIO);
}

/* ---- ends ---- */

/* A slow disk, and n reads of a sector each under way. */
static void with_reads_out(struct test_io *t, unsigned char *buf, unsigned int n)
{
    make_disk(100 * 4096);
    slow_init(&disk);
    start(&slow.store);
    for (unsigned int i = 0; i < n; i++)
        submit(&t[i], BLK_READ, i, buf + i * 4096, 1);
}

Test(blk_peer, backend_closes_with_ios_out)
{
    struct test_io t[40];
    unsigned char *buf = fake_pages(40);

    with_reads_out(t, buf, 40);
    domain = 0;
    xenbus_set_state(back->dir, XenbusStateClosing);
    xenbus_round(1);
    for (unsigned int i = 0; i < 40; i++)
        cr_assert(t[i].nr_done == 1 && t[i].io.status == -EIO);
    cr_assert_eq(xenbus_get_state(front->dir), XenbusStateClosed);
    cr_assert_str_eq(blkfront_error(front), "the backend closed");
}

Test(blk_peer, backend_vanishes_from_xenstore)
{
    struct test_io t;
    unsigned char *buf = fake_pages(1);

    with_reads_out(&t, buf, 1);
    domain = 0;
    pv_xs_rm(0, "/local/domain/0/backend");
    xenbus_round(1);
    cr_assert(t.nr_done == 1 && t.io.status == -EIO);
}

static unsigned int notes;

static void note(const char *format, ...)
{
    (void)format;
    notes++;
}

Test(blk_peer, backend_s_domain_dies_and_xenstore_with_it)
{
    struct test_io t;
    unsigned char *buf = fake_pages(1);

    with_reads_out(&t, buf, 1);
    blkfront_check(note);
    cr_assert(t.nr_done == 0 && notes == 0);
    fake_port_orphan((unsigned int)front->port);
    blkfront_check(note);
    cr_assert(t.nr_done == 1 && t.io.status == -EIO && notes == 1);
}

Test(blk_peer, frontend_s_domain_dies_with_requests_in_the_store)
{
    struct test_io t[3];
    unsigned char *buf = fake_pages(3);

    with_reads_out(t, buf, 3);
    run();
    cr_assert_eq(slow.nr, 3);
    domain = 0;
    blkback_domain_gone(1);
    while (blkback_pending())
        blkback_work();
    cr_assert_eq(fake_mappings(), 4); /* the store may still write there */
    while (slow.nr)
        slow_finish(0);
    while (blkback_pending())
        blkback_work();
    cr_assert_eq(fake_mappings(), 0);
    cr_assert_null(blkback_next(NULL));
    cr_assert_eq(pv_xs_read(0, "/local/domain/0/backend/vbd/1/51712/state", (char *)buf, 10), -ENOENT);
}

Test(blk_peer, frontend_stops_and_another_begins)
{
    unsigned char *buf = fake_pages(1);

    make_disk(512);
    start(&disk.store);
    domain = 1;
    blkfront_stop(front);
    run();
    domain = 0;
    cr_assert_eq(xenbus_get_state(back->dir), XenbusStateClosed);
    cr_assert_eq(fake_mappings(), 0);
    cr_assert_eq(fake_grants_used(), 0);
    cr_assert_eq(fake_ports_used(), 0);
    domain = 1; /* a boot loader hands over to a kernel */
    xenbus_set_state("device/vbd/51712", XenbusStateInitialising);
    run();
    domain = 1;
    front = blkfront_start("device/vbd/51712");
    run();
    cr_assert(blkfront_ready(front));
    cr_assert_eq(do_io(BLK_READ, 0, buf, 1), 0);
    nothing_is_left();
}

Test(blk_peer, frontend_with_nonsense_parameters)
{
    static const char *const bad[][2] = {
        { "ring-ref", "999" },        { "ring-ref", "-1" },
        { "ring-ref", "12x" },        { "ring-ref", "99999999999999999999999" },
        { "event-channel", "63" },    { "event-channel", "" },
        { "protocol", "x86_32-abi" },
    };

    make_disk(512);
    start_store();
    domain = 0;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        domain = 0;
        back = blkback_offer(1, XVDA, &disk.store, false);
        domain = 1;
        xenbus_write("device/vbd/51712", "ring-ref", "8");
        xenbus_write("device/vbd/51712", "event-channel", "1");
        xenbus_write("device/vbd/51712", bad[i][0], bad[i][1]);
        xenbus_set_state("device/vbd/51712", XenbusStateInitialised);
        run();
        cr_assert_not(blkback_info(back).connected);
        cr_assert_not_null(blkback_info(back).error, "%s=%s", bad[i][0], bad[i][1]);
        cr_assert_eq(fake_mappings(), 0);
        domain = 0;
        cr_assert_eq(xenbus_get_state(back->dir), XenbusStateClosing);
        blkback_domain_gone(1);
    }
}

/* A frontend that writes a thousand nodes below its state: other devices' events are not lost in the flood.
 */
Test(blk_peer, flood_of_watch_events)
{
    struct blkback *other;
    unsigned int lines;

    make_disk(512);
    start_store();
    domain = 0;
    back = blkback_offer(1, XVDA, &disk.store, false);
    other = blkback_offer(1, XVDA + 16, &disk.store, false);
    run();
    lines = fake_lines;
    domain = 1;
    for (int i = 0; i < 900; i++)
        xenbus_printf("device/vbd/51712", "state", "%d", 10 + i);
    for (int i = 0; i < 900; i++) {
        char path[64];

        snprintf(path, sizeof(path), "device/vbd/51712/state/x%d", i);
        pv_xs_write(0, path, "");
    }
    xenbus_set_state("device/vbd/51728", XenbusStateInitialised); /* without a ring: an error */
    domain = 0;
    pv_xs_write(0, "/any", "thing"); /* an answer behind all the events */
    cr_assert_eq(fake_lines, lines, "%s", fake_line);
    run();
    cr_assert_not_null(blkback_info(other).error);
}