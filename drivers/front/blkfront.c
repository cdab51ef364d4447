/* SPDX-License-Identifier: MIT
 *
 * The frontend's side of the meeting: ring and port offered in xenstore, XenbusState. See blkfront.h.
 *
 *     backend's state         what we do                                our state
 *     (start)                 make ring, port; publish them             Initialised
 *     Connected               read the size                             Connected
 *     Closing, Closed, gone   all ios end with -EIO                     Closed
 *
 * The backend's parameters need not be waited for: one ring page and the plain protocol are always right.
 */
#include "drivers/front/state.h"
#include "libpv/errno.h"
#include "libpv/grant.h"
#include "libpv/memory.h"
#include "libpv/print.h"
#include "libpv/string.h"
#include "libpv/xenstore.h"

static struct blkfront *fronts; /* only grows; a reader needs no lock */

/* ---- connecting ---- */

/* The ring's page and port. 0 or -ENOMEM, or the port's errno. */
static int make_ring(struct blkfront *f)
{
    void *page = pv_page_alloc();

    if (!page)
        return -ENOMEM;
    blk_front_init(&f->ring, page, PAGE_SIZE);
    blkfront_issue_start(f);
    f->ring_ref = pv_grant_access(f->back, pv_virt_to_mfn(page), false);
    if (f->ring_ref < 0)
        return -ENOMEM;
    f->port = pv_event_alloc_unbound(f->back, blkfront_event, f);
    return f->port < 0 ? f->port : 0;
}

/* Gives up ring and port. While the backend still maps the page it is kept, and a later call tries again. */
static void drop_ring(struct blkfront *f)
{
    if (f->port > 0)
        pv_event_close((unsigned int)f->port);
    f->port = 0;
    if (!f->ring.ring.page || (f->ring_ref >= 0 && !pv_grant_end(f->ring_ref)))
        return;
    pv_page_free(f->ring.ring.page);
    f->ring_ref = -1;
    f->ring.ring.page = NULL;
}

static int publish(const struct blkfront *f)
{
    int err = xenbus_printf(f->dir, "ring-ref", "%d", f->ring_ref);

    if (!err)
        err = xenbus_printf(f->dir, "event-channel", "%d", f->port);
    if (!err)
        err = xenbus_write(f->dir, "protocol", XEN_IO_PROTO_ABI_X86_64);
    return err ? err : xenbus_set_state(f->dir, XenbusStateInitialised);
}

/* The backend is connected: what it says of the disk. */
static void backend_connected(struct blkfront *f)
{
    const uint64_t most = UINT64_MAX >> 12;
    uint64_t sectors = xenbus_number(f->back_dir, "sectors", most, UINT64_MAX);
    bool events;

    if (f->phase != FRONT_MEETING)
        return;
    if (sectors == UINT64_MAX ||
        xenbus_number(f->back_dir, "sector-size", UINT32_MAX, BLK_SECTOR) != BLK_SECTOR) {
        blkfront_fail(f, "the backend's size makes no sense");
        xenbus_set_state(f->dir, XenbusStateClosing);
        return;
    }
    f->store.nr_sectors = sectors;
    f->store.nr_bytes =
        xenbus_number(f->back_dir, "parador-bytes", sectors * BLK_SECTOR, sectors * BLK_SECTOR);
    f->store.readonly = xenbus_number(f->back_dir, "info", UINT32_MAX, 0) & VDISK_READONLY;
    f->has_flush = xenbus_number(f->back_dir, "feature-flush-cache", 1, 0);
    f->has_barrier = xenbus_number(f->back_dir, "feature-barrier", 1, 0);
    events = drv_lock(&f->lock);
    f->phase = FRONT_READY;
    drv_unlock(&f->lock, events);
    xenbus_set_state(f->dir, XenbusStateConnected);
    drv_wake();
}

static void backend_closed(struct blkfront *f, const char *why)
{
    if (f->phase != FRONT_FAILED) {
        pv_printf("blkfront: %s: %s\n", f->store.name, why);
        blkfront_fail(f, why);
    }
    drop_ring(f);
    if (xenbus_get_state(f->dir) != XenbusStateClosed)
        xenbus_set_state(f->dir, XenbusStateClosed);
}

