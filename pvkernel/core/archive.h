/* SPDX-License-Identifier: MIT
 *
 * The ramdisk: a cpio archive of the "newc" kind in memory, the format that Linux takes too. Files are used
 * where they lie.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
    const char *name; /* without a leading "./" or "/" */
    uint8_t *data;
    size_t size;
    bool directory;
};

/* The file whose header is at *offset; *offset moves to the next one. Start with 0. False: the end, or what
 * follows is no newc archive (*error, if not NULL, tells which: 0 or -KE_INVAL). */
bool archive_next(void *archive, size_t size, size_t *offset, struct file *f, int *error);

/* The kernel's ramdisk. */
void ramdisk_set(void *archive, size_t size);
bool ramdisk_find(const char *name, struct file *f);
bool ramdisk_next(size_t *offset, struct file *f);
