/* SPDX-License-Identifier: MIT
 *
 * A disk in memory: see memdisk.h.
 */
#include "drivers/back/memdisk.h"
#include "libpv/errno.h"
#include "libpv/print.h"
#include "libpv/string.h"

/* Copies one sector's worth or more that lies wholly in the bytes or wholly in the tail. */
static void transfer(struct memdisk *m, bool write, uint64_t at, unsigned char *buf, size_t n)
{
    uint64_t whole = m->store.nr_bytes / BLK_SECTOR * BLK_SECTOR;
    size_t first = at >= whole ? 0 : n < whole - at ? n : (size_t)(whole - at);

    if (write) {
        memcpy(m->bytes + at, buf, first);
        if (first < n)
            memcpy(m->tail, buf + first, n - first);
    } else {
        memcpy(buf, m->bytes + at, first);
        if (first < n)
            memcpy(buf + first, m->tail, n - first);
    }
}

static void memdisk_submit(struct blk_store *store, struct blk_io *io)
{
    struct memdisk *m = (struct memdisk *)store;
    uint64_t at = io->sector * BLK_SECTOR;

    io->stuck = false;
    io->status = blk_io_check(store, io);
    if (!io->status && io->op != BLK_FLUSH) {
        bool events = drv_lock(&m->lock);

        for (uint32_t i = 0; i < io->nr_segs; i++) {
            transfer(m, io->op != BLK_READ, at, io->seg[i].addr, io->seg[i].bytes);
            at += io->seg[i].bytes;
        }
        drv_unlock(&m->lock, events);
    }
    io->done(io);
}

void memdisk_init(struct memdisk *m, const char *name, void *bytes, uint64_t length, bool readonly)
{
    static const struct blk_store_ops ops = { memdisk_submit };
    uint64_t tail = length % BLK_SECTOR;

    memset(m, 0, sizeof(*m));
    m->store.ops = &ops;
    m->store.nr_bytes = length;
    m->store.nr_sectors = length / BLK_SECTOR + (tail != 0);
    m->store.readonly = readonly;
    pv_snprintf(m->store.name, sizeof(m->store.name), "%s", name);
    m->bytes = bytes;
    if (tail)
        memcpy(m->tail, m->bytes + (length - tail), tail);
    if (!length)
        pv_printf("warning: the file of disk %s is empty: a device of 0 sectors\n", name);
}