static void backend_changed(struct xenbus_watch *w, const char *changed)
{
    struct blkfront *f = w->data;

    (void)changed;
    switch (xenbus_get_state(f->back_dir)) {
    case XenbusStateConnected:
        backend_connected(f);
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
        backend_closed(f, "the backend closed");
        break;
    case XenbusStateUnknown:
        backend_closed(f, "the backend is gone");
        break;
    default:
        break;
    }
}

/* ---- what blkfront.h offers ---- */

static void append(struct blkfront *f)
{
    struct blkfront **last = &fronts;

    while (*last)
        last = &(*last)->next;
    __atomic_store_n(last, f, __ATOMIC_RELEASE);
}

struct blkfront *blkfront_start(const char *dir)
{
    static const struct blk_store_ops ops = { blkfront_submit };
    struct blkfront *f = drv_alloc(sizeof(*f));

    if (!f)
        return NULL;
    f->store.ops = &ops;
    f->ring_ref = -1;
    pv_snprintf(f->dir, sizeof(f->dir), "%s", dir);
    f->back = (domid_t)xenbus_number(dir, "backend-id", UINT16_MAX, 0);
    blk_vdev_name((unsigned int)xenbus_number(dir, "virtual-device", UINT32_MAX, 0), f->store.name);
    f->watch.fn = backend_changed;
    f->watch.data = f;
    if (xenbus_read(dir, "backend", f->back_dir, sizeof(f->back_dir)) <= 0 ||
        !xenbus_path(f->watch.path, f->back_dir, "state") || pv_grant_init() || make_ring(f) || publish(f)) {
        drop_ring(f);
        drv_free(f);
        return NULL;
    }
    append(f);
    if (xenbus_watch_add(&f->watch))
        backend_closed(f, "the backend's state can't be watched");
    return f;
}

unsigned int blkfront_start_all(void)
{
    char names[256], dir[XENBUS_PATH];
    int len = pv_xs_ls(0, "device/vbd", names, sizeof(names));
    unsigned int n = 0;

    for (int at = 0; at < len; at += (int)strlen(names + at) + 1)
        if (xenbus_path(dir, "device/vbd", names + at) && blkfront_start(dir))
            n++;
    return n;
}

void blkfront_stop(struct blkfront *f)
{
    blkfront_fail(f, "it was stopped");
    xenbus_set_state(f->dir, XenbusStateClosing); /* the backend closes too, and then backend_closed runs */
}

void blkfront_check(void (*note)(const char *format, ...))
{
    for (struct blkfront *f = fronts; f; f = f->next) {
        bool connected = f->port > 0 && pv_event_connected((unsigned int)f->port);

        if (f->phase == FRONT_READY && !connected) {
            note("blkfront: %s: the backend's domain is gone\n", f->store.name);
            blkfront_fail(f, "the backend's domain is gone");
        } else if (f->phase == FRONT_FAILED && connected && !f->told) {
            f->told = true; /* it failed in the upcall, which can't write to xenstore */
            note("blkfront: %s: %s\n", f->store.name, f->error);
            xenbus_set_state(f->dir, XenbusStateClosing);
        }
    }
}

struct blkfront *blkfront_next(struct blkfront *f)
{
    return f ? f->next : fronts;
}

struct blkfront *blkfront_find(const char *name)
{
    struct blkfront *f = fronts;

    while (f && strcmp(f->store.name, name) != 0)
        f = f->next;
    return f;
}

bool blkfront_ready(struct blkfront *f)
{
    return __atomic_load_n(&f->phase, __ATOMIC_ACQUIRE) == FRONT_READY;
}

bool blkfront_settled(struct blkfront *f)
{
    return __atomic_load_n(&f->phase, __ATOMIC_ACQUIRE) != FRONT_MEETING;
}

const char *blkfront_error(struct blkfront *f)
{
    return f->error;
}

struct blk_store *blkfront_store(struct blkfront *f)
{
    return &f->store;
}

struct ring_stats blkfront_stats(struct blkfront *f)
{
    return f->ring.ring.stats;
}
