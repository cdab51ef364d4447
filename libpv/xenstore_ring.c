/* SPDX-License-Identifier: MIT
 *
 * Xenstore messages through the shared page of xen/io/xs_wire.h: two byte queues with free-running indices.
 *
 * Barriers: req_prod is stored with release after the bytes, and pairs with the server's load of it; rsp_prod
 * is loaded with acquire before the bytes are read; rsp_cons is stored with release after them, so that the
 * server doesn't overwrite what is still being read. The server's indices are clamped: a distance above the
 * ring's size counts as nothing to read, no room to write. A message is gathered in `in` over as many
 * arrivals as it takes.
 *
 * No wait is for ever: each turn asks whether the store's domain still has its end of the port (which nobody
 * tells us), whether the store has called the connection broken, and when a byte last moved.
 */
#include "libpv/xenstore_ring.h"
#include "libpv/errno.h"
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/time.h"

#define PATIENCE 60000000000UL /* ns in which the store moved no byte */

static struct xenstore_domain_interface *ring;
static unsigned int port;
static const struct pv_xs_hooks *hooks;

/* The message that arrives: `have` bytes of header and body so far. */
static struct {
    struct xsd_sockmsg h;
    char body[XENSTORE_PAYLOAD_MAX + 1];
} in;
static size_t have;

static uint64_t moved_at; /* when the store last took or gave a byte, or a request began */
static uint32_t seen;     /* the sum of the store's two indices then */
static bool met;          /* the store has been at the other end; before that it may still come */
static int broken;        /* the error of all requests from now on */

/* Why there is nothing to wait for, or 0. */
static int hopeless(void)
{
    uint32_t indices = ring->req_cons + ring->rsp_prod;
    bool connected = pv_event_connected(port);

    met |= connected || indices != seen;
    if (met && !connected)
        return broken = -ENOTCONN;
    if (ring->server_features & XENSTORE_SERVER_FEATURE_ERROR && ring->error)
        return broken = -EIO;
    if (indices != seen)
        moved_at = pv_time_ns();
    seen = indices;
    return pv_time_ns() - moved_at > PATIENCE ? -ETIMEDOUT : 0;
}

/* Waits for the store, about a second at most. 0, or an errno when that makes no sense any more. */
static int wait(void)
{
    int err = hopeless();

    if (!err && hooks && hooks->wait)
        hooks->wait();
    else if (!err)
        pv_xs_ring_wait();
    return err;
}

void pv_xs_ring_wait(void)
{
    if (ring)
        pv_event_wait(port, 1000000000);
    else
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
}

/* An error in the middle of a message breaks the stream for good. */
static int send_bytes(const char *src, size_t len)
{
    while (len && !broken) {
        uint32_t prod = ring->req_prod, used = prod - __atomic_load_n(&ring->req_cons, __ATOMIC_ACQUIRE);
        size_t n = 0;

        while (n < len && used + n < XENSTORE_RING_SIZE)
            ring->req[MASK_XENSTORE_IDX(prod + n)] = src[n], n++;
        __atomic_store_n(&ring->req_prod, prod + (uint32_t)n, __ATOMIC_RELEASE);
        pv_event_send(port);
        src += n;
        len -= n;
        if (!n)
            broken = wait();
    }
    return broken;
}

/* Copies up to len bytes out of the ring. */
static size_t take(char *dst, size_t len)
{
    uint32_t cons = ring->rsp_cons, used = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) - cons;
    size_t n = 0;

    if (used > XENSTORE_RING_SIZE)
        return 0;
    for (; n < len && n < used; n++)
        dst[n] = ring->rsp[MASK_XENSTORE_IDX(cons + n)];
    __atomic_store_n(&ring->rsp_cons, cons + (uint32_t)n, __ATOMIC_RELEASE);
    if (n)
        pv_event_send(port);
    return n;
}

/* Gathers what is there. True: a whole message is in `in`; the caller uses it and sets have = 0. */
static bool receive(void)
{
    if (have < sizeof(in.h))
        have += take((char *)&in.h + have, sizeof(in.h) - have);
    if (have < sizeof(in.h))
        return false;
    if (in.h.len > XENSTORE_PAYLOAD_MAX) { /* not the protocol: skip the header and look for the next */
        have = 0;
        return false;
    }
    have += take(in.body + (have - sizeof(in.h)), sizeof(in.h) + in.h.len - have);
    return have == sizeof(in.h) + in.h.len;
}

static void watch_event(void)
{
    size_t path_len;

    in.body[in.h.len] = 0;
    path_len = strlen(in.body) + 1;
    if (path_len <= in.h.len)
        pv_xs_push_watch(in.body, in.body + path_len);
}

void pv_xs_ring_drain(void)
{
    while (ring && receive()) {
        if (in.h.type == XS_WATCH_EVENT)
            watch_event();
        have = 0;
    }
}

static int ring_request(const struct xsd_sockmsg *hdr, const void *body, struct xsd_sockmsg *rhdr,
                        void *rbody)
{
    int err;

    moved_at = pv_time_ns();
    err = send_bytes((const char *)hdr, sizeof(*hdr));
    if (!err)
        err = send_bytes(body, hdr->len);
    for (;;) {
        while (!err && !receive())
            err = wait();
        if (err)
            return err;
        if (in.h.type == XS_WATCH_EVENT) {
            watch_event();
        } else if (in.h.req_id == hdr->req_id) {
            *rhdr = in.h;
            memcpy(rbody, in.body, in.h.len);
            have = 0;
            return 0;
        }
        have = 0;
    }
}

static void wake(unsigned int p, void *data)
{
    (void)p;
    (void)data;
    if (hooks && hooks->wake)
        hooks->wake();
}

void pv_xs_ring_hooks(const struct pv_xs_hooks *h)
{
    hooks = h;
    if (ring)
        pv_event_set_handler(port, h->wake ? wake : NULL, NULL);
}

const struct pv_xs_transport *pv_xs_ring_attach(struct xenstore_domain_interface *page, unsigned int store)
{
    static const struct pv_xs_transport transport = { .request = ring_request };

    ring = page;
    port = store;
    have = 0;
    met = false;
    broken = 0;
    seen = ring->req_cons + ring->rsp_prod;
    if (hooks)
        pv_xs_ring_hooks(hooks);
    return &transport;
}

const struct pv_xs_transport *pv_xs_ring_connect(void)
{
    struct start_info *si = pv_start_info;

    return si->store_mfn ? pv_xs_ring_attach(pv_mfn_to_virt(mfn(si->store_mfn)), si->store_evtchn) : NULL;
}
