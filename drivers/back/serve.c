/* SPDX-License-Identifier: MIT
 *
 * The backend's work on one ring: a request's way from the shared page to the store and back.
 *
 *     take (copied out once) -> check the copy -> map its pages -> submit ... done -> unmap -> respond
 *
 * A request that is wrong gets BLKIF_RSP_ERROR and nothing else happens; only indices that make no sense
 * break the ring. A barrier or flush waits until nothing else is in flight, and nothing is taken until it is
 * done. Requests finish in the store's order. At most a ring full is taken in one round, so that no frontend
 * keeps the others waiting.
 */
#include "drivers/back/state.h"
#include "libpv/errno.h"
#include "libpv/string.h"

void blkback_serve_start(struct blkback *b)
{
    b->unused = b->done = b->barrier = NULL;
    b->barrier_waits = false;
    b->in_flight = 0;
    for (unsigned int i = 0; i < BLK_RING_SLOTS; i++) {
        b->req[i].next = b->unused;
        b->unused = &b->req[i];
    }
}

static void *seg_page(const struct blkback *b, const struct blkback_req *r, uint32_t seg)
{
    return b->window + ((size_t)(r - b->req) * BLK_MAX_SEGS + seg) * PAGE_SIZE;
}

/* ---- responding ---- */

static void respond(struct blkback *b, uint64_t id, uint8_t operation, int16_t status)
{
    struct blkif_response rsp;

    memset(&rsp, 0, sizeof(rsp)); /* the padding too: the frontend sees all of it */
    rsp.id = id;
    rsp.operation = operation;
    rsp.status = status;
    blk_back_put(&b->ring, &rsp);
}

static void unmap_segs(struct blkback *b, struct blkback_req *r)
{
    struct gnttab_unmap_grant_ref op[BLK_MAX_SEGS];

    memset(op, 0, sizeof(op));
    for (uint32_t i = 0; i < r->nr_mapped; i++) {
        op[i].host_addr = (unsigned long)seg_page(b, r, i);
        op[i].handle = r->handle[i];
    }
    if (r->nr_mapped)
        pv_grant_unmap_batch(op, r->nr_mapped);
    r->nr_mapped = 0;
}

static void finish(struct blkback *b, struct blkback_req *r)
{
    unmap_segs(b, r);
    b->in_flight--;
    if (b->barrier == r)
        b->barrier = NULL;
    respond(b, r->id, r->operation,
            r->io.status == 0         ? BLKIF_RSP_OKAY
            : r->io.status == -ENOSYS ? BLKIF_RSP_EOPNOTSUPP
                                      : BLKIF_RSP_ERROR);
    r->next = b->unused;
    b->unused = r;
}

/* The store calls this, from anywhere. */
static void io_done(struct blk_io *io)
{
    struct blkback_req *r = (struct blkback_req *)io; /* io is its first member */
    struct blkback *b = io->owner;
    bool events = drv_lock(&b->lock);

    r->next = b->done;
    b->done = r;
    drv_unlock(&b->lock, events);
    if (!__atomic_load_n(&b->serving, __ATOMIC_SEQ_CST))
        blkback_poke(b);
}

static void finish_all_done(struct blkback *b)
{
    bool events = drv_lock(&b->lock);
    struct blkback_req *r = b->done, *next;

    b->done = NULL;
    drv_unlock(&b->lock, events);
    for (; r; r = next) {
        next = r->next;
        finish(b, r);
    }
}

/* ---- starting ---- */

/* What blkif calls it, as an operation of the store. */
static bool to_op(uint8_t operation, enum blk_op *op)
{
    switch (operation) {
    case BLKIF_OP_READ:
        *op = BLK_READ;
        return true;
    case BLKIF_OP_WRITE:
        *op = BLK_WRITE;
        return true;
    case BLKIF_OP_WRITE_BARRIER:
        *op = BLK_BARRIER;
        return true;
    case BLKIF_OP_FLUSH_DISKCACHE:
        *op = BLK_FLUSH;
        return true;
    default:
        return false;
    }
}

