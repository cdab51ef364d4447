/* SPDX-License-Identifier: MIT
 *
 * The xenstore server: connections, and the requests of the wire protocol (xs_wire.h) on them.
 *
 * Pure protocol: bytes of a client come in by xs_server_input, answers and watch events go out by
 * xs_server_output. Who carries them is another file's business: conn.c (rings in the store pages of other
 * domains), local.c (libpv's client in the same domain), a host test. One connection per domain; number 0 may
 * do everything. Not safe against itself: callers serialise.
 *
 * A client is not trusted: it may send anything in any pieces. What it can make the server hold is bounded:
 * one request, one answer, and the quotas below. What one request can make it do is bounded by them too: a
 * commit does for each path of its log, once, what a change of that path does. After a message that is longer
 * than the protocol allows the connection is dead (xs_server_dead) and only to be closed.
 *
 * Next: tree.h (the nodes), watch.c, request.c. Source: xs_wire.h; the behaviour of stock xenstored.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one domain other than 0 may have; more is refused with the error named here, and anything more when
 * all of them together have left domain 0 little memory (drv_memory_low). */
#define XS_MAX_NODES        1000   /* owned: ENOSPC */
#define XS_MAX_BYTES        131072 /* of names and values, owned: ENOSPC */
#define XS_MAX_VALUE        2048   /* bytes of a value: ENOSPC */
#define XS_MAX_PERMS        5      /* of a node, the owner's included: ENOSPC */
#define XS_MAX_WATCHES      128    /* E2BIG */
#define XS_MAX_WATCH_BYTES  65536  /* of their paths and tokens: E2BIG */
#define XS_MAX_TRANSACTIONS 10     /* at one time: ENOSPC */
#define XS_MAX_LOG          65536  /* bytes of the log of a transaction: ENOSPC */
/* Watch events that wait to be sent, and their bytes; equal ones count once, more are dropped. */
#define XS_MAX_EVENTS      1024
#define XS_MAX_EVENT_BYTES 131072

struct xs_server;
struct xs_conn;

/* An empty store. NULL: no memory. xs_server_free is for tests. */
struct xs_server *xs_server_new(void);
void xs_server_free(struct xs_server *s);

/* Opens the connection of a domain and fires @introduceDomain. NULL: it is open already, or no memory. */
struct xs_conn *xs_server_open(struct xs_server *s, uint16_t domid);
/* Ends it: transactions are given up, watches forgotten, @releaseDomain fires. */
void xs_server_close(struct xs_server *s, struct xs_conn *c);

/* Takes bytes from the client; returns how many were taken. It takes none while an answer waits to be sent.
 */
size_t xs_server_input(struct xs_conn *c, const void *bytes, size_t n);
/* Gives at most n bytes for the client; returns how many. */
size_t xs_server_output(struct xs_conn *c, void *bytes, size_t n);
/* Is there output? */
bool xs_server_has_output(const struct xs_conn *c);
/* The client broke the protocol. */
bool xs_server_dead(const struct xs_conn *c);

/* Called by INTRODUCE (domid, frame, port) and RELEASE of domain 0; a server without it answers ENOSYS. 0 or
 * -errno. */
struct xs_server_hooks {
    int (*introduce)(uint16_t domid, uint64_t mfn, uint32_t port);
    int (*release)(uint16_t domid);
};
void xs_server_set_hooks(struct xs_server *s, const struct xs_server_hooks *hooks);
