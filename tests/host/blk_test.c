/* SPDX-License-Identifier: MIT
 *
 * Block frontend and backend in one process: the meeting over the real xenstore server, data over real second
 * mappings of the same pages, disks of odd sizes, and peers that lie.
 */
// sources: drivers/blk.c drivers/vaddr.c drivers/xenbus.c drivers/kernel.c libpv/xenstore.c
// sources: drivers/front/blkfront.c drivers/front/issue.c
// sources: drivers/back/blkback.c drivers/back/serve.c drivers/back/memdisk.c
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c tests/host/fake_machine.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/back/memdisk.h"
#include "drivers/back/state.h"
#include "drivers/front/state.h"
#include "drivers/xenstore/server.h"
#include "libpv/errno.h"
#include "libpv/memory.h"
#include "libpv/xenstore.h"
#include "libpv/xenstore_ring.h"
#include "tests/host/fake_pv.h"

#define XVDA 51712

/* ---- one xenstore for both domains: who asks is `domain` ---- */

static struct xs_server *server;
static struct xs_conn *conns[2];
static int domain;

const struct pv_xs_transport *pv_xs_ring_connect(void)
{
    return NULL;
}

void pv_xs_ring_hooks(const struct pv_xs_hooks *hooks)
{
    (void)hooks;
}

void pv_xs_ring_drain(void)
{
}

void pv_xs_ring_wait(void)
{
    abort();
}

static bool next_message(struct xs_conn *c, struct xsd_sockmsg *hdr, void *body)
{
    return xs_server_output(c, hdr, sizeof(*hdr)) && (xs_server_output(c, body, hdr->len), true);
}

static int request(const struct xsd_sockmsg *hdr, const void *body, struct xsd_sockmsg *rhdr, void *rbody)
{
    struct xs_conn *c = conns[domain];

    xs_server_input(c, hdr, sizeof(*hdr));
    xs_server_input(c, body, hdr->len);
    while (next_message(c, rhdr, rbody)) {
        char *text = rbody;

        if (rhdr->type != XS_WATCH_EVENT)
            return 0;
        pv_xs_push_watch(text, text + strlen(text) + 1);
    }
    return -EIO;
}

