/* SPDX-License-Identifier: MIT
 *
 * Watches, and the messages that wait to go out to a client.
 *
 * A watch fires for a change at its path or below it, and for the removal of something above it that took its
 * path away. A domain hears only of nodes that it may read (before or after the change, so that it hears of a
 * removal). Events of one change go out in the order in which the watches were set. An event that equals one
 * that still waits is not queued again.
 *
 * Domain 0 takes its events after each round of the service thread, so those have no limit: else domains
 * could make it lose the events of others.
 */
#include "drivers/kernel.h"
#include "drivers/xenstore/state.h"
#include "libpv/errno.h"
#include "libpv/print.h"
#include "libpv/string.h"

/* ---- output ---- */

bool xs_output_add(struct xs_conn *c, const struct xsd_sockmsg *hdr, const void *body, bool event)
{
    struct xs_message *m = drv_alloc(sizeof(*m) + sizeof(*hdr) + hdr->len);

    if (!m)
        return false;
    m->event = event;
    m->size = (uint32_t)sizeof(*hdr) + hdr->len;
    memcpy(m->bytes, hdr, sizeof(*hdr));
    if (hdr->len)
        memcpy(m->bytes + sizeof(*hdr), body, hdr->len);
    *c->out_last = m;
    c->out_last = &m->next;
    if (event) {
        m->hash = xs_hash(body, hdr->len);
        c->nr_events++;
        c->event_bytes += m->size;
    } else {
        c->nr_answers++;
    }
    return true;
}

/* Is there an equal event in the queue, of which nothing is sent yet? */
static bool event_waits(const struct xs_conn *c, const char *body, uint32_t len)
{
    uint32_t hash = xs_hash(body, len);

    c->server->compared_events += c->nr_events;
    for (const struct xs_message *m = c->out_first; m; m = m->next)
        if (m->event && m->hash == hash && m->size == sizeof(struct xsd_sockmsg) + len &&
            (m != c->out_first || !c->out_sent) &&
            memcmp(m->bytes + sizeof(struct xsd_sockmsg), body, len) == 0)
            return true;
    return false;
}

static bool events_have_room(const struct xs_conn *c, uint32_t len)
{
    return !c->domid || (c->nr_events < XS_MAX_EVENTS && !drv_memory_low() &&
                         c->event_bytes + sizeof(struct xsd_sockmsg) + len <= XS_MAX_EVENT_BYTES);
}

/* Queues "path NUL token NUL". */
static void send_event(struct xs_conn *c, const struct xs_watch *w, const char *path)
{
    struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT };
    size_t path_size, token_size = strlen(w->token) + 1;
    char home[XS_HOME_MAX], *body;

    if (w->relative)
        path += xs_home(home, c->domid) + 1;
    path_size = strlen(path) + 1;
    hdr.len = (uint32_t)(path_size + token_size);
    body = events_have_room(c, hdr.len) && hdr.len <= XENSTORE_PAYLOAD_MAX ? drv_alloc(hdr.len) : NULL;
    if (!body) {
        c->server->dropped_events++;
        return;
    }
    memcpy(body, path, path_size);
    memcpy(body + path_size, w->token, token_size);
    if (!event_waits(c, body, hdr.len) && !xs_output_add(c, &hdr, body, true))
        c->server->dropped_events++;
    drv_free(body);
}

/* ---- watches ---- */

/* The path as it is kept: @names as they are, else absolute. Into the server's scratch. */
static int watch_path(struct xs_conn *c, const char *path)
{
    if (path[0] != '@')
        return xs_path_make(&c->server->path, c->domid, path);
    if (strcmp(path, "@introduceDomain") != 0 && strcmp(path, "@releaseDomain") != 0)
        return -EINVAL;
    memcpy(c->server->path.text, path, strlen(path) + 1);
    return 0;
}

static struct xs_watch **watch_find(struct xs_conn *c, const char *path, const char *token)
{
    struct xs_watch **w = &c->watches;

