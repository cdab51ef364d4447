/* SPDX-License-Identifier: MIT
 *
 * The frontend's work on its ring: an io's way to the backend and back.
 *
 *     submit -> queue -> grant its pages, put a request, push ... event -> take the response (copied out
 * once) -> look the id up in our own table -> end the grants -> done
 *
 * The queue holds what the ring has no room for. All under the lock but the calls of done, which come after
 * it, so that done may submit again. A backend that answers an id that isn't out, or breaks the ring, has
 * failed for good.
 */
#include "drivers/front/state.h"
#include "libpv/errno.h"
#include "libpv/grant.h"
#include "libpv/memory.h"
#include "libpv/string.h"

void blkfront_issue_start(struct blkfront *f)
{
    f->first = NULL;
    f->last = &f->first;
    f->unused = 0;
    for (uint16_t i = 0; i < BLK_RING_SLOTS; i++) {
        f->slot[i].io = NULL;
        f->slot[i].next = (uint16_t)(i + 1); /* the last: NO_SLOT */
    }
}

/* ios that are done, in order; their done is called without the lock. */
struct done_list {
    struct blk_io *first, **last;
};

static void done_add(struct done_list *l, struct blk_io *io, int status)
{
    io->status = status;
    io->next = NULL;
    *l->last = io;
    l->last = &io->next;
}

static void done_call(struct done_list *l)
{
    struct blk_io *io, *next;

    for (io = l->first; io; io = next) {
        next = io->next;
        io->done(io);
    }
}

/* ---- to the backend ---- */

static uint8_t to_operation(const struct blkfront *f, enum blk_op op)
{
    switch (op) {
    case BLK_READ:
        return BLKIF_OP_READ;
    case BLK_WRITE:
        return BLKIF_OP_WRITE;
    case BLK_BARRIER:
        return BLKIF_OP_WRITE_BARRIER;
    default:
        return f->has_flush ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE_BARRIER;
    }
}

/* Grants the io's pages. False: no references are left; then none is taken. */
static bool grant_segs(struct blkfront *f, struct blkfront_slot *s, struct blkif_request *req)
{
    const struct blk_io *io = s->io;

    for (uint32_t i = 0; i < io->nr_segs; i++) {
        const struct blk_seg *seg = &io->seg[i];
        uint32_t first = (uint32_t)((uintptr_t)seg->addr % PAGE_SIZE / BLK_SECTOR);

        s->ref[i] = pv_grant_access(f->back, pv_virt_to_mfn(seg->addr), io->op != BLK_READ);
        if (s->ref[i] < 0) {
            while (i--)
                pv_grant_end(s->ref[i]);
            return false;
        }
        req->seg[i].gref = (grant_ref_t)s->ref[i];
        req->seg[i].first_sect = (uint8_t)first;
        req->seg[i].last_sect = (uint8_t)(first + seg->bytes / BLK_SECTOR - 1);
    }
    return true;
}

/* Puts the first io of the queue on the ring. False: it has to wait. */
static bool issue(struct blkfront *f)
{
    struct blkfront_slot *s = &f->slot[f->unused];
    struct blkif_request req;

    if (f->unused == NO_SLOT || !ring_front_free(&f->ring.ring))
        return false;
    memset(&req, 0, sizeof(req));
    s->io = f->first;
    s->operation = req.operation = to_operation(f, s->io->op);
    req.nr_segments = (uint8_t)s->io->nr_segs;
    req.id = f->unused;
    req.sector_number = s->io->sector;
    if (!grant_segs(f, s, &req)) {
        s->io = NULL;
        return false;
    }
    blk_front_put(&f->ring, &req);
    f->unused = s->next;
    f->first = s->io->next;
    if (!f->first)
        f->last = &f->first;
    return true;
}

/* Puts what fits on the ring and tells the backend if it wants to know. What doesn't fit waits for a
 * response; without one to come (no grant reference is left for even one request) it ends with -ENOMEM. */
