/* SPDX-License-Identifier: MIT
 *
 * Connections of the xenstore server, and the framing of the wire protocol: see server.h.
 *
 * Bytes become a request when header and body are complete; the request is run at once (request.c) and leaves
 * one answer in the queue, which must be sent before more bytes are taken. So a client that doesn't read its
 * answers holds up itself alone.
 */
#include "drivers/kernel.h"
#include "drivers/xenstore/state.h"
#include "libpv/errno.h"
#include "libpv/string.h"

struct xs_server *xs_server_new(void)
{
    struct xs_server *s = drv_alloc(sizeof(*s));

    if (s && xs_tree_init(&s->tree) != 0) {
        drv_free(s);
        s = NULL;
    }
    if (s)
        s->generation = 1;
    return s;
}

void xs_server_free(struct xs_server *s)
{
    while (s->conns)
        xs_server_close(s, s->conns);
    xs_tree_drop(&s->tree);
    drv_free(s);
}

void xs_server_set_hooks(struct xs_server *s, const struct xs_server_hooks *hooks)
{
    s->hooks = hooks;
}

struct xs_conn *xs_server_open(struct xs_server *s, uint16_t domid)
{
    struct xs_conn *c;

    for (c = s->conns; c; c = c->next)
        if (c->domid == domid)
            return NULL;
    c = drv_alloc(sizeof(*c));
    if (!c)
        return NULL;
    c->server = s;
    c->domid = domid;
    c->out_last = &c->out_first;
    c->next = s->conns;
    s->conns = c;
    xs_watch_fire_special(s, "@introduceDomain");
    return c;
}

/* Takes the first message out of the queue. */
static void output_drop(struct xs_conn *c)
{
    struct xs_message *m = c->out_first;

    c->out_first = m->next;
    if (!c->out_first)
        c->out_last = &c->out_first;
    if (m->event) {
        c->nr_events--;
        c->event_bytes -= m->size;
    } else {
        c->nr_answers--;
    }
    c->out_sent = 0;
    drv_free(m);
}

void xs_server_close(struct xs_server *s, struct xs_conn *c)
{
    struct xs_conn **place = &s->conns;

    while (*place != c)
        place = &(*place)->next;
    *place = c->next;
    while (c->transactions)
        xs_transaction_end(c, c->transactions, false);
    xs_watch_del_all(c);
    while (c->out_first)
        output_drop(c);
    if (c->domid)
        xs_tree_forget_domain(&s->tree, c->domid);
    drv_free(c);
    xs_watch_fire_special(s, "@releaseDomain");
}

/* Copies what is missing of `want` bytes at `to`, of which `have` are there; returns how many. */
static size_t fill(void *to, size_t have, size_t want, const char *bytes, size_t n)
{
    size_t take = want - have < n ? want - have : n;

    memcpy((char *)to + have, bytes, take);
    return take;
}

size_t xs_server_input(struct xs_conn *c, const void *bytes, size_t n)
{
    const size_t header = sizeof(c->in);
    const char *from = bytes;
    size_t taken = 0;

    while (taken < n && !c->dead && c->nr_answers == 0) {
        size_t step;

        if (c->in_bytes < header)
            step = fill(&c->in, c->in_bytes, header, from + taken, n - taken);
        else
            step = fill(c->body, c->in_bytes - header, c->in.len, from + taken, n - taken);
        taken += step;
        c->in_bytes += step;
        if (c->in_bytes < header)
            continue;
        if (c->in.len > XENSTORE_PAYLOAD_MAX) {
            c->dead = true;
        } else if (c->in_bytes == header + c->in.len) {
            c->body[c->in.len] = '\0';
            c->in_bytes = 0;
            xs_request_run(c);
        }
    }
    return taken;
}

size_t xs_server_output(struct xs_conn *c, void *bytes, size_t n)
{
    char *to = bytes;
    size_t given = 0;

    while (given < n && c->out_first) {
        const struct xs_message *m = c->out_first;
        size_t step = m->size - c->out_sent < n - given ? m->size - c->out_sent : n - given;

        memcpy(to + given, m->bytes + c->out_sent, step);
        given += step;
        c->out_sent += step;
        if (c->out_sent == m->size)
            output_drop(c);
    }
    return given;
}

bool xs_server_has_output(const struct xs_conn *c)
{
    return c->out_first != NULL;
}

bool xs_server_dead(const struct xs_conn *c)
{
    return c->dead;
}
