/* SPDX-License-Identifier: MIT
 *
 * The backend of block devices: serves a struct blk_store to frontends in other domains, one ring each
 * (blkif.h).
 *
 * The event upcall only notes that there is work; blkback_work, called from a thread, takes requests, maps
 * their pages by grant, submits them to the store, and answers as they finish. The frontend is not trusted:
 * each request is copied out once and checked, one that is wrong is answered with an error; a frontend that
 * breaks the ring itself gets it marked broken and is served no more. Nothing passes a barrier.
 */
#pragma once

#include "drivers/blk.h"
#include "ring/ring.h"
#include <xen/xen.h>

struct blkback;

/* Thread: offers `store` to domain `front` as virtual disk `vdev` (51712: xvda): writes both halves'
 * directories, as a tool stack would, and waits for the frontend by watches. NULL when memory or xenstore is
 * used up. */
struct blkback *blkback_offer(domid_t front, unsigned int vdev, struct blk_store *store, bool readonly);

/* Thread: domain `front` is gone: its rings are unmapped and forgotten, its directories removed. */
void blkback_domain_gone(domid_t front);

/* Upcall-safe: is there anything for blkback_work? */
bool blkback_pending(void);

/* Thread: one bounded round over all rings (XSA-391): at most a ring full of requests each. True: call again.
 */
bool blkback_work(void);

/* For the `ring` command: the backends in the order of their offer, from NULL to NULL, and their figures. */
struct blkback *blkback_next(struct blkback *b);
struct blkback_info {
    domid_t front;
    unsigned int vdev;
    bool connected;
    const char *error; /* NULL, or why it is served no more */
    uint64_t refused;  /* requests answered with an error because they were wrong */
    struct ring_stats ring;
};
struct blkback_info blkback_info(struct blkback *b);
