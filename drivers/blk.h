/* SPDX-License-Identifier: MIT
 *
 * A disk, whatever is behind it: a file of the ramdisk (back/memdisk.c), another domain's backend
 * (front/blkfront.c), later virtio. The backend (back/blkback.c) exports any of them. One asynchronous
 * operation, and one call that waits for it.
 *
 * The contract of submit: it takes the io always, and calls io->done exactly once, perhaps before it returns,
 * perhaps from the event upcall; ios may finish in any order. A barrier finishes after all writes submitted
 * before it, and before any submitted after it; so does a flush wait for the writes that were done before it.
 * After a failure status is a negative errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLK_SECTOR   512u
#define BLK_MAX_SEGS 11u /* BLKIF_MAX_SEGMENTS_PER_REQUEST */

enum blk_op {
    BLK_READ,
    BLK_WRITE,
    BLK_BARRIER, /* a write (of 0 segments too) that nothing passes */
    BLK_FLUSH,   /* no data */
};

/* A piece of memory inside one page, both ends on a multiple of BLK_SECTOR. */
struct blk_seg {
    void *addr;
    uint32_t bytes;
};

struct blk_io {
    /* The caller's; unchanged until done. */
    enum blk_op op;
    uint32_t nr_segs;
    uint64_t sector; /* the first one */
    struct blk_seg seg[BLK_MAX_SEGS];
    void (*done)(struct blk_io *io); /* upcall-safe */
    void *owner;                     /* for done */
    /* The driver's. */
    int status;          /* valid in done: 0 or a negative errno */
    bool stuck;          /* the peer still maps the memory: never use it again (XSA-396) */
    struct blk_io *next; /* in the driver's queue; free for the caller in done */
};

struct blk_store;
struct blk_store_ops {
    void (*submit)(struct blk_store *store, struct blk_io *io);
};

/* Embedded in each kind of disk. The sizes are constant while somebody uses it. */
struct blk_store {
    const struct blk_store_ops *ops;
    uint64_t nr_sectors;
    uint64_t nr_bytes; /* exact length, at most nr_sectors * BLK_SECTOR; what lies behind reads as zeros */
    bool readonly;
    char name[16]; /* "xvda" */
};

static inline void blk_submit(struct blk_store *store, struct blk_io *io)
{
    store->ops->submit(store, io);
}

/* How many bytes the segments hold. */
uint64_t blk_io_bytes(const struct blk_io *io);

/* 0, or why the store can't do this io: -EINVAL for a segment that is misaligned, empty or crosses a page,
 * -EROFS, -ENXIO for sectors behind the end. */
int blk_io_check(const struct blk_store *store, const struct blk_io *io);

/* Fills io->seg from a buffer of nr sectors (aligned to BLK_SECTOR); returns how many of them fit. */
uint32_t blk_io_fill(struct blk_io *io, void *buf, uint64_t nr);

/* Thread: reads or writes nr sectors and waits; several ios are in flight. op may be BLK_FLUSH or BLK_BARRIER
 * with nr 0. buf is aligned to BLK_SECTOR (and, for a frontend, in libpv's linear mapping). 0 or the first
 * error; -EBUSY says that the peer still maps some of buf, so that it must never be used again, nor freed. */
int blk_sync(struct blk_store *store, enum blk_op op, uint64_t sector, void *buf, uint64_t nr);

/* "xvda" for 51712 (202 << 8), "xvdb" for 51728, ... by the numbering of virtual disks; "vbd-N" for others.
 */
void blk_vdev_name(unsigned int vdev, char name[16]);
