/* SPDX-License-Identifier: MIT
 *
 * Both halves of a block device in one process, for the tests on the host: one xenstore server with a
 * connection for each of two domains (who asks is `domain`), a disk in memory, and one that finishes when the
 * test says so.
 */
#pragma once

#include "drivers/back/memdisk.h"
#include "drivers/back/state.h"
#include "drivers/front/state.h"
#include "drivers/xenstore/server.h"
#include "tests/host/fake_pv.h"

#define XVDA 51712

extern int domain; /* 0 or 1: whose xenstore connection pv_xs_* use */
extern struct blkback *back;
extern struct blkfront *front;

/* Runs the watch callbacks of one domain. True if there were some. */
bool xenbus_round(int d);
/* Everything, until nothing happens any more. Leaves domain at 0. */
void run(void);

/* A memory disk of that many bytes: disk, and its file. */
extern struct memdisk disk;
extern unsigned char *bytes;
void make_disk(size_t size);

/* A disk before it that keeps its ios until slow_finish(i) gives the i-th to it. */
extern struct slow_disk {
    struct blk_store store;
    struct memdisk *behind;
    struct blk_io *waiting[64];
    unsigned int nr;
} slow;
void slow_init(struct memdisk *m);
void slow_finish(unsigned int i);

/* A xenstore with domain 1's home. */
void start_store(void);
/* That, and both halves connected. */
void start(struct blk_store *store);

struct test_io {
    struct blk_io io;
    unsigned int nr_done;
    unsigned int order; /* its place among those done */
};
void test_done(struct blk_io *io);
/* Gives the frontend an io. */
void submit(struct test_io *t, enum blk_op op, uint64_t sector, void *buf, uint64_t nr);
/* Submits, runs, and returns the status. */
int do_io(enum blk_op op, uint64_t sector, void *buf, uint64_t nr);
/* Asserts that nothing is granted or mapped but the ring. */
void nothing_is_left(void);
