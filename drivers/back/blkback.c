/* SPDX-License-Identifier: MIT
 *
 * The backend's side of the meeting: directories in xenstore, XenbusState, mapping the ring. See blkback.h.
 *
 *     frontend's state              what we do                                   our state
 *     (none yet), Initialising      offer what we can                            InitWait
 *     Initialised, Connected        map ring, bind port, publish the size        Connected
 *     Closing                       take no more, answer what is in flight, unmap   Closing
 *     Closed, missing               the same                                     Closed
 *
 * Our Closing or Closed says that nothing of the frontend's is mapped any more. After Closed the frontend may
 * begin again at Initialising (a boot loader hands over to a kernel). All of this runs in the service thread,
 * as does serve.c; the upcall only notes the work.
 */
#include "drivers/back/state.h"
#include "libpv/errno.h"
#include "libpv/print.h"
#include "libpv/string.h"
#include "libpv/xenstore.h"

#define WINDOW_PAGES    (BLK_RING_SLOTS * BLK_MAX_SEGS)
#define MOST_COMPLAINTS 4

static struct blkback *backends; /* changed and walked by the service thread; in the order of their offer */
static bool work_waits;          /* some backend is pending */

void blkback_poke(struct blkback *b)
{
    drv_work_note(&b->work);
}

/* ---- connection ---- */

/* Frees what connect took; nothing is in flight. */
static void disconnect(struct blkback *b)
{
    if (b->port > 0)
        pv_event_close((unsigned int)b->port);
    drv_page_unmap(&b->page);
    drv_vaddr_put(b->window, WINDOW_PAGES);
    b->port = 0;
    b->window = NULL;
    b->ring.ring.page = NULL;
    b->connected = b->leaving = false;
}

/* The frontend's parameters, read from its directory: its word, so only numbers in range count. */
static const char *read_parameters(const struct blkback *b, unsigned long *ref, unsigned long *port)
{
    char protocol[32];

    *ref = xenbus_number(b->front_dir, "ring-ref", UINT32_MAX, UINT64_MAX);
    *port = xenbus_number(b->front_dir, "event-channel", PV_NR_PORTS - 1, UINT64_MAX);
    if (*ref == UINT64_MAX || *port == UINT64_MAX)
        return "the frontend names no ring-ref or event-channel";
    if (xenbus_read(b->front_dir, "protocol", protocol, sizeof(protocol)) > 0 &&
        strcmp(protocol, XEN_IO_PROTO_ABI_X86_64) != 0)
        return "the frontend speaks another protocol than x86_64-abi";
    return NULL;
}

/* NULL, or why there is no connection. */
static const char *connect(struct blkback *b)
{
    unsigned long ref, port;
    const char *why = read_parameters(b, &ref, &port);

    if (why)
        return why;
    b->window = drv_vaddr_get(WINDOW_PAGES);
    if (!b->window)
        return "no address space to map its pages at";
    if (drv_page_map(&b->page, b->front, (grant_ref_t)ref))
        return "the frontend's ring-ref can't be mapped";
    blk_back_attach(&b->ring, b->page.vaddr, PAGE_SIZE);
    blkback_serve_start(b);
    b->port = pv_event_bind_interdomain(b->front, (unsigned int)port, drv_work_event, &b->work);
    if (b->port < 0)
        return "the frontend's event-channel can't be bound";
    b->connected = true;
    return NULL;
}

static void publish_size(const struct blkback *b)
{
    xenbus_printf(b->dir, "sector-size", "%u", BLK_SECTOR);
    xenbus_printf(b->dir, "physical-sector-size", "%u", BLK_SECTOR);
    xenbus_printf(b->dir, "sectors", "%llu", (unsigned long long)b->store->nr_sectors);
    xenbus_printf(b->dir, "info", "%u", b->readonly ? VDISK_READONLY : 0);
    xenbus_printf(b->dir, "parador-bytes", "%llu", (unsigned long long)b->store->nr_bytes);
}

static void tell(const struct blkback *b, enum xenbus_state state)
{
    if (xenbus_get_state(b->dir) != state)
        xenbus_set_state(b->dir, state);
}

/* Takes no new requests and disconnects after the last one (settle); then tells the frontend by our state, so
 * that it knows that nothing is mapped any more. */
static void leave(struct blkback *b, enum xenbus_state state)
{
    if (!b->connected) {
        tell(b, state);
        return;
    }
    b->leaving = true;
    b->last_state = state;
    blkback_poke(b);
}

/* Something is wrong with the frontend: it is served no more, until it begins again. A frontend that does
 * nothing else can't fill our console with it. */
static void give_up(struct blkback *b, const char *why)
{
    if (!b->error && b->complaints <= MOST_COMPLAINTS)
        pv_printf("blkback: disk %u of domain %u: %s%s\n", b->vdev, b->front, why,
                  b->complaints < MOST_COMPLAINTS ? "" : " (and no more is said of this disk)");
    b->complaints += !b->error && b->complaints <= MOST_COMPLAINTS;
    b->error = why;
    leave(b, XenbusStateClosing);
}

