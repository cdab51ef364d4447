/* SPDX-License-Identifier: MIT
 *
 * The requests of the xenstore protocol: one handler each, one table, one routine that unpacks, calls and
 * answers.
 *
 * A handler gets the body as strings, looks at r->tree (the server's, or that of the transaction named in the
 * header), and leaves its answer in r->reply; without one the answer is "OK". An error is answered by its
 * name ("ENOENT"). What changes the tree goes through change(), which logs it in a transaction or else fires
 * the watches. Source: xs_wire.h for numbers and limits; the behaviour of stock xenstored for the rest.
 */
#include "drivers/kernel.h"
#include "drivers/xenstore/state.h"
#include "libpv/errno.h"
#include "libpv/print.h"
#include "libpv/string.h"

#define MAX_ARGS (2 + XS_MAX_PERMS + 1)

struct request {
    struct xs_conn *c;
    struct xs_server *s;
    struct xs_transaction *tx; /* or NULL */
    struct xs_tree *tree;
    const char *path;          /* the first string made absolute, for handlers that ask for it */
    const char *arg[MAX_ARGS]; /* the strings of the body */
    unsigned int nr_args;      /* may be more than MAX_ARGS: then only the first are there */
    size_t value_at;           /* where the second string begins in the body */
    char *reply;
    size_t reply_len;
    struct xs_watch *added; /* a watch that wants its first event after the answer */
};

/* ---- help for handlers ---- */

static int reply(struct request *r, const void *bytes, size_t len)
{
    if (len > XENSTORE_PAYLOAD_MAX - r->reply_len)
        return -E2BIG;
    if (len)
        memcpy(r->reply + r->reply_len, bytes, len);
    r->reply_len += len;
    return 0;
}

static int reply_string(struct request *r, const char *text)
{
    return reply(r, text, strlen(text) + 1);
}

/* A decimal string that is nothing else, up to max. */
static bool number(const char *text, unsigned long max, unsigned long *value)
{
    char *end;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 18)
        return false;
    *value = strtoul(text, &end, 10);
    return *end == '\0' && *value <= max;
}

/* The node at r->path, in a transaction noted as looked at. */
static int get(struct request *r, const struct xs_node **n)
{
    int err = xs_tree_get(r->tree, r->c->domid, r->path, XS_MAY_READ, n);

    if (r->tx && (err == 0 || err == -ENOENT)) {
        int log_err = xs_transaction_log(r->tx, XS_LOG_READ, r->path, NULL, 0);
        if (log_err)
            return log_err;
    }
    return err;
}

static int change(struct request *r, enum xs_log_kind kind, const void *value, uint32_t len)
{
    struct xs_tree before;
    int err;

    xs_tree_copy(&before, r->tree);
    err = xs_change(r->tree, r->c->domid, kind, r->path, value, len, ++r->s->generation);
    if (!err && r->tx)
        err = xs_transaction_log(r->tx, kind, r->path, value, len);
    if (err) {
        xs_tree_drop(r->tree);
        xs_tree_copy(r->tree, &before);
    } else if (!r->tx) {
        xs_watch_fire(r->s, r->path, &before, r->tree);
    }
    xs_tree_drop(&before);
    return err;
}

/* ---- nodes ---- */

static int req_read(struct request *r)
{
    const struct xs_node *n;
    int err = get(r, &n);

    return err ? err : reply(r, xs_node_value(n), n->body->value_len);
}

static int req_directory(struct request *r)
{
    const struct xs_node *n;
    int err = get(r, &n);

    for (uint32_t i = 0; !err && i < n->nr_children; i++)
        err = reply_string(r, xs_node_name(n->child[i]));
    return err;
}

/* The names from byte `offset` of the whole list on, as many as fit; an empty name ends the last part. */
static int req_directory_part(struct request *r)
{
    const struct xs_node *n;
    unsigned long offset;
    char text[24];
    size_t at = 0;
    int err;

    if (!number(r->arg[1], UINT32_MAX, &offset))
        return -EINVAL;
    err = get(r, &n);
    if (err)
        return err;
    pv_snprintf(text, sizeof(text), "%llu", (unsigned long long)n->generation);
    reply_string(r, text);
    for (uint32_t i = 0; i < n->nr_children; i++) {
        size_t size = n->child[i]->body->name_len + 1;

        if (at >= offset) {
            if (r->reply_len + size > XENSTORE_PAYLOAD_MAX - 1)
                return 0;
            reply_string(r, xs_node_name(n->child[i]));
        }
        at += size;
    }
    return reply_string(r, "");
}

static int req_write(struct request *r)
{
    return change(r, XS_LOG_WRITE, r->c->body + r->value_at, (uint32_t)(r->c->in.len - r->value_at));
}

