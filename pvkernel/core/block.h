/* SPDX-License-Identifier: MIT
 *
 * Block devices: a name, sectors of 512 bytes, and functions to read and write them. A driver of the port
 * registers one; the functions below add bytes to sectors. Calls sleep; one caller at a time per device
 * (mutex).
 *
 * `bytes` is the exact length of what is on the device where the driver knows it, else 512 * sectors.
 */
#pragma once

#include "pvkernel/core/thread.h"

#define SECTOR 512u

struct blockdev {
    char name[16];
    char where[48]; /* what stands behind it, for `disk` */
    uint64_t sectors, bytes;
    bool readonly;
    /* Whole sectors to or from `buffer` (page-aligned, in kernel pages). 0, or a negative error. */
    int (*read)(struct blockdev *d, uint64_t sector, void *buffer, unsigned count);
    int (*write)(struct blockdev *d, uint64_t sector, const void *buffer, unsigned count);
    int (*flush)(struct blockdev *d);
    void *driver;
    uint64_t sectors_read, sectors_written;
    struct mutex lock;
    struct list link;
};

void block_register(struct blockdev *d);
struct blockdev *block_find(const char *name);
/* The n-th device, or NULL. */
struct blockdev *block_nth(unsigned n);

/* Bytes [offset, offset + n), which must lie within the device's sectors: else -KE_NOSPC. */
int block_read(struct blockdev *d, uint64_t offset, void *to, size_t n);
int block_write(struct blockdev *d, uint64_t offset, const void *from, size_t n);

/* Reads [0, length) in large portions and calls f on each, until f returns false: -KE_INTR. */
int block_each(struct blockdev *d, uint64_t length, bool (*f)(void *arg, const void *bytes, size_t n),
               void *arg);