    while (*w && (strcmp((*w)->text, path) != 0 || strcmp((*w)->token, token) != 0))
        w = &(*w)->next;
    return w;
}

int xs_watch_add(struct xs_conn *c, const char *path, const char *token, struct xs_watch **added)
{
    const char *text = c->server->path.text;
    int err = watch_path(c, path);
    struct xs_watch **place, *w;
    size_t path_size, bytes;

    if (err)
        return err;
    place = watch_find(c, text, token);
    if (*place)
        return -EEXIST;
    path_size = strlen(text) + 1;
    bytes = path_size + strlen(token) + 1;
    if (c->domid &&
        (c->nr_watches >= XS_MAX_WATCHES || c->watch_bytes + bytes > XS_MAX_WATCH_BYTES || drv_memory_low()))
        return -E2BIG;
    w = drv_alloc(sizeof(*w) + bytes);
    if (!w)
        return -ENOMEM;
    w->relative = path[0] != '/' && path[0] != '@';
    w->token = w->text + path_size;
    memcpy(w->text, text, path_size);
    memcpy(w->text + path_size, token, strlen(token) + 1);
    *place = w;
    c->nr_watches++;
    c->watch_bytes += bytes;
    *added = w;
    return 0;
}

void xs_watch_first_event(struct xs_conn *c, const struct xs_watch *w)
{
    send_event(c, w, w->text);
}

int xs_watch_del(struct xs_conn *c, const char *path, const char *token)
{
    int err = watch_path(c, path);
    struct xs_watch **place, *w;

    if (err)
        return err;
    place = watch_find(c, c->server->path.text, token);
    w = *place;
    if (!w)
        return -ENOENT;
    *place = w->next;
    c->nr_watches--;
    c->watch_bytes -= strlen(w->text) + strlen(w->token) + 2;
    drv_free(w);
    return 0;
}

void xs_watch_del_all(struct xs_conn *c)
{
    struct xs_watch *w;

    while ((w = c->watches)) {
        c->watches = w->next;
        drv_free(w);
    }
    c->nr_watches = 0;
    c->watch_bytes = 0;
}

static bool may_hear(const struct xs_conn *c, const char *path, const struct xs_tree *before,
                     const struct xs_tree *after)
{
    const struct xs_node *n;

    return xs_tree_get(before, c->domid, path, XS_MAY_READ, &n) == 0 ||
           xs_tree_get(after, c->domid, path, XS_MAY_READ, &n) == 0;
}

/* What the watches of one connection have to do with a change. */
static void fire_in(struct xs_conn *c, const char *path, const struct xs_tree *before,
                    const struct xs_tree *after)
{
    bool removed = !xs_tree_find(after, path);
    enum { UNKNOWN, NO, YES } hears = UNKNOWN; /* of path; looking is not cheap, watches are many */

    for (struct xs_watch *w = c->watches; w; w = w->next) {
        if (w->text[0] == '@')
            continue;
        if (xs_path_within(path, w->text)) {
            if (!hears)
                hears = may_hear(c, path, before, after) ? YES : NO;
            if (hears == YES)
                send_event(c, w, path);
        } else if (removed && xs_path_within(w->text, path) && xs_tree_find(before, w->text)) {
            if (may_hear(c, w->text, before, after))
                send_event(c, w, w->text);
        }
    }
}

void xs_watch_fire(struct xs_server *s, const char *path, const struct xs_tree *before,
                   const struct xs_tree *after)
{
    for (struct xs_conn *c = s->conns; c; c = c->next)
        if (c->watches)
            fire_in(c, path, before, after);
}

void xs_watch_fire_special(struct xs_server *s, const char *name)
{
    for (struct xs_conn *c = s->conns; c; c = c->next)
        for (struct xs_watch *w = c->watches; w; w = w->next)
            if (c->domid == 0 && strcmp(w->text, name) == 0)
                send_event(c, w, name);
}
