/* SPDX-License-Identifier: MIT
 *
 * Bytes between a connection of the server and the rings in a domain's store page (xs_wire.h).
 *
 * The page is the client's and may change at any time: the server's two indices live here, the client's two
 * are read once a round and checked, bytes are copied out before anybody looks at them. A client whose
 * indices make no sense, or that breaks the protocol, is dead: the page's error word says why, and its bytes
 * are looked at no more.
 *
 * Barriers: the client's release of req_prod and rsp_cons pairs with ring_observe here, ring_publish of
 * req_cons and rsp_prod here with the client's acquire.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>
#include "drivers/xenstore/server.h"

struct xs_ring {
    struct xenstore_domain_interface *page;
    struct xs_conn *conn;
    uint32_t req_cons, rsp_prod;
    bool dead;
};

/* Takes the page over as it is: its rings may have been used before. */
void xs_ring_attach(struct xs_ring *r, struct xenstore_domain_interface *page, struct xs_conn *conn);

/* One bounded round in each direction. *moved: the client wants to be notified. True: there is more to do
 * now. */
bool xs_ring_work(struct xs_ring *r, bool *moved);
