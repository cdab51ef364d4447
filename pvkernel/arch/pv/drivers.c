/* SPDX-License-Identifier: MIT
 *
 * The kernel under the drivers: memory, waiting and locks for them, the thread that does their work, and
 * their disks as block devices of core/.
 *
 * Drivers wait for conditions that upcalls change (drv_wait): one wait queue serves all of them, and every
 * wake looks at every condition. The xenstore client waits by generations: a thread sleeps only if nothing
 * came since it last looked, and a second at most. Read next: drivers/kernel.h, libpv/xenstore.h; control.c
 * and script.c for what else goes through xenstore.
 */
#include "libpv/start.h"
#include "libpv/xenstore.h"
#include "drivers/back/memdisk.h"
#include "drivers/dom0.h"
#include "drivers/front/blkfront.h"
#include "drivers/kernel.h"
#include "drivers/xenbus.h"
#include "drivers/xenstore/conn.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/archive.h"
#include "pvkernel/core/block.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/thread.h"

#define MEET_SECONDS 10 /* how long the shell waits for disks before it comes up without them */

/* ---- memory and waiting ---- */

void *drv_alloc(size_t bytes)
{
    return kzalloc(bytes);
}

void drv_free(void *p)
{
    kfree(p);
}

/* An eighth is ours. */
bool drv_memory_low(void)
{
    return page_free_count() < page_total() / 8;
}

/* What a driver waits for changes without this lock, but before the wake, which takes it. */
static struct lock drivers_lock = { .rank = LOCK_WAIT };
static struct waitq drivers_wait = { LIST_INIT(drivers_wait.waiters) };

static void wait_ready(bool (*ready)(void *arg), void *arg)
{
    bool on = lock(&drivers_lock);
    while (!ready(arg))
        wait_on(&drivers_wait, &drivers_lock, "a device");
    unlock(&drivers_lock, on);
}

static void wake_waiters(void)
{
    bool on = lock(&drivers_lock);
    wake_all(&drivers_wait);
    unlock(&drivers_lock, on);
}

static struct mutex store_lock;
static struct waitq store_wait = { LIST_INIT(store_wait.waiters) };
static struct lock store_came = { .rank = LOCK_WAIT }; /* guards: */
static uint64_t store_generation = 1;                  /* a thread's port_word is the one that it has seen */

static void lock_store(void)
{
    mutex_lock(&store_lock);
}

static void unlock_store(void)
{
    mutex_unlock(&store_lock);
}

static void wait_store(void)
{
    bool on = lock(&store_came);
    if (thread_current()->port_word == store_generation)
        wait_until(&store_wait, &store_came, "xenstore", arch_time_ns() + 1000000000);
    thread_current()->port_word = store_generation;
    unlock(&store_came, on);
}

static void wake_store(void)
{
    bool on = lock(&store_came);
    store_generation++;
    wake_all(&store_wait);
    unlock(&store_came, on);
}

void pv_drivers_setup(void)
{
    static const struct drv_waiter waiter = { wait_ready, wake_waiters };
    static const struct pv_xs_hooks hooks = { lock_store, unlock_store, wait_store, wake_store };
    mutex_init(&store_lock);
    drv_waiter = &waiter;
    pv_xs_set_hooks(&hooks);
}

/* ---- disks ---- */

static int disk_read(struct blockdev *d, uint64_t sector, void *buffer, unsigned count)
{
    return blk_sync(d->driver, BLK_READ, sector, buffer, count);
}

static int disk_write(struct blockdev *d, uint64_t sector, const void *buffer, unsigned count)
{
    return blk_sync(d->driver, BLK_WRITE, sector, (void *)(uintptr_t)buffer, count);
}

static int disk_flush(struct blockdev *d)
{
    return blk_sync(d->driver, BLK_FLUSH, 0, NULL, 0);
}

static void add_disk(struct blk_store *store, const char *name, const char *where)
{
    struct blockdev *d = kzalloc(sizeof(*d));
    if (!d)
        return;
    str_copy(d->name, name, sizeof(d->name));
    str_copy(d->where, where, sizeof(d->where));
    d->sectors = store->nr_sectors;
    d->bytes = store->nr_bytes;
    d->readonly = store->readonly;
    d->read = disk_read;
    d->write = disk_write;
    d->flush = disk_flush;
    d->driver = store;
    block_register(d);
}

/* ---- domain 0 ---- */

static struct memdisk memdisk;

static void services(void *unused)
{
    (void)unused;
    for (;;) {
        drv_wait(dom0_pending, NULL);
        dom0_work();
    }
}

void pv_services_start(void)
{
    struct file f;
    bool have = ramdisk_find("disk", &f);
    if (have) {
        memdisk_init(&memdisk, "disk", f.data, f.size, false);
        add_disk(&memdisk.store, "disk", "file of the ramdisk");
    }
    int error = dom0_start(have ? &memdisk.store : NULL, pv_domain_ended);
    if (!error)
        pv_script_announce(0); /* before the others are served, so that they read it first of all */
    if (error || !thread_start("services", services, NULL)) {
        kprintf("xenstore can't be started (errno %d), so the other domains get no disk\n", -error);
        return;
    }
    unsigned n = xenstored_nr_connections();
    kprintf("  xenstore serves %u other domain%s; ", n, plural(n));
    if (have)
        kprintf("the file disk (%zu byte%s) is their xvda\n", f.size, plural(f.size));
    else
        kprintf("no file disk in the ramdisk, so no disk for them\n");
}

/* ---- other domains ---- */

static volatile enum { CONNECTING, NO_STORE, MEETING } front_state = CONNECTING;

/* Watches, and once a second a look whether the backend's domain is still there. */
static void store_thread(void *unused)
{
    (void)unused;
    if (pv_xs_init()) {
        front_state = NO_STORE;
        return;
    }
    blkfront_start_all();
    front_state = MEETING;
    pv_control_start();
    for (;;) {
        xenbus_work();
        wait_store();
        blkfront_check(console_note);
    }
}

static bool all_settled(void)
{
    if (front_state != MEETING)
        return front_state == NO_STORE;
    for (struct blkfront *f = blkfront_next(NULL); f; f = blkfront_next(f))
        if (!blkfront_settled(f))
            return false;
    return true;
}

bool pv_frontends_start(void)
{
    if (!thread_start("xenbus", store_thread, NULL))
        return false;
    uint64_t until = arch_time_ns() + MEET_SECONDS * 1000000000ull;
    while (!all_settled() && arch_time_ns() < until)
        thread_sleep_ns(2000000);
    bool heard = front_state == MEETING;
    if (front_state == CONNECTING)
        kprintf("xenstore does not answer: no disks\n");
    for (struct blkfront *f = blkfront_next(NULL); f; f = blkfront_next(f)) {
        if (!blkfront_ready(f)) {
            kprintf("%s: %s\n", blkfront_store(f)->name,
                    blkfront_error(f) ? blkfront_error(f) : "not connected");
            continue;
        }
        struct blk_store *store = blkfront_store(f);
        add_disk(store, store->name, "by a ring from domain 0");
        kprintf("  %s: %lu byte%s, by a ring from domain 0\n", store->name, store->nr_bytes,
                plural(store->nr_bytes));
    }
    pv_control_ready();
    return heard && pv_script_announced();
}