static void issue_all(struct blkfront *f, struct done_list *done)
{
    while (f->first && !issue(f)) {
        struct blk_io *io = f->first;

        if (ring_front_free(&f->ring.ring) < f->ring.ring.slots)
            break;
        f->first = io->next;
        if (!f->first)
            f->last = &f->first;
        done_add(done, io, -ENOMEM);
    }
    if (ring_front_push(&f->ring.ring))
        pv_event_send((unsigned int)f->port);
}

void blkfront_submit(struct blk_store *store, struct blk_io *io)
{
    struct blkfront *f = (struct blkfront *)store;
    struct done_list done = { NULL, &done.first };
    bool events = drv_lock(&f->lock);
    int err = f->phase == FRONT_READY ? blk_io_check(store, io) : -EIO;

    io->stuck = false;
    io->next = NULL;
    if (!err && io->op == BLK_BARRIER && !f->has_barrier)
        err = -ENOSYS;
    if (err || (io->op == BLK_FLUSH && !f->has_flush && !f->has_barrier)) {
        done_add(&done, io, err); /* a backend that can't flush keeps nothing back */
    } else {
        *f->last = io;
        f->last = &io->next;
        issue_all(f, &done);
    }
    drv_unlock(&f->lock, events);
    done_call(&done);
}

/* ---- from the backend ---- */

/* Ends the io of a slot: takes the grants back, frees the id. */
static void finish(struct blkfront *f, uint16_t id, int status, struct done_list *done)
{
    struct blkfront_slot *s = &f->slot[id];
    struct blk_io *io = s->io;

    for (uint32_t i = 0; i < io->nr_segs; i++)
        if (!pv_grant_end(s->ref[i])) {
            io->stuck = true; /* the backend answered and still maps it (XSA-396) */
            status = -EIO;
        }
    s->io = NULL;
    s->next = f->unused;
    f->unused = id;
    done_add(done, io, status);
}

static int to_status(int16_t status)
{
    return status == BLKIF_RSP_OKAY ? 0 : status == BLKIF_RSP_EOPNOTSUPP ? -ENOSYS : -EIO;
}

/* Lock held. Everything that waits ends with -EIO. */
static void fail_locked(struct blkfront *f, const char *why, struct done_list *done)
{
    if (f->phase == FRONT_FAILED)
        return;
    f->phase = FRONT_FAILED;
    f->error = why;
    for (uint16_t id = 0; id < BLK_RING_SLOTS; id++)
        if (f->slot[id].io)
            finish(f, id, -EIO, done);
    while (f->first) {
        struct blk_io *io = f->first;

        f->first = io->next;
        done_add(done, io, -EIO);
    }
    f->last = &f->first;
}

void blkfront_fail(struct blkfront *f, const char *why)
{
    struct done_list done = { NULL, &done.first };
    bool events = drv_lock(&f->lock);

    fail_locked(f, why, &done);
    drv_unlock(&f->lock, events);
    done_call(&done);
    drv_wake();
}

/* Takes the responses that are there. NULL, or what the backend did wrong. */
static const char *take_responses(struct blkfront *f, struct done_list *done)
{
    struct blkif_response rsp;

    while (blk_front_take(&f->ring, &rsp)) {
        if (rsp.id >= BLK_RING_SLOTS || !f->slot[rsp.id].io)
            return "the backend answered a request that was not made";
        finish(f, (uint16_t)rsp.id, to_status(rsp.status), done);
        if (f->slot[rsp.id].operation != rsp.operation)
            return "the backend answered another operation than was asked";
    }
    return f->ring.ring.broken;
}

void blkfront_event(unsigned int port, void *data)
{
    struct blkfront *f = data;
    struct done_list done = { NULL, &done.first };
    bool events = drv_lock(&f->lock);
    const char *wrong = NULL;

    (void)port;
    if (f->phase == FRONT_READY) {
        do {
            wrong = take_responses(f, &done);
            if (!wrong)
                issue_all(f, &done);
        } while (!wrong && !ring_front_idle(&f->ring.ring));
        if (wrong)
            fail_locked(f, wrong, &done);
    }
    drv_unlock(&f->lock, events);
    done_call(&done);
    if (wrong)
        drv_wake();
}
