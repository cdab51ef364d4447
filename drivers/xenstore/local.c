/* SPDX-License-Identifier: MIT
 *
 * libpv's xenstore client and the server in one domain: see local.h.
 *
 * A request runs in the thread that makes it, with the guard held. Messages come out of the connection one
 * after the other; those before the answer are watch events, which libpv queues.
 */
#include "drivers/xenstore/local.h"
#include <xen/io/xs_wire.h>
#include "libpv/errno.h"
#include "libpv/string.h"
#include "libpv/xenstore.h"

static struct xs_conn *conn; /* used with the guard held */
static struct drv_lock *guard;
static bool poked; /* events were given to libpv since the last xs_local_deliver */

/* The next message of the connection. Guard held. */
static bool next_message(struct xsd_sockmsg *hdr, char body[XENSTORE_PAYLOAD_MAX])
{
    if (xs_server_output(conn, hdr, sizeof(*hdr)) != sizeof(*hdr))
        return false;
    xs_server_output(conn, body, hdr->len);
    return true;
}

static void push_event(const struct xsd_sockmsg *hdr, const char *body)
{
    const char *end = memchr(body, '\0', hdr->len);

    if (!end)
        return;
    pv_xs_push_watch(body, end + 1);
    __atomic_store_n(&poked, true, __ATOMIC_RELEASE);
}

/* libpv's transport; libpv makes one request at a time. */
static int request(const struct xsd_sockmsg *hdr, const void *body, struct xsd_sockmsg *rhdr, void *rbody)
{
    bool events = drv_lock(guard);
    int err = -EIO;

    if (xs_server_input(conn, hdr, sizeof(*hdr)) == sizeof(*hdr) &&
        xs_server_input(conn, body, hdr->len) == hdr->len) {
        while (next_message(rhdr, rbody)) {
            if (rhdr->type != XS_WATCH_EVENT) {
                err = 0;
                break;
            }
            push_event(rhdr, rbody);
        }
    }
    drv_unlock(guard, events);
    drv_wake(); /* the request may have made output for other connections */
    return err;
}

int xs_local_start(struct xs_server *s, struct drv_lock *server_guard)
{
    static const struct pv_xs_transport transport = { request };

    conn = xs_server_open(s, 0);
    if (!conn)
        return -ENOMEM;
    guard = server_guard;
    pv_xs_set_transport(&transport);
    return 0;
}

bool xs_local_pending(void)
{
    return __atomic_load_n(&poked, __ATOMIC_ACQUIRE) || (conn && xs_server_has_output(conn));
}

void xs_local_deliver(void)
{
    static char body[XENSTORE_PAYLOAD_MAX]; /* used with the guard held */
    struct xsd_sockmsg hdr;
    bool events = drv_lock(guard);

    __atomic_store_n(&poked, false, __ATOMIC_RELEASE);
    while (next_message(&hdr, body))
        push_event(&hdr, body);
    __atomic_store_n(&poked, false, __ATOMIC_RELEASE); /* xenbus_work comes next */
    drv_unlock(guard, events);
}