/* Runs the watch callbacks of one domain. */
static bool xenbus_round(int d)
{
    char body[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg hdr;

    domain = d;
    while (next_message(conns[d], &hdr, body))
        pv_xs_push_watch(body, body + strlen(body) + 1);
    return xenbus_work();
}

/* Everything, until nothing happens any more. */
static void run(void)
{
    bool any;

    do {
        any = xenbus_round(0);
        any |= xenbus_round(1);
        domain = 0;
        any |= fake_upcalls() != 0;
        if (blkback_pending())
            any |= (blkback_work(), true);
        any |= fake_upcalls() != 0;
    } while (any);
}

/* ---- a disk that finishes when the test says so, in any order ---- */

static struct slow_disk {
    struct blk_store store;
    struct memdisk *behind;
    struct blk_io *waiting[64];
    unsigned int nr;
} slow;

static void slow_submit(struct blk_store *store, struct blk_io *io)
{
    (void)store;
    slow.waiting[slow.nr++] = io;
}

static void slow_finish(unsigned int i)
{
    struct blk_io *io = slow.waiting[i];

    memmove(&slow.waiting[i], &slow.waiting[i + 1], (--slow.nr - i) * sizeof(io));
    blk_submit(&slow.behind->store, io); /* which calls done */
}

static void slow_init(struct memdisk *m)
{
    static const struct blk_store_ops ops = { slow_submit };

    memset(&slow, 0, sizeof(slow));
    slow.store = m->store;
    slow.store.ops = &ops;
    slow.behind = m;
}

/* ---- set-up ---- */

static unsigned char *bytes; /* the file */
static struct memdisk disk;
static struct blkback *back;
static struct blkfront *front;

static void make_disk(size_t size)
{
    bytes = malloc(size ? size : 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 512);
    memdisk_init(&disk, "disk", bytes, size, false);
}

static void start_store(void)
{
    static const struct pv_xs_transport transport = { request };
    static const char perms[] = "n1";

    server = xs_server_new();
    conns[0] = xs_server_open(server, 0);
    conns[1] = xs_server_open(server, 1);
    pv_xs_set_transport(&transport);
    domain = 0;
    pv_xs_mkdir(0, "/local/domain/1/device");
    pv_xs_set_perms(0, "/local/domain/1", perms, sizeof(perms));
    pv_xs_set_perms(0, "/local/domain/1/device", perms, sizeof(perms));
}

/* Both halves, connected. */
static void start(struct blk_store *store)
{
    start_store();
    back = blkback_offer(1, XVDA, store, false);
    cr_assert_not_null(back);
    domain = 1;
    cr_assert_eq(blkfront_start_all(), 1);
    front = blkfront_next(NULL);
    run();
    cr_assert(blkfront_ready(front), "%s", blkfront_error(front) ? blkfront_error(front) : "not connected");
}

/* ---- ios ---- */

struct test_io {
    struct blk_io io;
    unsigned int nr_done;
    unsigned int order; /* its place among those done */
};
static unsigned int done_counter;

static void test_done(struct blk_io *io)
{
    struct test_io *t = (struct test_io *)io;

    t->nr_done++;
    t->order = ++done_counter;
}

static void submit(struct test_io *t, enum blk_op op, uint64_t sector, void *buf, uint64_t nr)
{
    memset(t, 0, sizeof(*t));
    t->io.op = op;
    t->io.sector = sector;
    t->io.done = test_done;
    cr_assert_eq(blk_io_fill(&t->io, buf, nr), nr);
    blk_submit(blkfront_store(front), &t->io);
}

static int do_io(enum blk_op op, uint64_t sector, void *buf, uint64_t nr)
{
    struct test_io t;

    submit(&t, op, sector, buf, nr);
    run();
    cr_assert_eq(t.nr_done, 1);
    cr_assert_not(t.io.stuck);
    return t.io.status;
}

static void nothing_is_left(void)
{
    cr_assert_eq(fake_mappings(), 1); /* the ring */
    cr_assert_eq(fake_grants_used(), 1);
}

/* ---- tests ---- */

Test(blk, disk_names)
{
    char name[16];

    blk_vdev_name(51712, name);
    cr_assert_str_eq(name, "xvda");
    blk_vdev_name(51712 + 16 * 3, name);
    cr_assert_str_eq(name, "xvdd");
    blk_vdev_name(768, name);
    cr_assert_str_eq(name, "vbd-768");
}

static void whole_disk(size_t size)
{
    uint64_t sectors = (size + 511) / 512;
    unsigned char *buf = fake_pages((unsigned int)(sectors / 8 + 1));

    make_disk(size);
    start(&disk.store);
    cr_assert_eq(front->store.nr_sectors, sectors);
    cr_assert_eq(front->store.nr_bytes, size);
    cr_assert_str_eq(front->store.name, "xvda");
    for (uint64_t s = 0; s < sectors; s += 88)
        cr_assert_eq(do_io(BLK_READ, s, buf + s * 512, sectors - s < 88 ? sectors - s : 88), 0);
    cr_assert_arr_eq(buf, bytes, size);
    for (size_t i = size; i < sectors * 512; i++)
        cr_assert_eq(buf[i], 0);
    nothing_is_left();
}

Test(blk, one_byte)
{
    whole_disk(1);
}

Test(blk, one_sector)
{
    whole_disk(512);
}

Test(blk, one_mebibyte_and_17)
{
    whole_disk(1048576 + 17);
}

Test(blk, empty_disk_is_0_sectors_and_one_warning)
{
    unsigned char *buf = fake_pages(1);

    make_disk(0);
    cr_assert_eq(fake_lines, 1);
    start(&disk.store);
    cr_assert_eq(front->store.nr_sectors, 0);
    cr_assert_eq(do_io(BLK_READ, 0, buf, 1), -ENXIO);
    cr_assert_eq(do_io(BLK_FLUSH, 0, buf, 0), 0);
    cr_assert_eq(fake_lines, 1);
}

Test(blk, write_is_read_back_by_both_sides)
{
    unsigned char *buf = fake_pages(4);

    make_disk(5000); /* 10 sectors, the last with 392 bytes of the file */
    start(&disk.store);
    memset(buf, 0xa5, 3 * 512);
    cr_assert_eq(do_io(BLK_WRITE, 7, buf, 3), 0);
    cr_assert_eq(do_io(BLK_FLUSH, 0, NULL, 0), 0);
    cr_assert_eq(do_io(BLK_READ, 7, buf + 4096, 3), 0);
    cr_assert_arr_eq(buf, buf + 4096, 3 * 512);
    for (int i = 7 * 512; i < 5000; i++)
        if (i < 9 * 512)
            cr_assert_eq(bytes[i], 0xa5);
    cr_assert_eq(do_io(BLK_BARRIER, 0, buf, 1), 0);
    cr_assert_eq(bytes[0], 0xa5);
    /* Sectors in the middle of a page. */
    cr_assert_eq(do_io(BLK_READ, 1, buf + 4096 + 512 * 5, 2), 0);
    cr_assert_arr_eq(buf + 4096 + 512 * 5, bytes + 512, 1024);
    cr_assert_eq(do_io(BLK_READ, 8, buf, 3), -ENXIO);
    nothing_is_left();
}

Test(blk, readonly_disk)
{
    unsigned char *buf = fake_pages(1);

    bytes = calloc(1, 512);
    memdisk_init(&disk, "disk", bytes, 512, true);
    start(&disk.store);
    cr_assert(front->store.readonly);
    cr_assert_eq(do_io(BLK_WRITE, 0, buf, 1), -EROFS);
    front->store.readonly = false; /* and if the frontend doesn't care */
    cr_assert_eq(do_io(BLK_WRITE, 0, buf, 1), -EIO);
    cr_assert_eq(blkback_info(back).refused, 1);
}

Test(blk, more_ios_than_slots_wait_and_finish)
{
    static struct test_io t[100];
    unsigned char *buf = fake_pages(100);

    make_disk(100 * 4096);
    start(&disk.store);
    for (unsigned int i = 0; i < 100; i++)
        submit(&t[i], BLK_READ, i * 8, buf + i * 4096, 8);
    cr_assert_eq(front->ring.ring.req_put, BLK_RING_SLOTS);
    run();
    for (unsigned int i = 0; i < 100; i++)
        cr_assert(t[i].nr_done == 1 && t[i].io.status == 0);
    cr_assert_arr_eq(buf, bytes, 100 * 4096);
    cr_assert_lt(blkfront_stats(front).notified, 100); /* batches */
    nothing_is_left();
}

Test(blk, responses_come_in_the_store_s_order)
{
    struct test_io t[4];
    unsigned char *buf = fake_pages(4);

    make_disk(4 * 4096);
    slow_init(&disk);
    start(&slow.store);
    for (unsigned int i = 0; i < 4; i++)
        submit(&t[i], BLK_READ, i * 8, buf + i * 4096, 8);
    run();
    cr_assert_eq(slow.nr, 4);
    slow_finish(2);
    run();
    slow_finish(2); /* the fourth */
    slow_finish(0);
    run();
    slow_finish(0);
    run();
    cr_assert_eq(t[2].order, 1);
    cr_assert_eq(t[1].order, 4);
    cr_assert_arr_eq(buf, bytes, 4 * 4096);
    nothing_is_left();
}

Test(blk, nothing_passes_a_barrier_or_a_flush)
{
    static const enum blk_op ops[] = { BLK_BARRIER, BLK_FLUSH };
    struct test_io t[5];
    unsigned char *buf = fake_pages(5);

    make_disk(5 * 4096);
    slow_init(&disk);
    start(&slow.store);
    for (int o = 0; o < 2; o++) {
        submit(&t[0], BLK_WRITE, 0, buf, 8);
        submit(&t[1], BLK_WRITE, 8, buf, 8);
        submit(&t[2], ops[o], 0, buf, 0);
        submit(&t[3], BLK_WRITE, 16, buf, 8);
        run();
        cr_assert_eq(slow.nr, 2);
        slow_finish(1);
        run();
        cr_assert_eq(slow.nr, 1);
        slow_finish(0);
        run();
        cr_assert_eq(slow.nr, 1);
        cr_assert_eq(slow.waiting[0]->op, ops[o]);
        cr_assert_eq(t[2].nr_done, 0);
        slow_finish(0);
        run();
        cr_assert_eq(slow.nr, 1);
        cr_assert_eq(t[2].nr_done, 1);
        slow_finish(0);
        run();
        cr_assert(t[3].nr_done == 1 && t[3].io.status == 0);
    }
    nothing_is_left();
}

Test(blk, submit_refuses_what_is_misshapen)
{
    struct test_io t = { .io = { .op = BLK_READ, .nr_segs = 1, .done = test_done } };
    unsigned char *buf = fake_pages(2);
    static const struct {
        unsigned int offset, bytes;
    } bad[] = { { 1, 512 }, { 0, 511 }, { 0, 0 }, { 512, 4096 }, { 0, 8192 } };

    make_disk(100000);
    start(&disk.store);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        t.io.seg[0] = (struct blk_seg){ buf + bad[i].offset, bad[i].bytes };
        blk_submit(blkfront_store(front), &t.io);
        cr_assert_eq(t.nr_done, i + 1);
        cr_assert_eq(t.io.status, -EINVAL);
    }
}

