/* SPDX-License-Identifier: MIT
 *
 * One frontend: its state, shared by blkfront.c (the meeting with the backend) and issue.c (the requests).
 */
#pragma once

#include "drivers/blkring.h"
#include "drivers/front/blkfront.h"
#include "drivers/kernel.h"
#include "drivers/xenbus.h"

/* A request on the ring, by its id: the private table against which responses are checked. */
struct blkfront_slot {
    struct blk_io *io; /* NULL: nobody uses this id */
    uint8_t operation;
    int ref[BLK_MAX_SEGS];
    uint16_t next; /* unused id behind this one */
};

#define NO_SLOT BLK_RING_SLOTS

enum blkfront_phase {
    FRONT_MEETING, /* waits for the backend */
    FRONT_READY,
    FRONT_FAILED, /* for good; `error` says why */
};

struct blkfront {
    struct blk_store store; /* first: blk_submit's store is the frontend */
    struct blkfront *next;
    char dir[XENBUS_PATH];      /* "device/vbd/N" */
    char back_dir[XENBUS_PATH]; /* the backend's, from dir/backend */
    domid_t back;
    struct xenbus_watch watch; /* on the backend's state */

    struct drv_lock lock; /* guards all that follows */
    enum blkfront_phase phase;
    const char *error;
    bool told; /* the backend was told of a failure by our state */
    bool has_flush, has_barrier;
    struct blk_front ring;
    int ring_ref;
    int port;
    struct blkfront_slot slot[BLK_RING_SLOTS];
    uint16_t unused;              /* first unused id, or NO_SLOT */
    struct blk_io *first, **last; /* ios that wait for room on the ring */
};

/* issue.c. Empties the table and the queue, for a ring that was just started. */
void blkfront_issue_start(struct blkfront *f);
/* blk_store_ops.submit. */
void blkfront_submit(struct blk_store *store, struct blk_io *io);
/* The event upcall. */
void blkfront_event(unsigned int port, void *data);
/* Ends every io that waits with -EIO, and all later ones. Upcall-safe, once: later reasons are ignored. */
void blkfront_fail(struct blkfront *f, const char *why);
