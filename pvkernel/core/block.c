/* SPDX-License-Identifier: MIT
 *
 * Bytes on top of sectors. A write that doesn't fill its sectors reads them first; the device's mutex is held
 * over both, so that two writers of one sector don't undo each other's bytes.
 */
#include "pvkernel/core/block.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"

/* 256 KiB a read: the driver splits it into as many requests as it can have in flight. */
#define PORTION_ORDER 6

static struct {
    struct lock lock;
    struct list list; /* only grows */
} devices = { { .rank = LOCK_WAIT }, LIST_INIT(devices.list) };

void block_register(struct blockdev *d)
{
    mutex_init(&d->lock);
    bool on = lock(&devices.lock);
    list_add_tail(&devices.list, &d->link);
    unlock(&devices.lock, on);
}

struct blockdev *block_nth(unsigned n)
{
    struct blockdev *found = NULL;
    bool on = lock(&devices.lock);
    list_for_each(i, &devices.list) if (n-- == 0) found = container_of(i, struct blockdev, link);
    unlock(&devices.lock, on);
    return found;
}

struct blockdev *block_find(const char *name)
{
    struct blockdev *d;
    for (unsigned n = 0; (d = block_nth(n)); n++)
        if (str_equal(d->name, name))
            return d;
    return NULL;
}

static bool inside(const struct blockdev *d, uint64_t offset, uint64_t n)
{
    uint64_t end = d->sectors * SECTOR;
    return offset <= end && n <= end - offset;
}

/* After -KE_BUSY somebody else still has access to the buffer, perhaps for ever: then it must never be used
 * again. */
static void drop_buffer(void *buffer, int error)
{
    if (buffer && error != -KE_BUSY)
        page_put(buffer);
}

int block_read(struct blockdev *d, uint64_t offset, void *to, size_t n)
{
    if (!inside(d, offset, n))
        return -KE_NOSPC;
    char *page = page_alloc();
    int error = page ? 0 : -KE_NOMEM;
    mutex_lock(&d->lock);
    while (n && !error) {
        size_t skip = offset % SECTOR, part = PAGE_SIZE - skip < n ? PAGE_SIZE - skip : n;
        unsigned count = (unsigned)((skip + part + SECTOR - 1) / SECTOR);
        error = d->read(d, offset / SECTOR, page, count);
        d->sectors_read += count;
        if (!error)
            memcpy(to, page + skip, part);
        to = (char *)to + part;
        offset += part;
        n -= part;
    }
    mutex_unlock(&d->lock);
    drop_buffer(page, error);
    return error;
}

static int write_part(struct blockdev *d, char *page, uint64_t offset, const void *from, size_t part)
{
    size_t skip = offset % SECTOR;
    unsigned count = (unsigned)((skip + part + SECTOR - 1) / SECTOR);
    int error = 0;
    if (skip || part % SECTOR)
        error = d->read(d, offset / SECTOR, page, count);
    memcpy(page + skip, from, part);
    if (!error)
        error = d->write(d, offset / SECTOR, page, count);
    d->sectors_written += count;
    return error;
}

int block_write(struct blockdev *d, uint64_t offset, const void *from, size_t n)
{
    if (!inside(d, offset, n))
        return -KE_NOSPC;
    if (d->readonly)
        return -KE_PERM;
    char *page = page_alloc();
    int error = page ? 0 : -KE_NOMEM;
    mutex_lock(&d->lock);
    while (n && !error) {
        size_t room = PAGE_SIZE - offset % SECTOR, part = room < n ? room : n;
        error = write_part(d, page, offset, from, part);
        from = (const char *)from + part;
        offset += part;
        n -= part;
    }
    if (!error && d->flush)
        error = d->flush(d);
    mutex_unlock(&d->lock);
    drop_buffer(page, error);
    return error;
}

int block_each(struct blockdev *d, uint64_t length, bool (*f)(void *arg, const void *bytes, size_t n),
               void *arg)
{
    if (!inside(d, 0, length))
        return -KE_NOSPC;
    unsigned order = PORTION_ORDER;
    void *buffer = NULL;
    while (!(buffer = pages_alloc(order)) && order)
        order--;
    if (!buffer)
        return -KE_NOMEM;
    int error = 0;
    for (uint64_t offset = 0; offset < length && !error;) {
        size_t n = PAGE_SIZE << order;
        if (length - offset < n)
            n = length - offset;
        unsigned count = (unsigned)((n + SECTOR - 1) / SECTOR);
        mutex_lock(&d->lock);
        error = d->read(d, offset / SECTOR, buffer, count);
        d->sectors_read += count;
        mutex_unlock(&d->lock);
        if (!error && !f(arg, buffer, n))
            error = -KE_INTR;
        offset += n;
    }
    drop_buffer(buffer, error);
    return error;
}
