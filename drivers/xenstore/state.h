/* SPDX-License-Identifier: MIT
 *
 * What the server remembers: the tree, the connections, and each connection's watches, transactions and
 * messages.
 *
 * Private to server.c (connections and framing), request.c (the requests), watch.c (watches and the output
 * queue) and transaction.c. All of it belongs to one caller at a time.
 */
#pragma once

#include <stdint.h>
#include <xen/io/xs_wire.h>
#include "drivers/xenstore/path.h"
#include "drivers/xenstore/server.h"
#include "drivers/xenstore/tree.h"

/* Bytes that are equal have equal hashes: what differs is mostly told without a look at it. */
static inline uint32_t xs_hash(const char *bytes, size_t n)
{
    uint32_t hash = (uint32_t)n;

    while (n--)
        hash = (hash ^ (uint8_t)*bytes++) * 0x01000193;
    return hash;
}

/* A message on its way out. */
struct xs_message {
    struct xs_message *next;
    bool event;    /* a watch event, not an answer */
    uint32_t hash; /* of the body, of an event */
    uint32_t size; /* of bytes: header and body */
    char bytes[];
};

struct xs_watch {
    struct xs_watch *next;
    bool relative;     /* events name paths relative to the domain's home */
    const char *token; /* in text */
    char text[];       /* the path (absolute, or @introduceDomain and so on), a NUL, the token */
};

/* One operation in a transaction: what was looked at or changed, and how to do it again. */
enum xs_log_kind { XS_LOG_READ, XS_LOG_WRITE, XS_LOG_MKDIR, XS_LOG_RM, XS_LOG_PERMS };
struct xs_log {
    struct xs_log *next;
    enum xs_log_kind kind;
    uint32_t hash;      /* of the path */
    uint32_t value_len; /* XS_LOG_WRITE: bytes; XS_LOG_PERMS: number of permissions */
    const void *value;
    char path[];
};

struct xs_transaction {
    struct xs_transaction *next;
    uint32_t id;
    uint16_t domid;      /* whose */
    struct xs_tree base; /* as it was at the start */
    struct xs_tree tree; /* as the transaction sees it */
    struct xs_log *first, **last;
    size_t log_bytes;
};

struct xs_conn {
    struct xs_conn *next;
    struct xs_server *server;
    uint16_t domid;
    bool dead;
    /* The request that comes in: header, then body. */
    size_t in_bytes;
    struct xsd_sockmsg in;
    char body[XENSTORE_PAYLOAD_MAX + 1]; /* and a NUL, so that strings end */
    /* What goes out; out_sent bytes of the first message are gone already. */
    struct xs_message *out_first, **out_last;
    size_t out_sent;
    unsigned int nr_answers, nr_events; /* in the queue */
    size_t event_bytes;                 /* of those events */
    struct xs_watch *watches;           /* in the order they were set */
    unsigned int nr_watches;
    size_t watch_bytes; /* of their paths and tokens */
    struct xs_transaction *transactions;
    unsigned int nr_transactions;
    uint32_t last_id; /* of a transaction */
};

struct xs_server {
    struct xs_tree tree;
    uint64_t generation; /* number of the last change */
    struct xs_conn *conns;
    const struct xs_server_hooks *hooks;
    uint64_t dropped_events;
    uint64_t compared_events; /* with one that a change brings, to find an equal one */
    /* Scratch of the request that runs; too big for a kernel's stack. */
    struct xs_path path;
    char reply[XENSTORE_PAYLOAD_MAX];
};

/* request.c: answers the complete request in c->in and c->body. */
void xs_request_run(struct xs_conn *c);

/* watch.c: appends a message to the output. False: no memory. */
bool xs_output_add(struct xs_conn *c, const struct xsd_sockmsg *hdr, const void *body, bool event);
/* -EINVAL, -EEXIST, -E2BIG, -ENOMEM. */
int xs_watch_add(struct xs_conn *c, const char *path, const char *token, struct xs_watch **added);
/* Queues the event that each watch sends when it is set. */
void xs_watch_first_event(struct xs_conn *c, const struct xs_watch *w);
int xs_watch_del(struct xs_conn *c, const char *path, const char *token); /* -EINVAL, -ENOENT */
void xs_watch_del_all(struct xs_conn *c);
/* Tells all who watch it that `path` changed: `before` and `after` are the trees around the change. */
void xs_watch_fire(struct xs_server *s, const char *path, const struct xs_tree *before,
                   const struct xs_tree *after);
/* @introduceDomain, @releaseDomain: to domain 0. */
void xs_watch_fire_special(struct xs_server *s, const char *name);

/* transaction.c: does a changing operation as the domain would, on a tree. 0 or -errno. */
int xs_change(struct xs_tree *t, uint16_t domid, enum xs_log_kind kind, const char *path, const void *value,
              uint32_t value_len, uint64_t generation);
int xs_transaction_start(struct xs_conn *c, uint32_t *id);
struct xs_transaction *xs_transaction_find(struct xs_conn *c, uint32_t id);
/* Remembers an operation. 0, -ENOSPC, -ENOMEM. */
int xs_transaction_log(struct xs_transaction *t, enum xs_log_kind kind, const char *path, const void *value,
                       uint32_t value_len);
/* Takes it out of the connection; commit: makes its changes those of the server, or -EAGAIN. */
int xs_transaction_end(struct xs_conn *c, struct xs_transaction *t, bool commit);