static int req_mkdir(struct request *r)
{
    if (!xs_tree_find(r->tree, r->path))
        return change(r, XS_LOG_MKDIR, NULL, 0);
    return r->tx ? xs_transaction_log(r->tx, XS_LOG_READ, r->path, NULL, 0) : 0;
}

static int req_rm(struct request *r)
{
    if (xs_tree_find(r->tree, r->path))
        return change(r, XS_LOG_RM, NULL, 0);
    return xs_tree_rm(r->tree, r->c->domid, r->path, 0); /* nothing to remove: only the error */
}

/* ---- permissions: "n5": one letter for what may be done, and a domain ---- */

static const char perm_letter[4] = { 'n', 'r', 'w', 'b' };

static int req_get_perms(struct request *r)
{
    const struct xs_node *n;
    int err = get(r, &n);

    for (uint32_t i = 0; !err && i < n->body->nr_perms; i++) {
        const struct xs_perm *p = &n->body->perm[i];
        char text[12];

        pv_snprintf(text, sizeof(text), "%c%u", perm_letter[p->may], p->domid);
        err = reply_string(r, text);
    }
    return err;
}

static int req_set_perms(struct request *r)
{
    struct xs_perm perm[XS_MAX_PERMS];
    uint32_t nr = r->nr_args - 1;

    if (nr > XS_MAX_PERMS)
        return -ENOSPC;
    for (uint32_t i = 0; i < nr; i++) {
        const char *text = r->arg[1 + i];
        unsigned long domid;
        uint8_t may = 0;

        while (may < 4 && perm_letter[may] != text[0])
            may++;
        if (may == 4 || !number(text + 1, UINT16_MAX, &domid))
            return -EINVAL;
        perm[i] = (struct xs_perm){ (uint16_t)domid, may };
    }
    return change(r, XS_LOG_PERMS, perm, nr);
}

/* ---- watches and transactions ---- */

static int req_watch(struct request *r)
{
    return xs_watch_add(r->c, r->arg[0], r->arg[1], &r->added);
}

static int req_unwatch(struct request *r)
{
    return xs_watch_del(r->c, r->arg[0], r->arg[1]);
}

static int req_reset_watches(struct request *r)
{
    xs_watch_del_all(r->c);
    return 0;
}

static int req_transaction_start(struct request *r)
{
    char text[12];
    uint32_t id;
    int err;

    if (r->tx)
        return -EBUSY;
    err = xs_transaction_start(r->c, &id);
    if (err)
        return err;
    pv_snprintf(text, sizeof(text), "%u", id);
    return reply_string(r, text);
}

static int req_transaction_end(struct request *r)
{
    bool commit = r->arg[0][0] == 'T';

    if (!r->tx)
        return -ENOENT;
    if ((!commit && r->arg[0][0] != 'F') || r->arg[0][1])
        return -EINVAL;
    return xs_transaction_end(r->c, r->tx, commit);
}

/* ---- domains ---- */

static int domid_arg(struct request *r, uint16_t *domid)
{
    unsigned long n;

    if (!number(r->arg[0], UINT16_MAX, &n))
        return -EINVAL;
    *domid = (uint16_t)n;
    return 0;
}

static int req_get_domain_path(struct request *r)
{
    char home[XS_HOME_MAX];
    uint16_t domid;
    int err = domid_arg(r, &domid);

    if (err)
        return err;
    xs_home(home, domid);
    return reply_string(r, home);
}

static int req_is_introduced(struct request *r)
{
    const struct xs_conn *c = r->s->conns;
    uint16_t domid;
    int err = domid_arg(r, &domid);

    if (err)
        return err;
    while (c && c->domid != domid)
        c = c->next;
    return reply_string(r, c ? "T" : "F");
}

static int req_introduce(struct request *r)
{
    unsigned long mfn, port;
    uint16_t domid;

    if (r->c->domid)
        return -EACCES;
    if (domid_arg(r, &domid) || !number(r->arg[1], UINT64_MAX, &mfn) || !number(r->arg[2], UINT32_MAX, &port))
        return -EINVAL;
    return r->s->hooks ? r->s->hooks->introduce(domid, mfn, (uint32_t)port) : -ENOSYS;
}

static int req_release(struct request *r)
{
    uint16_t domid;
    int err = domid_arg(r, &domid);

    if (r->c->domid)
        return -EACCES;
    if (err)
        return err;
    return r->s->hooks && domid ? r->s->hooks->release(domid) : -ENOSYS;
}

/* ---- the table ---- */

#define WANTS_PATH 1 /* the first string is a path of a node */
#define VALUE_LAST 2 /* the last argument is bytes, not a string with a NUL */