static void front_changed(struct xenbus_watch *w, const char *changed)
{
    struct blkback *b = w->data;
    const char *why;

    (void)changed;
    switch (xenbus_get_state(b->front_dir)) {
    case XenbusStateInitialising:
        if (!b->connected && xenbus_get_state(b->dir) != XenbusStateInitWait) {
            b->error = NULL;
            xenbus_set_state(b->dir, XenbusStateInitWait);
        }
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        if (b->connected || b->error)
            break;
        why = connect(b);
        if (why) {
            disconnect(b);
            give_up(b, why);
            break;
        }
        publish_size(b);
        xenbus_set_state(b->dir, XenbusStateConnected);
        blkback_poke(b); /* requests may be there already */
        break;
    case XenbusStateClosing:
        leave(b, XenbusStateClosing);
        break;
    case XenbusStateClosed:
    case XenbusStateUnknown:
        leave(b, XenbusStateClosed);
        break;
    default:
        break;
    }
}

/* ---- the two directories, as a tool stack makes them ---- */

static int write_back_dir(const struct blkback *b)
{
    char name[16];
    int err = xenbus_make_dir(b->dir, 0, b->front);

    if (err)
        return err;
    blk_vdev_name(b->vdev, name);
    xenbus_write(b->dir, "frontend", b->front_dir);
    xenbus_printf(b->dir, "frontend-id", "%u", b->front);
    xenbus_write(b->dir, "online", "1");
    xenbus_write(b->dir, "removable", "0");
    xenbus_write(b->dir, "bootable", "1");
    xenbus_write(b->dir, "dev", name);
    xenbus_write(b->dir, "type", "phy");
    xenbus_write(b->dir, "device-type", "disk");
    xenbus_write(b->dir, "mode", b->readonly ? "r" : "w");
    xenbus_write(b->dir, "feature-flush-cache", "1");
    xenbus_write(b->dir, "feature-barrier", "1");
    return xenbus_set_state(b->dir, XenbusStateInitWait);
}

static int write_front_dir(const struct blkback *b)
{
    int err = xenbus_make_dir(b->front_dir, b->front, 0);

    if (err)
        return err;
    xenbus_write(b->front_dir, "backend", b->dir);
    xenbus_write(b->front_dir, "backend-id", "0");
    xenbus_printf(b->front_dir, "virtual-device", "%u", b->vdev);
    xenbus_write(b->front_dir, "device-type", "disk");
    return xenbus_set_state(b->front_dir, XenbusStateInitialising);
}

struct blkback *blkback_offer(domid_t front, unsigned int vdev, struct blk_store *store, bool readonly)
{
    struct blkback *b = drv_alloc(sizeof(*b)), **last = &backends;

    if (!b)
        return NULL;
    b->work.any = &work_waits;
    b->store = store;
    b->front = front;
    b->vdev = vdev;
    b->readonly = readonly || store->readonly;
    pv_snprintf(b->dir, sizeof(b->dir), "/local/domain/0/backend/vbd/%u/%u", front, vdev);
    pv_snprintf(b->front_dir, sizeof(b->front_dir), "/local/domain/%u/device/vbd/%u", front, vdev);
    b->watch.fn = front_changed;
    b->watch.data = b;
    xenbus_path(b->watch.path, b->front_dir, "state");
    if (write_back_dir(b) || write_front_dir(b) || xenbus_watch_add(&b->watch)) {
        drv_free(b);
        return NULL;
    }
    while (*last)
        last = &(*last)->next;
    *last = b;
    return b;
}

/* ---- the service thread's rounds ---- */

static void unlink_and_free(struct blkback *b)
{
    struct blkback **place = &backends;

    while (*place != b)
        place = &(*place)->next;
    *place = b->next;
    xenbus_watch_del(&b->watch);
    pv_xs_rm(0, b->dir);
    drv_free(b);
}

void blkback_domain_gone(domid_t front)
{
    struct blkback *b, *next;

    for (b = backends; b; b = next) {
        next = b->next;
        if (b->front != front)
            continue;
        b->forget = true;
        b->leaving = b->connected;
        if (!b->connected)
            unlink_and_free(b);
        else
            blkback_poke(b);
    }
}

bool blkback_pending(void)
{
    return drv_work_waits(&work_waits);
}

/* After a round: ends what has to end. False: the backend was freed. */
static bool settle(struct blkback *b)
{
    if (b->ring.ring.broken && !b->leaving)
        give_up(b, b->ring.ring.broken);
    if (!b->leaving || b->in_flight)
        return true;
    disconnect(b);
    if (b->forget) {
        unlink_and_free(b);
        return false;
    }
    tell(b, b->last_state);
    front_changed(&b->watch, b->watch.path); /* what it did meanwhile */
    return true;
}

/* One round of one backend. True: there is more. */
static bool round_of(struct blkback *b)
{
    bool more;

    if (!drv_work_take(&b->work) && !b->leaving)
        return false;
    if (!b->connected)
        return false;
    more = blkback_serve(b);
    if (!settle(b))
        return false;
    if (more)
        drv_work_again(&b->work);
    else if (b->connected && !b->leaving)
        pv_event_unmask((unsigned int)b->port);
    return more && b->connected;
}

bool blkback_work(void)
{
    struct blkback *b, *next;
    bool more = false;

    drv_work_begin(&work_waits);
    for (b = backends; b; b = next) {
        next = b->next;
        more |= round_of(b);
    }
    return more;
}

/* ---- figures ---- */

struct blkback *blkback_next(struct blkback *b)
{
    return b ? b->next : backends;
}

struct blkback_info blkback_info(struct blkback *b)
{
    return (struct blkback_info){ .front = b->front,
                                  .vdev = b->vdev,
                                  .connected = b->connected,
                                  .error = b->error,
                                  .refused = b->refused,
                                  .ring = b->ring.ring.stats };
}
