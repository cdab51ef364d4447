/* SPDX-License-Identifier: MIT
 *
 * Transactions: a private tree, and a log of what was done in it.
 *
 * At the commit there are three cases. Nobody else changed anything: the private tree becomes the server's.
 * Somebody changed other nodes than those in the log (their generations are the same in the tree at the start
 * and in the server's now): the logged changes are done again on the server's tree. Else -EAGAIN, and the
 * client starts over.
 */
#include "drivers/kernel.h"
#include "drivers/xenstore/state.h"
#include "libpv/errno.h"
#include "libpv/string.h"

int xs_transaction_start(struct xs_conn *c, uint32_t *id)
{
    struct xs_transaction *t;

    if (c->domid && (c->nr_transactions >= XS_MAX_TRANSACTIONS || drv_memory_low()))
        return -ENOSPC;
    t = drv_alloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    do
        t->id = ++c->last_id;
    while (t->id == 0 || xs_transaction_find(c, t->id));
    t->domid = c->domid;
    t->last = &t->first;
    xs_tree_copy(&t->base, &c->server->tree);
    xs_tree_copy(&t->tree, &c->server->tree);
    t->next = c->transactions;
    c->transactions = t;
    c->nr_transactions++;
    *id = t->id;
    return 0;
}

struct xs_transaction *xs_transaction_find(struct xs_conn *c, uint32_t id)
{
    struct xs_transaction *t = c->transactions;

    while (t && t->id != id)
        t = t->next;
    return t;
}

int xs_transaction_log(struct xs_transaction *t, enum xs_log_kind kind, const char *path, const void *value,
                       uint32_t value_len)
{
    size_t path_size = strlen(path) + 1;
    size_t bytes = kind == XS_LOG_PERMS ? value_len * sizeof(struct xs_perm) : value_len;
    size_t at = (path_size + 7) & ~(size_t)7; /* of the value, behind the path */
    uint32_t hash = xs_hash(path, path_size);
    struct xs_log *l;

    if (kind == XS_LOG_READ)
        for (l = t->first; l; l = l->next)
            if (l->kind == XS_LOG_READ && l->hash == hash && strcmp(l->path, path) == 0)
                return 0;
    if (t->log_bytes + sizeof(*l) + at + bytes > XS_MAX_LOG || (t->domid && drv_memory_low()))
        return -ENOSPC;
    l = drv_alloc(sizeof(*l) + at + bytes);
    if (!l)
        return -ENOMEM;
    t->log_bytes += sizeof(*l) + at + bytes;
    l->kind = kind;
    l->hash = hash;
    memcpy(l->path, path, path_size);
    l->value = l->path + at;
    l->value_len = value_len;
    if (bytes)
        memcpy(l->path + at, value, bytes);
    *t->last = l;
    t->last = &l->next;
    return 0;
}

/* Does the server's tree agree with the one at the start, on all that the transaction looked at or changed?
 */
static bool unchanged(const struct xs_transaction *t, const struct xs_tree *now)
{
    for (const struct xs_log *l = t->first; l; l = l->next)
        if (xs_tree_generation(&t->base, l->path) != xs_tree_generation(now, l->path))
            return false;
    return true;
}

int xs_change(struct xs_tree *t, uint16_t domid, enum xs_log_kind kind, const char *path, const void *value,
              uint32_t value_len, uint64_t generation)
{
    switch (kind) {
    case XS_LOG_WRITE:
        return xs_tree_write(t, domid, path, value, value_len, generation);
    case XS_LOG_MKDIR:
        return xs_tree_mkdir(t, domid, path, generation);
    case XS_LOG_RM:
        return xs_tree_rm(t, domid, path, generation);
    case XS_LOG_PERMS:
        return xs_tree_set_perms(t, domid, path, value, value_len, generation);
    default:
        return 0;
    }
}

/* Does the changes of the log on a copy of the server's tree, which replaces t->tree. */
static int replay(struct xs_conn *c, struct xs_transaction *t)
{
    struct xs_server *s = c->server;
    int err = 0;

    xs_tree_drop(&t->tree);
    xs_tree_copy(&t->tree, &s->tree);
    for (const struct xs_log *l = t->first; l && !err; l = l->next)
        if (l->kind != XS_LOG_READ)
            err = xs_change(&t->tree, c->domid, l->kind, l->path, l->value, l->value_len, ++s->generation);
    return err == 0 || err == -ENOMEM ? err : -EAGAIN;
}

/* Has an earlier entry changed the same path? Then it has fired the watches for both. */
static bool fired(const struct xs_transaction *t, const struct xs_log *l)
{
    for (const struct xs_log *e = t->first; e != l; e = e->next)
        if (e->kind != XS_LOG_READ && e->hash == l->hash && strcmp(e->path, l->path) == 0)
            return true;
    return false;
}

static int commit(struct xs_conn *c, struct xs_transaction *t)
{
    struct xs_server *s = c->server;
    struct xs_tree before;
    int err;

    if (s->tree.root != t->base.root) {
        if (!unchanged(t, &s->tree))
            return -EAGAIN;
        err = replay(c, t);
        if (err)
            return err;
    }
    xs_tree_copy(&before, &s->tree);
    xs_tree_drop(&s->tree);
    xs_tree_copy(&s->tree, &t->tree);
    for (const struct xs_log *l = t->first; l; l = l->next)
        if (l->kind != XS_LOG_READ && !fired(t, l))
            xs_watch_fire(s, l->path, &before, &s->tree);
    xs_tree_drop(&before);
    return 0;
}

int xs_transaction_end(struct xs_conn *c, struct xs_transaction *t, bool commit_it)
{
    int err = commit_it ? commit(c, t) : 0;
    struct xs_transaction **place = &c->transactions;
    struct xs_log *l;

    while (*place != t)
        place = &(*place)->next;
    *place = t->next;
    c->nr_transactions--;
    while ((l = t->first)) {
        t->first = l->next;
        drv_free(l);
    }
    xs_tree_drop(&t->base);
    xs_tree_drop(&t->tree);
    drv_free(t);
    return err;
}
