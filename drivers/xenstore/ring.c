/* SPDX-License-Identifier: MIT
 *
 * The store page of a domain, from the server's side: see ring.h.
 */
#include "drivers/xenstore/ring.h"
#include "ring/order.h"

#define CHUNK 256 /* bytes carried at a time; on the stack */

void xs_ring_attach(struct xs_ring *r, struct xenstore_domain_interface *page, struct xs_conn *conn)
{
    *r = (struct xs_ring){ page, conn, ring_observe(&page->req_cons), ring_observe(&page->rsp_prod), false };
    ring_set(&page->server_features, XENSTORE_SERVER_FEATURE_ERROR);
    ring_set(&page->connection, XENSTORE_CONNECTED);
    ring_set(&page->error, XENSTORE_ERROR_NONE);
}

static void die(struct xs_ring *r, uint32_t error)
{
    ring_set(&r->page->error, error);
    r->dead = true;
}

/* Copies n bytes between a ring of the page, from index on, and a buffer. */
static void copy(bool out, char *ring, uint32_t index, char *buf, uint32_t n)
{
    uint32_t at = MASK_XENSTORE_IDX(index);
    uint32_t first = n < XENSTORE_RING_SIZE - at ? n : XENSTORE_RING_SIZE - at;

    if (out) {
        ring_copy(buf, ring + at, first);
        ring_copy(buf + first, ring, n - first);
    } else {
        ring_copy(ring + at, buf, first);
        ring_copy(ring, buf + first, n - first);
    }
}

/* Requests, at most a ring full. */
static bool take_requests(struct xs_ring *r)
{
    uint32_t waiting = ring_observe(&r->page->req_prod) - r->req_cons, at = r->req_cons;
    char buf[CHUNK];

    if (waiting > XENSTORE_RING_SIZE) {
        die(r, XENSTORE_ERROR_RINGIDX);
        return false;
    }
    while (waiting) {
        uint32_t n = waiting < CHUNK ? waiting : CHUNK, took;

        copy(true, r->page->req, at, buf, n);
        took = (uint32_t)xs_server_input(r->conn, buf, n);
        at += took;
        waiting -= took;
        if (took < n) /* an answer has to go out first */
            break;
    }
    if (at == r->req_cons)
        return false;
    r->req_cons = at;
    ring_publish(&r->page->req_cons, at);
    return true;
}

/* Answers and events, as many as there is room for. */
static bool give_responses(struct xs_ring *r)
{
    uint32_t used = r->rsp_prod - ring_observe(&r->page->rsp_cons), at = r->rsp_prod;
    char buf[CHUNK];

    if (used > XENSTORE_RING_SIZE) {
        die(r, XENSTORE_ERROR_RINGIDX);
        return false;
    }
    while (used < XENSTORE_RING_SIZE) {
        uint32_t room = XENSTORE_RING_SIZE - used;
        uint32_t n = (uint32_t)xs_server_output(r->conn, buf, room < CHUNK ? room : CHUNK);

        if (!n)
            break;
        copy(false, r->page->rsp, at, buf, n);
        at += n;
        used += n;
    }
    if (at == r->rsp_prod)
        return false;
    r->rsp_prod = at;
    ring_publish(&r->page->rsp_prod, at);
    return true;
}

bool xs_ring_work(struct xs_ring *r, bool *moved)
{
    bool took = false, gave = false;

    *moved = false;
    if (r->dead)
        return false;
    took = take_requests(r);
    if (!r->dead && xs_server_dead(r->conn))
        die(r, XENSTORE_ERROR_PROTO);
    if (!r->dead)
        gave = give_responses(r);
    *moved = took || gave || r->dead;
    return !r->dead && (took || gave);
}
