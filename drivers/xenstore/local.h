/* SPDX-License-Identifier: MIT
 *
 * Domain 0's own connection: libpv's xenstore client (pv_xs_*) calls the server in the same domain.
 */
#pragma once

#include <stdbool.h>
#include "drivers/kernel.h"
#include "drivers/xenstore/server.h"

/* Opens connection 0 and makes it the transport of pv_xs_*. `guard` is held around every use of the server. 0
 * or -ENOMEM. */
int xs_local_start(struct xs_server *s, struct drv_lock *guard);

/* Upcall-safe: are there watch events for xenbus_work, or for xs_local_deliver to give it? */
bool xs_local_pending(void);

/* Thread, without the guard: gives libpv the watch events that wait in the connection. Call it before
 * xenbus_work. */
void xs_local_deliver(void);
