/* SPDX-License-Identifier: MIT
 *
 * What all disks share: checking and filling an io, and waiting for one. See blk.h.
 */
#include "drivers/blk.h"
#include "drivers/kernel.h"
#include "libpv/errno.h"
#include "libpv/print.h"
#include "libpv/types.h"

uint64_t blk_io_bytes(const struct blk_io *io)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < io->nr_segs; i++)
        bytes += io->seg[i].bytes;
    return bytes;
}

static bool seg_ok(const struct blk_seg *s)
{
    uintptr_t offset = (uintptr_t)s->addr % PAGE_SIZE;

    return s->bytes && s->bytes % BLK_SECTOR == 0 && offset % BLK_SECTOR == 0 &&
           s->bytes <= PAGE_SIZE - offset;
}

int blk_io_check(const struct blk_store *store, const struct blk_io *io)
{
    uint64_t nr;

    if (io->op > BLK_FLUSH || io->nr_segs > BLK_MAX_SEGS || (io->op == BLK_FLUSH && io->nr_segs) ||
        (io->op <= BLK_WRITE && !io->nr_segs))
        return -EINVAL;
    for (uint32_t i = 0; i < io->nr_segs; i++)
        if (!seg_ok(&io->seg[i]))
            return -EINVAL;
    if (store->readonly && (io->op == BLK_WRITE || io->op == BLK_BARRIER))
        return -EROFS;
    nr = blk_io_bytes(io) / BLK_SECTOR;
    return nr && (nr > store->nr_sectors || io->sector > store->nr_sectors - nr) ? -ENXIO : 0;
}

uint32_t blk_io_fill(struct blk_io *io, void *buf, uint64_t nr)
{
    unsigned char *at = buf;
    uint64_t left = nr * BLK_SECTOR;

    for (io->nr_segs = 0; left && io->nr_segs < BLK_MAX_SEGS; io->nr_segs++) {
        uint64_t bytes = PAGE_SIZE - (uintptr_t)at % PAGE_SIZE;

        if (bytes > left)
            bytes = left;
        io->seg[io->nr_segs] = (struct blk_seg){ at, (uint32_t)bytes };
        at += bytes;
        left -= bytes;
    }
    return (uint32_t)((nr * BLK_SECTOR - left) / BLK_SECTOR);
}

/* ---- waiting ---- */

#define IN_FLIGHT 4 /* ios of one blk_sync at a time */

struct sync {
    uint32_t pending; /* ios that are not done */
    int error;        /* the first one, or 0; -EBUSY for a stuck io goes before all */
};

static void sync_done(struct blk_io *io)
{
    struct sync *s = io->owner;
    int none = 0;

    if (io->stuck)
        __atomic_store_n(&s->error, -EBUSY, __ATOMIC_RELAXED);
    else if (io->status)
        __atomic_compare_exchange_n(&s->error, &none, io->status, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    io->owner = NULL; /* free to be used again */
    __atomic_fetch_sub(&s->pending, 1, __ATOMIC_RELEASE);
    drv_wake();
}

static bool sync_has_room(void *arg)
{
    return __atomic_load_n(&((struct sync *)arg)->pending, __ATOMIC_ACQUIRE) < IN_FLIGHT;
}

static bool sync_over(void *arg)
{
    return __atomic_load_n(&((struct sync *)arg)->pending, __ATOMIC_ACQUIRE) == 0;
}

int blk_sync(struct blk_store *store, enum blk_op op, uint64_t sector, void *buf, uint64_t nr)
{
    struct blk_io *ios = drv_alloc(IN_FLIGHT * sizeof(*ios));
    struct sync s = { 0 };

    if (!ios)
        return -ENOMEM;
    do {
        struct blk_io *io = ios;
        uint32_t fits;

        drv_wait(sync_has_room, &s);
        if (__atomic_load_n(&s.error, __ATOMIC_RELAXED))
            break;
        while (io->owner)
            io++;
        *io = (struct blk_io){ .op = op, .sector = sector, .done = sync_done, .owner = &s };
        fits = blk_io_fill(io, buf, nr);
        __atomic_fetch_add(&s.pending, 1, __ATOMIC_RELAXED);
        blk_submit(store, io);
        if (fits)
            buf = (unsigned char *)buf + (size_t)fits * BLK_SECTOR;
        sector += fits;
        nr -= fits;
    } while (nr);
    drv_wait(sync_over, &s);
    drv_free(ios);
    return s.error;
}

void blk_vdev_name(unsigned int vdev, char name[16])
{
    if (vdev >> 8 == 202 && vdev % 16 == 0)
        pv_snprintf(name, 16, "xvd%c", (char)('a' + vdev % 256 / 16));
    else
        pv_snprintf(name, 16, "vbd-%u", vdev);
}
