/* SPDX-License-Identifier: MIT
 *
 * A disk in memory: bytes that lie somewhere (a file of the ramdisk) as whole sectors, the last filled up
 * with zeros.
 */
#pragma once

#include "drivers/blk.h"
#include "drivers/kernel.h"

struct memdisk {
    struct blk_store store;
    struct drv_lock lock;           /* guards tail and the bytes: one io at a time */
    unsigned char *bytes;           /* written in place */
    unsigned char tail[BLK_SECTOR]; /* the last sector when it is not whole: the bytes behind the file's end
                                       live here */
};

/* Makes a disk of `length` bytes at `bytes`, which stay the caller's and must be writable unless readonly. An
 * empty one has 0 sectors; that is worth one warning. */
void memdisk_init(struct memdisk *m, const char *name, void *bytes, uint64_t length, bool readonly);