/* Lays the request's segments out in the window and checks all of it, before anything is mapped. */
static int check(struct blkback *b, const struct blkif_request *req, struct blkback_req *r)
{
    struct blk_io *io = &r->io;

    if (req->nr_segments > BLK_MAX_SEGS)
        return -EINVAL;
    io->sector = req->sector_number;
    io->nr_segs = req->nr_segments;
    for (uint32_t i = 0; i < io->nr_segs; i++) {
        const struct blkif_request_segment *s = &req->seg[i];

        if (s->first_sect > s->last_sect || s->last_sect >= BLK_SECTORS_PER_PAGE)
            return -EINVAL;
        io->seg[i].addr = (unsigned char *)seg_page(b, r, i) + (size_t)s->first_sect * BLK_SECTOR;
        io->seg[i].bytes = (s->last_sect - s->first_sect + 1u) * BLK_SECTOR;
    }
    if (b->readonly && (io->op == BLK_WRITE || io->op == BLK_BARRIER))
        return -EROFS;
    return blk_io_check(b->store, io);
}

/* Maps all segments or none. */
static int map_segs(struct blkback *b, const struct blkif_request *req, struct blkback_req *r)
{
    struct gnttab_map_grant_ref op[BLK_MAX_SEGS];
    uint32_t flags = GNTMAP_host_map | (r->io.op == BLK_READ ? 0 : GNTMAP_readonly);
    uint32_t nr = r->io.nr_segs;

    if (!nr)
        return 0;
    memset(op, 0, sizeof(op));
    for (uint32_t i = 0; i < nr; i++) {
        op[i].host_addr = (unsigned long)seg_page(b, r, i);
        op[i].flags = flags;
        op[i].ref = req->seg[i].gref;
        op[i].dom = b->front;
        op[i].status = GNTST_general_error;
    }
    if (pv_grant_map_batch(op, nr))
        return -EINVAL;
    while (r->nr_mapped < nr && op[r->nr_mapped].status == GNTST_okay) {
        r->handle[r->nr_mapped] = op[r->nr_mapped].handle;
        r->nr_mapped++;
    }
    if (r->nr_mapped == nr)
        return 0;
    /* Some are mapped behind the first that is not. */
    for (uint32_t i = r->nr_mapped + 1; i < nr; i++)
        if (op[i].status == GNTST_okay)
            pv_grant_unmap(op[i].handle, seg_page(b, r, i));
    unmap_segs(b, r);
    return -EINVAL;
}

static void start(struct blkback *b, const struct blkif_request *req)
{
    struct blkback_req *r = b->unused;
    enum blk_op op;

    if (!to_op(req->operation, &op)) {
        b->refused++;
        respond(b, req->id, req->operation, BLKIF_RSP_EOPNOTSUPP);
        return;
    }
    r->io = (struct blk_io){ .op = op, .done = io_done, .owner = b };
    r->id = req->id;
    r->operation = req->operation;
    r->nr_mapped = 0;
    if (check(b, req, r) || map_segs(b, req, r)) {
        b->refused++;
        respond(b, req->id, req->operation, BLKIF_RSP_ERROR);
        return;
    }
    b->unused = r->next;
    b->in_flight++;
    if (op == BLK_BARRIER || op == BLK_FLUSH) {
        b->barrier = r;
        b->barrier_waits = b->in_flight > 1;
    }
    if (!b->barrier_waits)
        blk_submit(b->store, &r->io);
}

/* Takes requests until there are none, a barrier holds them up, or a ring full of them was taken. */
static void take_requests(struct blkback *b)
{
    struct blkif_request req;
    unsigned int budget = BLK_RING_SLOTS;

    /* There is a free entry for each that can be taken: the ring has no more slots without a response. */
    while (budget-- && b->unused && !b->leaving && !b->barrier && blk_back_take(&b->ring, &req))
        start(b, &req);
}

/* ---- a round ---- */

/* Answers what is done, and submits a barrier that is now alone. */
static void finish_and_go_on(struct blkback *b)
{
    finish_all_done(b);
    if (b->barrier_waits && b->in_flight == 1) {
        b->barrier_waits = false;
        blk_submit(b->store, &b->barrier->io);
    }
}

bool blkback_serve(struct blkback *b)
{
    bool more = false;

    __atomic_store_n(&b->serving, true, __ATOMIC_SEQ_CST);
    finish_and_go_on(b);
    take_requests(b);
    finish_and_go_on(b); /* what the store did at once */
    if (ring_back_push(&b->ring.ring))
        pv_event_send((unsigned int)b->port);
    /* Without a free entry, or behind a barrier, the next thing that happens is that the store is done. */
    if (!b->leaving && !b->barrier && b->unused)
        more = !ring_back_idle(&b->ring.ring) && !b->ring.ring.broken;
    __atomic_store_n(&b->serving, false, __ATOMIC_SEQ_CST);
    return more || __atomic_load_n(&b->done, __ATOMIC_SEQ_CST) != NULL;
}
