/* SPDX-License-Identifier: MIT
 *
 * How the halves of a device meet: XenbusState under both directories in xenstore, and watches that call
 * back.
 *
 * Built on libpv's xenstore client, which in domain 0 leads to the server in the same domain. Everything here
 * runs in a thread, and all watch callbacks run in the one thread that calls xenbus_work. Source:
 * xen/io/xenbus.h, blkif.h (state diagram).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <xen/io/xenbus.h>

#define XENBUS_PATH 128

struct xenbus_watch {
    char path[XENBUS_PATH]; /* set by the caller */
    /* `changed` is the path that changed. May remove this watch, and add and remove others. */
    void (*fn)(struct xenbus_watch *w, const char *changed);
    void *data;
    unsigned int token; /* xenbus's own, all that follow */
    struct xenbus_watch *next;
};

/* Starts a watch; it fires once at once. 0 or the store's negative errno. */
int xenbus_watch_add(struct xenbus_watch *w);
void xenbus_watch_del(struct xenbus_watch *w);

/* Calls back for the watch events that are queued; false when there were none. */
bool xenbus_work(void);
/* Waits for the next watch event and calls back: the loop of a frontend domain's thread. (Domain 0 uses
 * dom0_work.) */
void xenbus_wait(void);

/* dir/leaf into path. False when it doesn't fit. */
bool xenbus_path(char path[XENBUS_PATH], const char *dir, const char *leaf);

/* Makes `dir`, which `owner` writes and `reader` reads (domain 0 does both anyway). 0 or a negative errno. */
int xenbus_make_dir(const char *dir, unsigned int owner, unsigned int reader);

/* dir/state. XenbusStateUnknown when there is none, or it can't be read, or it is no number from 1 to 8. */
enum xenbus_state xenbus_get_state(const char *dir);
int xenbus_set_state(const char *dir, enum xenbus_state state);

/* dir/leaf as a number up to max, `otherwise` when it is missing or is none. */
unsigned long xenbus_number(const char *dir, const char *leaf, unsigned long max, unsigned long otherwise);
/* dir/leaf as text (size bytes with the NUL). Length or a negative errno. */
int xenbus_read(const char *dir, const char *leaf, char *buf, size_t size);
int xenbus_write(const char *dir, const char *leaf, const char *value);
int xenbus_printf(const char *dir, const char *leaf, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
