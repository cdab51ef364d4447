/* SPDX-License-Identifier: MIT
 *
 * The frontend of a block device: a struct blk_store whose disk lies in another domain (blkif.h).
 *
 * blk_submit (drivers/blk.h) grants the io's pages and puts a request on the ring; when the ring is full the
 * io waits in a queue. The event upcall takes the responses and calls done. The backend is not trusted: ids
 * are looked up in a private table, a backend that breaks the protocol gets the ring marked broken. When the
 * ring is broken, or the backend closes or vanishes, every io that waits ends with -EIO, and every later one
 * too.
 */
#pragma once

#include "drivers/blk.h"
#include "ring/ring.h"

struct blkfront;

/* Thread: makes the device of a frontend directory ("device/vbd/51712") and starts to meet its backend; watch
 * callbacks (xenbus_work) do the rest. NULL when memory, grants or ports are used up, or the directory has no
 * backend. */
struct blkfront *blkfront_start(const char *dir);

/* Thread: starts every device under "device/vbd"; how many. */
unsigned int blkfront_start_all(void);

/* The devices in the order of their start, beginning with NULL; NULL after the last. */
struct blkfront *blkfront_next(struct blkfront *f);

/* By name ("xvda"), or NULL. */
struct blkfront *blkfront_find(const char *name);

/* Upcall-safe: connected, so that blkfront_store may be used; settled: connected or failed for good. */
bool blkfront_ready(struct blkfront *f);
bool blkfront_settled(struct blkfront *f);

/* Why it does not work ("the backend closed", "the back published more responses than there are requests"),
 * or NULL. */
const char *blkfront_error(struct blkfront *f);

/* Its size is valid when ready. ios given before that, or after a failure, end with -EIO at once. */
struct blk_store *blkfront_store(struct blkfront *f);

/* Thread: once a second or so. Finds the backends whose whole domain is gone (xenstore with it): their ios
 * end with -EIO. Tells backends that broke the protocol. note() gets a line about each, at any time: a kernel
 * with a prompt shows that again below it. */
void blkfront_check(void (*note)(const char *format, ...));

/* Thread: orderly end; ios that wait end with -EIO. The device stays in the list as failed. */
void blkfront_stop(struct blkfront *f);

/* What the `ring` command prints. */
struct ring_stats blkfront_stats(struct blkfront *f);