static const struct {
    int (*fn)(struct request *r);
    uint8_t min_args, max_args;
    uint8_t flags;
} requests[XS_TYPE_COUNT] = {
    [XS_DIRECTORY] = { req_directory, 1, 1, WANTS_PATH },
    [XS_READ] = { req_read, 1, 1, WANTS_PATH },
    [XS_GET_PERMS] = { req_get_perms, 1, 1, WANTS_PATH },
    [XS_WATCH] = { req_watch, 2, 3, 0 },
    [XS_UNWATCH] = { req_unwatch, 2, 2, 0 },
    [XS_TRANSACTION_START] = { req_transaction_start, 0, 1, 0 },
    [XS_TRANSACTION_END] = { req_transaction_end, 1, 1, 0 },
    [XS_INTRODUCE] = { req_introduce, 3, 4, 0 },
    [XS_RELEASE] = { req_release, 1, 1, 0 },
    [XS_GET_DOMAIN_PATH] = { req_get_domain_path, 1, 1, 0 },
    [XS_WRITE] = { req_write, 1, UINT8_MAX, WANTS_PATH | VALUE_LAST },
    [XS_MKDIR] = { req_mkdir, 1, 1, WANTS_PATH },
    [XS_RM] = { req_rm, 1, 1, WANTS_PATH },
    [XS_SET_PERMS] = { req_set_perms, 2, UINT8_MAX, WANTS_PATH },
    [XS_IS_DOMAIN_INTRODUCED] = { req_is_introduced, 1, 1, 0 },
    [XS_RESET_WATCHES] = { req_reset_watches, 0, 1, 0 },
    [XS_DIRECTORY_PART] = { req_directory_part, 2, 2, WANTS_PATH },
};

static const char *error_name(int err)
{
    static const struct {
        int err;
        const char *name;
    } names[] = {
        { EINVAL, "EINVAL" }, { EACCES, "EACCES" }, { EEXIST, "EEXIST" }, { ENOENT, "ENOENT" },
        { ENOMEM, "ENOMEM" }, { ENOSPC, "ENOSPC" }, { EIO, "EIO" },       { ENOSYS, "ENOSYS" },
        { EBUSY, "EBUSY" },   { EAGAIN, "EAGAIN" }, { E2BIG, "E2BIG" },   { EPERM, "EPERM" },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].err == -err)
            return names[i].name;
    return "EIO";
}

/* Cuts the body into strings, each ended by NUL (the bytes behind the first one are free with VALUE_LAST). */
static int cut(struct request *r, unsigned int flags)
{
    const char *body = r->c->body;
    size_t len = r->c->in.len, at = 0;

    if (flags & VALUE_LAST) {
        r->arg[0] = body;
        r->nr_args = 1;
        r->value_at = strlen(body) + 1; /* the body is followed by a NUL */
        return r->value_at <= len ? 0 : -EINVAL;
    }
    if (len && body[len - 1] != '\0')
        return -EINVAL;
    while (at < len) {
        if (r->nr_args < MAX_ARGS)
            r->arg[r->nr_args] = body + at;
        r->nr_args++;
        at += strlen(body + at) + 1;
    }
    return 0;
}

static int run(struct request *r)
{
    struct xs_conn *c = r->c;
    uint32_t type = c->in.type;
    int err;

    if (type >= XS_TYPE_COUNT || !requests[type].fn)
        return -ENOSYS;
    if (c->in.tx_id && !(r->tx = xs_transaction_find(c, c->in.tx_id)))
        return -ENOENT;
    if (r->tx)
        r->tree = &r->tx->tree;
    err = cut(r, requests[type].flags);
    if (err)
        return err;
    if (r->nr_args < requests[type].min_args || r->nr_args > requests[type].max_args)
        return -EINVAL;
    if (requests[type].flags & WANTS_PATH) {
        err = xs_path_make(&r->s->path, c->domid, r->arg[0]);
        if (err)
            return err;
        r->path = r->s->path.text;
    }
    return requests[type].fn(r);
}

/* Requests whose answer is "OK". */
static bool answers_ok(uint32_t type)
{
    switch (type) {
    case XS_READ:
    case XS_DIRECTORY:
        return false;
    default:
        return true;
    }
}

void xs_request_run(struct xs_conn *c)
{
    struct request r = { .c = c, .s = c->server, .tree = &c->server->tree, .reply = c->server->reply };
    struct xsd_sockmsg hdr = c->in;
    int err = run(&r);

    if (err) {
        hdr.type = XS_ERROR;
        r.reply_len = 0;
        reply_string(&r, error_name(err));
    } else if (r.reply_len == 0 && answers_ok(hdr.type)) {
        reply_string(&r, "OK");
    }
    hdr.len = (uint32_t)r.reply_len;
    if (!xs_output_add(c, &hdr, r.reply, false))
        c->dead = true; /* no memory for the answer, and the protocol can't do without */
    if (r.added)
        xs_watch_first_event(c, r.added);
}