Test(blk, no_grant_references)
{
    static struct test_io t[20];
    unsigned char *buf = fake_pages(20);

    make_disk(20 * 4096);
    start(&disk.store);
    fake_grant_budget = 5; /* five at a time */
    for (unsigned int i = 0; i < 20; i++)
        submit(&t[i], BLK_READ, i * 8, buf + i * 4096, 8);
    run();
    for (unsigned int i = 0; i < 20; i++)
        cr_assert(t[i].nr_done == 1 && t[i].io.status == 0);
    cr_assert_arr_eq(buf, bytes, 20 * 4096);
    cr_assert_eq(do_io(BLK_READ, 0, buf, 48), -ENOMEM); /* six at once can never be had */
    cr_assert_eq(do_io(BLK_READ, 0, buf, 40), 0);
    nothing_is_left();
}

/* ---- a hostile frontend: requests written by hand into its ring ---- */

static int16_t raw(struct blkif_request *req)
{
    uint64_t id = req->id;
    unsigned char *slot;
    struct blkif_response rsp;

    cr_assert(blk_front_put(&front->ring, req));
    ring_front_push(&front->ring.ring);
    back->pending = true;
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

Test(blk, backend_refuses_wrong_requests_one_by_one)
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

Test(blk, frontend_that_lies_about_its_index_is_served_no_more)
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
Test(blk, random_ring_pages)
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

Test(blk, backend_answers_an_id_that_is_not_out)
{
    bad_answer(5, BLKIF_OP_READ, 1);
}

Test(blk, backend_answers_an_id_out_of_range)
{
    bad_answer(UINT64_MAX, BLKIF_OP_READ, 1);
}

Test(blk, backend_answers_another_operation)
{
    bad_answer(0, BLKIF_OP_WRITE, 1);
}

Test(blk, backend_answers_too_much)
{
    bad_answer(0, BLKIF_OP_READ, 3);
}

Test(blk, backend_answers_one_id_twice)
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

Test(blk, backend_that_keeps_a_page_mapped)
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

Test(blk, backend_closes_with_ios_out)
{
    struct test_io t[40];
    unsigned char *buf = fake_pages(40);

    make_disk(100 * 4096);
    slow_init(&disk);
    start(&slow.store);
    for (unsigned int i = 0; i < 40; i++)
        submit(&t[i], BLK_READ, i, buf + i * 4096, 1);
    domain = 0;
    xenbus_set_state(back->dir, XenbusStateClosing);
    xenbus_round(1);
    for (unsigned int i = 0; i < 40; i++)
        cr_assert(t[i].nr_done == 1 && t[i].io.status == -EIO);
    cr_assert_eq(xenbus_get_state(front->dir), XenbusStateClosed);
    cr_assert_str_eq(blkfront_error(front), "the backend closed");
}

Test(blk, backend_vanishes_from_xenstore)
{
    struct test_io t;
    unsigned char *buf = fake_pages(1);

    make_disk(512);
    slow_init(&disk);
    start(&slow.store);
    submit(&t, BLK_READ, 0, buf, 1);
    domain = 0;
    pv_xs_rm(0, "/local/domain/0/backend");
    xenbus_round(1);
    cr_assert(t.nr_done == 1 && t.io.status == -EIO);
}

Test(blk, backend_s_domain_dies_and_xenstore_with_it)
{
    struct test_io t;
    unsigned char *buf = fake_pages(1);

    make_disk(512);
    slow_init(&disk);
    start(&slow.store);
    submit(&t, BLK_READ, 0, buf, 1);
    blkfront_check();
    cr_assert_eq(t.nr_done, 0);
    fake_port_orphan((unsigned int)front->port);
    blkfront_check();
    cr_assert(t.nr_done == 1 && t.io.status == -EIO);
}

Test(blk, frontend_s_domain_dies_with_requests_in_the_store)
{
    struct test_io t[3];
    unsigned char *buf = fake_pages(3);

    make_disk(100 * 4096);
    slow_init(&disk);
    start(&slow.store);
    for (unsigned int i = 0; i < 3; i++)
        submit(&t[i], BLK_READ, i, buf + i * 4096, 1);
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

Test(blk, frontend_stops_and_another_begins)
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

Test(blk, frontend_with_nonsense_parameters)
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
Test(blk, flood_of_watch_events)
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

/* ---- waiting ---- */

static void test_wait(bool (*ready)(void *arg), void *arg)
{
    while (!ready(arg)) {
        int was = domain;

        run();
        domain = was;
    }
}

static void test_wake(void)
{
}

Test(blk, sync_of_any_length)
{
    static const struct drv_waiter waiter = { test_wait, test_wake };
    size_t size = 1048576 + 17;
    uint64_t sectors = (size + 511) / 512;
    unsigned char *buf = fake_pages(300);

    drv_waiter = &waiter;
    make_disk(size);
    start(&disk.store);
    cr_assert_eq(blk_sync(&front->store, BLK_READ, 0, buf, sectors), 0);
    cr_assert_arr_eq(buf, bytes, size);
    memset(buf, 0x5a, size);
    cr_assert_eq(blk_sync(&front->store, BLK_WRITE, 0, buf + 512, sectors - 8),
                 0); /* not on a page's start */
    cr_assert_eq(blk_sync(&front->store, BLK_FLUSH, 0, NULL, 0), 0);
    cr_assert_eq(blk_sync(&disk.store, BLK_READ, 0, buf + 1024, 10), 0);
    cr_assert_eq(bytes[(sectors - 8) * 512 - 1], 0x5a);
    cr_assert_eq(blk_sync(&front->store, BLK_READ, sectors - 5, buf, 100), -ENXIO);
    nothing_is_left();
}
