/* SPDX-License-Identifier: MIT
 *
 * Both halves of a block device in one process: see blk_pair.h.
 */
#include "tests/host/blk_pair.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "libpv/errno.h"
#include "libpv/xenstore.h"
#include "libpv/xenstore_ring.h"

/* ---- one xenstore for both domains: who asks is `domain` ---- */

static struct xs_server *server;
static struct xs_conn *conns[2];
int domain;

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

bool xenbus_round(int d)
{
    char body[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg hdr;

    domain = d;
    while (next_message(conns[d], &hdr, body))
        pv_xs_push_watch(body, body + strlen(body) + 1);
    return xenbus_work();
}

void run(void)
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

struct slow_disk slow;

static void slow_submit(struct blk_store *store, struct blk_io *io)
{
    (void)store;
    slow.waiting[slow.nr++] = io;
}

void slow_finish(unsigned int i)
{
    struct blk_io *io = slow.waiting[i];

    memmove(&slow.waiting[i], &slow.waiting[i + 1], (--slow.nr - i) * sizeof(io));
    blk_submit(&slow.behind->store, io); /* which calls done */
}

void slow_init(struct memdisk *m)
{
    static const struct blk_store_ops ops = { slow_submit };

    memset(&slow, 0, sizeof(slow));
    slow.store = m->store;
    slow.store.ops = &ops;
    slow.behind = m;
}

/* ---- set-up ---- */

unsigned char *bytes;
struct memdisk disk;
struct blkback *back;
struct blkfront *front;

void make_disk(size_t size)
{
    bytes = malloc(size ? size : 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 512);
    memdisk_init(&disk, "disk", bytes, size, false);
}

void start_store(void)
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

void start(struct blk_store *store)
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

static unsigned int done_counter;

void test_done(struct blk_io *io)
{
    struct test_io *t = (struct test_io *)io;

    t->nr_done++;
    t->order = ++done_counter;
}

void submit(struct test_io *t, enum blk_op op, uint64_t sector, void *buf, uint64_t nr)
{
    memset(t, 0, sizeof(*t));
    t->io.op = op;
    t->io.sector = sector;
    t->io.done = test_done;
    cr_assert_eq(blk_io_fill(&t->io, buf, nr), nr);
    blk_submit(blkfront_store(front), &t->io);
}

int do_io(enum blk_op op, uint64_t sector, void *buf, uint64_t nr)
{
    struct test_io t;

    submit(&t, op, sector, buf, nr);
    run();
    cr_assert_eq(t.nr_done, 1);
    cr_assert_not(t.io.stuck);
    return t.io.status;
}

void nothing_is_left(void)
{
    cr_assert_eq(fake_mappings(), 1); /* the ring */
    cr_assert_eq(fake_grants_used(), 1);
}
