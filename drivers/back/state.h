/* SPDX-License-Identifier: MIT
 *
 * One backend: its state, shared by blkback.c (the meeting with the frontend) and serve.c (the requests).
 */
#pragma once

#include "drivers/back/blkback.h"
#include "drivers/blkring.h"
#include "drivers/kernel.h"
#include "drivers/xenbus.h"
#include "drivers/vaddr.h"

/* A request that was taken off the ring and has no response yet. The table of them is private: the frontend's
 * id is only carried through. */
struct blkback_req {
    struct blk_io io; /* io.owner: the backend */
    uint64_t id;
    uint8_t operation;
    uint8_t nr_mapped; /* segments 0 to nr_mapped - 1 are mapped, at the request's own pages of the window */
    grant_handle_t handle[BLK_MAX_SEGS];
    struct blkback_req *next; /* in `unused` or `done` */
};

struct blkback {
    struct blkback *next;
    struct blk_store *store;
    domid_t front;
    unsigned int vdev;
    bool readonly;
    char dir[XENBUS_PATH];       /* backend directory in xenstore */
    char front_dir[XENBUS_PATH]; /* the frontend's */
    struct xenbus_watch watch;   /* on the frontend's state */

    /* The connection; set while connected. */
    bool connected;
    bool leaving;                 /* no new requests: disconnect when the last one is done */
    enum xenbus_state last_state; /* what to tell the frontend after that */
    bool forget;                  /* the domain is gone: free the backend after that */
    const char *error;
    unsigned int complaints; /* of error, on our console */
    int port;
    struct drv_page page; /* the ring */
    struct blk_back ring;
    struct drv_work work; /* the event came, or requests are done */

    unsigned char *window; /* BLK_RING_SLOTS * BLK_MAX_SEGS pages to map data at */
    struct blkback_req req[BLK_RING_SLOTS];
    struct blkback_req *unused;
    unsigned int in_flight;      /* submitted to the store and not answered */
    struct blkback_req *barrier; /* nothing is taken until it is done */
    bool barrier_waits;          /* it is not yet submitted: others are in flight */
    bool serving;                /* in blkback_serve, which looks at done before it returns */
    struct drv_lock lock;        /* guards done */
    struct blkback_req *done;    /* finished by the store, not answered */
    uint64_t refused;
};

/* serve.c: empties the table for a new connection. */
void blkback_serve_start(struct blkback *b);
/* One round: answers what is done, takes and starts what came. True: there is more to do. */
bool blkback_serve(struct blkback *b);
/* Sets pending and wakes the service thread. Upcall-safe. */
void blkback_poke(struct blkback *b);
