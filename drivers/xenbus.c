/* SPDX-License-Identifier: MIT
 *
 * XenbusState and watches that call back: see xenbus.h.
 *
 * A watch's token is a number that is never used again, so an event that was under way when its watch was
 * removed finds nobody.
 */
#include "drivers/xenbus.h"
#include <stdarg.h>
#include <stdint.h>
#include "drivers/kernel.h"
#include "libpv/errno.h"
#include "libpv/print.h"
#include "libpv/string.h"
#include "libpv/xenstore.h"

static struct drv_lock lock; /* guards the list and last_token */
static struct xenbus_watch *watches;
static unsigned int last_token;

static void token_text(char text[16], unsigned int token)
{
    pv_snprintf(text, 16, "xb%u", token);
}

static void unlink_watch(struct xenbus_watch *w)
{
    bool events = drv_lock(&lock);

    for (struct xenbus_watch **p = &watches; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            break;
        }
    drv_unlock(&lock, events);
}

int xenbus_watch_add(struct xenbus_watch *w)
{
    bool events = drv_lock(&lock);
    char token[16];
    int err;

    w->token = ++last_token;
    w->next = watches;
    watches = w;
    drv_unlock(&lock, events);
    token_text(token, w->token);
    err = pv_xs_watch(w->path, token);
    if (err)
        unlink_watch(w);
    return err;
}

void xenbus_watch_del(struct xenbus_watch *w)
{
    char token[16];

    unlink_watch(w);
    token_text(token, w->token);
    pv_xs_unwatch(w->path, token);
}

static void dispatch(const struct pv_xs_event *event)
{
    struct xenbus_watch *w;
    char token[16];
    bool events = drv_lock(&lock);

    for (w = watches; w; w = w->next) {
        token_text(token, w->token);
        if (strcmp(token, event->token) == 0)
            break;
    }
    drv_unlock(&lock, events);
    if (w)
        w->fn(w, event->path);
}

bool xenbus_work(void)
{
    struct pv_xs_event event;
    bool any = false;

    while (pv_xs_next_watch(&event)) {
        dispatch(&event);
        any = true;
    }
    return any;
}

void xenbus_wait(void)
{
    struct pv_xs_event event;

    pv_xs_wait_watch(&event);
    dispatch(&event);
}

bool xenbus_path(char path[XENBUS_PATH], const char *dir, const char *leaf)
{
    return pv_snprintf(path, XENBUS_PATH, "%s/%s", dir, leaf) < XENBUS_PATH;
}

int xenbus_make_dir(const char *dir, unsigned int owner, unsigned int reader)
{
    char perms[24]; /* two strings, each with its NUL */
    int n = pv_snprintf(perms, sizeof(perms), "n%u", owner) + 1;
    int err = pv_xs_mkdir(0, dir);

    n += pv_snprintf(perms + n, sizeof(perms) - (size_t)n, "r%u", reader) + 1;
    return err ? err : pv_xs_set_perms(0, dir, perms, (size_t)n);
}

int xenbus_read(const char *dir, const char *leaf, char *buf, size_t size)
{
    char path[XENBUS_PATH];

    return xenbus_path(path, dir, leaf) ? pv_xs_read(0, path, buf, size) : -E2BIG;
}

int xenbus_write(const char *dir, const char *leaf, const char *value)
{
    char path[XENBUS_PATH];

    return xenbus_path(path, dir, leaf) ? pv_xs_write(0, path, value) : -E2BIG;
}

int xenbus_printf(const char *dir, const char *leaf, const char *fmt, ...)
{
    char value[XENBUS_PATH];
    va_list args;
    int n;

    va_start(args, fmt);
    n = pv_vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    return n < (int)sizeof(value) ? xenbus_write(dir, leaf, value) : -E2BIG;
}

/* A number is written by the other side: digits only, and at most 18, so that nothing overflows. */
unsigned long xenbus_number(const char *dir, const char *leaf, unsigned long max, unsigned long otherwise)
{
    char text[20], *end;
    unsigned long value;

    if (xenbus_read(dir, leaf, text, sizeof(text)) <= 0 || text[0] < '0' || text[0] > '9' ||
        strlen(text) > 18)
        return otherwise;
    value = strtoul(text, &end, 10);
    return *end == '\0' && value <= max ? value : otherwise;
}

enum xenbus_state xenbus_get_state(const char *dir)
{
    return (enum xenbus_state)xenbus_number(dir, "state", XenbusStateReconfigured, XenbusStateUnknown);
}

int xenbus_set_state(const char *dir, enum xenbus_state state)
{
    return xenbus_printf(dir, "state", "%u", (unsigned int)state);
}
