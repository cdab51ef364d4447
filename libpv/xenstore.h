/* SPDX-License-Identifier: MIT
 *
 * A xenstore client. Calls block until the answer is there; watches are queued and taken by pv_xs_next_watch.
 *
 * Messages go by a transport: the ring in the store page (a domain other than 0), or what the server in the
 * same domain registers (domain 0). A threaded kernel sets hooks, so that waiting sleeps only the calling
 * thread; without hooks the vcpu polls. Paths are absolute, or relative to the domain's home. Errors are
 * negative errnos (numbers of libpv/errno.h): those of the store
 * (-ENOENT, -EACCES, -EEXIST, -EAGAIN for a transaction to be done again, -EINVAL, ...), -E2BIG for a message
 * that is too long, -ENOSYS when the domain has no store; -ENOTCONN when the store's domain has ended, -EIO
 * when the store says that the connection is broken, and -ETIMEDOUT when it did nothing for a minute. Source:
 * xen/io/xs_wire.h and Xen's docs/misc/xenstore.txt.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

/* Number of a transaction; 0: none. */
typedef uint32_t pv_xs_tx;

/* Connects to the ring of start_info. 0; -ENOSYS when there is none (domain 0, or a builder that gave no
 * store). */
int pv_xs_init(void);
/* True when calls can be answered. */
bool pv_xs_present(void);

/* Reads a node into buf (at most size bytes with a NUL that is always added; longer values give -E2BIG). Its
 * length, or an errno. */
int pv_xs_read(pv_xs_tx tx, const char *path, char *buf, size_t size);
/* Reads a decimal or 0x number. 0 or an errno; -EINVAL when it is none. */
int pv_xs_read_number(pv_xs_tx tx, const char *path, unsigned long *value);
int pv_xs_write(pv_xs_tx tx, const char *path, const char *value);
/* Formatted; at most 255 characters. */
int pv_xs_printf(pv_xs_tx tx, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int pv_xs_mkdir(pv_xs_tx tx, const char *path);
int pv_xs_rm(pv_xs_tx tx, const char *path);
/* Names of the children, each ended by NUL, into buf. Their total length in bytes, or an errno. */
int pv_xs_ls(pv_xs_tx tx, const char *path, char *buf, size_t size);
/* perms as on the wire: "n0", or several strings one after the other with NULs, len bytes in all. */
int pv_xs_set_perms(pv_xs_tx tx, const char *path, const char *perms, size_t len);
/* The home of a domain, "/local/domain/N". Its length or an errno. */
int pv_xs_domain_path(unsigned int domid, char *buf, size_t size);

/* Domain 0: the store serves a domain whose store page is `frame` and whose port waits for us; it serves it
 * no more. */
int pv_xs_introduce(unsigned int domid, unsigned long frame, unsigned int port);
int pv_xs_release(unsigned int domid);

int pv_xs_transaction_start(pv_xs_tx *tx);
/* commit false: give up. -EAGAIN: somebody else changed what was read; do it all again. */
int pv_xs_transaction_end(pv_xs_tx tx, bool commit);

/* Watches: fires once at once, then at each change at or below path. The token comes back with each firing.
 */
int pv_xs_watch(const char *path, const char *token);
int pv_xs_unwatch(const char *path, const char *token);

#define PV_XS_PATH_MAX  192
#define PV_XS_TOKEN_MAX 64
struct pv_xs_event {
    char path[PV_XS_PATH_MAX];
    char token[PV_XS_TOKEN_MAX];
};

/* Takes the oldest queued watch event; false when there is none now. At most 64 wait. An event is merged with
 * an equal one that waits; when half the queue is full, with any of the same token, so that who writes many
 * nodes below one watch can't push out the events of other watches. Beyond that they are dropped with a line
 * on the console. */
bool pv_xs_next_watch(struct pv_xs_event *event);
/* Waits for one (hooks or polling). */
void pv_xs_wait_watch(struct pv_xs_event *event);

/* For a threaded kernel. lock/unlock hold one caller at a time in a request (they may sleep). wait sleeps the
 * calling thread until wake was called since the check that came before it (a counting semaphore, or recheck
 * every tick), and a second or so at most: a store that has died wakes nobody. wake is called from the event
 * upcall and by pv_xs_push_watch. */
struct pv_xs_hooks {
    void (*lock)(void);
    void (*unlock)(void);
    void (*wait)(void);
    void (*wake)(void);
};
void pv_xs_set_hooks(const struct pv_xs_hooks *hooks);

/* Another transport than the ring. request sends hdr and its body and fills rhdr and rbody (at most
 * XENSTORE_PAYLOAD_MAX bytes); returns 0 or a negative errno. Called with the lock held. */
struct pv_xs_transport {
    int (*request)(const struct xsd_sockmsg *hdr, const void *body, struct xsd_sockmsg *rhdr, void *rbody);
};
void pv_xs_set_transport(const struct pv_xs_transport *transport);

/* Called by a transport when a watch fired. */
void pv_xs_push_watch(const char *path, const char *token);
