/* SPDX-License-Identifier: MIT
 *
 * The tree of xenstore: see tree.h.
 *
 * Every change runs in two steps: checks on the tree as it is, then edit_at, which builds the new nodes along
 * the path and can only fail for lack of memory. Recursion is as deep as a path: XS_MAX_DEPTH.
 */
#include "drivers/xenstore/tree.h"
#include "drivers/kernel.h"
#include "drivers/xenstore/path.h"
#include "libpv/errno.h"
#include "libpv/string.h"

/* ---- nodes ---- */

static void body_put(struct xs_body *b)
{
    if (--b->refs == 0)
        drv_free(b);
}

static void node_put(struct xs_node *n)
{
    if (--n->refs)
        return;
    for (uint32_t i = 0; i < n->nr_children; i++)
        node_put(n->child[i]);
    body_put(n->body);
    drv_free(n);
}

static struct xs_body *body_make(const char *name, size_t name_len, const void *value, size_t value_len,
                                 const struct xs_perm *perm, uint32_t nr_perms)
{
    struct xs_body *b = drv_alloc(sizeof(*b) + name_len + 1 + value_len);

    if (!b)
        return NULL;
    b->refs = 1;
    b->name_len = (uint32_t)name_len;
    b->value_len = (uint32_t)value_len;
    b->nr_perms = nr_perms;
    memcpy(b->perm, perm, nr_perms * sizeof(*perm));
    memcpy(b->text, name, name_len);
    if (value_len)
        memcpy(b->text + name_len + 1, value, value_len);
    return b;
}

/* A node without children; takes over the reference to the body, also when it fails. */
static struct xs_node *node_make(struct xs_body *b, uint32_t nr_children, uint64_t generation)
{
    struct xs_node *n = b ? drv_alloc(sizeof(*n) + nr_children * sizeof(void *)) : NULL;

    if (!n) {
        if (b)
            body_put(b);
        return NULL;
    }
    n->refs = 1;
    n->generation = generation;
    n->body = b;
    return n;
}

/* A copy of n, sharing all children but number `skip` (none: nr_children), with room for `extra` more. */
static struct xs_node *node_copy(const struct xs_node *n, struct xs_body *b, uint32_t skip, uint32_t extra,
                                 uint64_t generation)
{
    struct xs_node *copy = node_make(b, n->nr_children + extra, generation);

    if (!copy)
        return NULL;
    for (uint32_t i = 0; i < n->nr_children; i++)
        if (i != skip) {
            n->child[i]->refs++;
            copy->child[copy->nr_children++] = n->child[i];
        }
    return copy;
}

static struct xs_body *body_get(struct xs_body *b)
{
    b->refs++;
    return b;
}

/* Number of the child with that name; nr_children when there is none. */
static uint32_t child_index(const struct xs_node *n, const char *name, size_t len)
{
    uint32_t i = 0;

    while (i < n->nr_children &&
           (n->child[i]->body->name_len != len || memcmp(xs_node_name(n->child[i]), name, len) != 0))
        i++;
    return i;
}

/* ---- looking ---- */

/* The node, or NULL; *above is the nearest one there is on the way, *missing how many names are missing below
 * it. */
static const struct xs_node *walk(const struct xs_tree *t, const char *path, const struct xs_node **above,
                                  uint32_t *missing)
{
    const struct xs_node *n = t->root;
    const char *name;
    size_t len;

    *missing = 0;
    while (xs_path_split(&path, &name, &len)) {
        uint32_t i = *missing ? n->nr_children : child_index(n, name, len);

        if (i == n->nr_children)
            ++*missing;
        else
            n = n->child[i];
    }
    *above = n;
    return *missing ? NULL : n;
}

const struct xs_node *xs_tree_find(const struct xs_tree *t, const char *path)
{
    const struct xs_node *above;
    uint32_t missing;

    return walk(t, path, &above, &missing);
}

uint64_t xs_tree_generation(const struct xs_tree *t, const char *path)
{
    const struct xs_node *n = xs_tree_find(t, path);

    return n ? n->generation : 0;
}

static uint16_t node_owner(const struct xs_node *n)
{
    return n->body->perm[0].domid;
}

bool xs_node_allows(const struct xs_node *n, uint16_t domid, unsigned int may)
{
    const struct xs_body *b = n->body;
    unsigned int allowed = b->perm[0].may;

    if (domid == 0 || domid == node_owner(n))
        return true;
    for (uint32_t i = 1; i < b->nr_perms; i++)
        if (b->perm[i].domid == domid)
            allowed = b->perm[i].may;
    return (allowed & may) == may;
}

int xs_tree_get(const struct xs_tree *t, uint16_t domid, const char *path, unsigned int may,
                const struct xs_node **n)
{
    const struct xs_node *above;
    uint32_t missing;

    *n = walk(t, path, &above, &missing);
    if (missing)
        return xs_node_allows(above, domid, may) ? -ENOENT : -EACCES;
    return xs_node_allows(*n, domid, may) ? 0 : -EACCES;
}

/* ---- what domains own ---- */

/* The domain's entry, else a free one, else NULL. Not for domain 0, which is not counted. */
static struct xs_owner *owner_find(struct xs_tree *t, uint16_t domid)
{
    struct xs_owner *free = NULL;

    for (struct xs_owner *o = t->owner; o < t->owner + XS_MAX_OWNERS; o++) {
        if (o->domid == domid)
            return o;
        if (!o->domid && !free)
            free = o;
    }
    return free;
}

/* May `caller` make `owner` own so much more? Domain 0 may beyond the limits, as long as it can be counted.
 */
static bool owner_has_room(struct xs_tree *t, uint16_t caller, uint16_t owner, size_t nodes, size_t bytes)
{
    const struct xs_owner *o = owner ? owner_find(t, owner) : NULL;

    if (!o)
        return owner == 0;
    if (!caller)
        return o->nodes + nodes <= UINT16_MAX;
    return o->nodes + nodes <= XS_MAX_NODES && o->bytes + bytes <= XS_MAX_BYTES && !drv_memory_low();
}

static void owner_add(struct xs_tree *t, uint16_t owner, size_t nodes, size_t bytes)
{
    struct xs_owner *o = owner ? owner_find(t, owner) : NULL;

    if (!o)
        return;
    o->domid = owner;
    o->nodes = (uint16_t)(o->nodes + nodes);
    o->bytes += (uint32_t)bytes;
}

static size_t body_bytes(const struct xs_body *b)
{
    return b->name_len + b->value_len;
}

/* Every node that a domain owns was counted: its entry is there. */
static void owner_sub(struct xs_tree *t, const struct xs_body *b)
{
    struct xs_owner *o = b->perm[0].domid ? owner_find(t, b->perm[0].domid) : NULL;

    if (!o)
        return;
    o->bytes -= (uint32_t)body_bytes(b);
    if (--o->nodes == 0)
        o->domid = 0;
}

static void owner_sub_all(struct xs_tree *t, const struct xs_node *n)
{
    for (uint32_t i = 0; i < n->nr_children; i++)
        owner_sub_all(t, n->child[i]);
    owner_sub(t, n->body);
}

/* ---- changing ---- */

struct edit {
    enum { EDIT_VALUE, EDIT_PERMS, EDIT_REMOVE } kind;
    uint64_t generation;
    const void *value; /* EDIT_VALUE */
    size_t value_len;
    const struct xs_perm *perm; /* EDIT_PERMS; EDIT_VALUE: of the nodes that are made */
    uint32_t nr_perms;
};

/* The node at the end of the path, changed (not EDIT_REMOVE). */
static struct xs_node *edit_here(const struct edit *e, const struct xs_node *n)
{
    const struct xs_body *old = n->body;
    struct xs_body *b;

    if (e->kind == EDIT_VALUE)
        b = body_make(old->text, old->name_len, e->value, e->value_len, old->perm, old->nr_perms);
    else
        b = body_make(old->text, old->name_len, xs_node_value(n), old->value_len, e->perm, e->nr_perms);
    return node_copy(n, b, n->nr_children, 0, e->generation);
}

/* New nodes for all of path, the last with the value. `name` is the first. */
static struct xs_node *make_path(const struct edit *e, const char *name, size_t len, const char *path)
{
    const char *next;
    size_t next_len;
    bool inner = xs_path_split(&path, &next, &next_len);
    struct xs_node *n = node_make(
        body_make(name, len, e->value, inner ? 0 : e->value_len, e->perm, e->nr_perms), inner, e->generation);

    if (!n || !inner)
        return n;
    n->child[0] = make_path(e, next, next_len, path);
    if (!n->child[0]) {
        node_put(n);
        return NULL;
    }
    n->nr_children = 1;
    return n;
}

/* A copy of n, changed at the end of path. NULL: no memory; nothing was changed. */
static struct xs_node *edit_at(const struct edit *e, const struct xs_node *n, const char *path)
{
    struct xs_node *copy, *child;
    const char *name, *rest = path;
    size_t len;
    uint32_t i;

    if (!xs_path_split(&rest, &name, &len))
        return edit_here(e, n);
    i = child_index(n, name, len);
    if (i == n->nr_children) { /* a new child, and below it the rest */
        child = make_path(e, name, len, rest);
        copy = child ? node_copy(n, body_get(n->body), i, 1, e->generation) : NULL;
        if (copy)
            copy->child[copy->nr_children++] = child;
        else if (child)
            node_put(child);
        return copy;
    }
    if (e->kind == EDIT_REMOVE && rest[0] == '\0')
        return node_copy(n, body_get(n->body), i, 0, e->generation);
    child = edit_at(e, n->child[i], rest);
    copy = child ? node_copy(n, body_get(n->body), n->nr_children, 0, n->generation) : NULL;
    if (copy) {
        node_put(copy->child[i]); /* the shared one: n holds it still */
        copy->child[i] = child;
    } else if (child) {
        node_put(child);
    }
    return copy;
}

static int edit_tree(struct xs_tree *t, const struct edit *e, const char *path)
{
    struct xs_node *root = edit_at(e, t->root, path);

    if (!root)
        return -ENOMEM;
    node_put(t->root);
    t->root = root;
    return 0;
}

/* ---- the operations ---- */

int xs_tree_init(struct xs_tree *t)
{
    const struct xs_perm domain_0_only = { 0, 0 };

    memset(t, 0, sizeof(*t));
    t->root = node_make(body_make("", 0, NULL, 0, &domain_0_only, 1), 0, 1);
    return t->root ? 0 : -ENOMEM;
}

void xs_tree_copy(struct xs_tree *t, const struct xs_tree *from)
{
    *t = *from;
    t->root->refs++;
}

void xs_tree_drop(struct xs_tree *t)
{
    node_put(t->root);
    t->root = NULL;
}

/* Bytes of the names of the last `missing` components of path. */
static size_t missing_bytes(const char *path, uint32_t missing)
{
    size_t at = strlen(path), bytes = at;

    for (uint32_t i = 0; i < missing; i++)
        while (path[--at] != '/')
            ;
    return bytes - at - missing; /* without the slashes */
}

static int create(struct xs_tree *t, uint16_t domid, const char *path, const void *value, size_t len,
                  const struct xs_node *above, uint32_t missing, uint64_t generation)
{
    struct xs_perm perm[XS_MAX_PERMS];
    size_t bytes = missing_bytes(path, missing) + len;
    int err;

    memcpy(perm, above->body->perm, sizeof(perm));
    if (domid)
        perm[0].domid = domid;
    if (!owner_has_room(t, domid, perm[0].domid, missing, bytes))
        return -ENOSPC;
    err = edit_tree(t,
                    &(struct edit){ .kind = EDIT_VALUE,
                                    .generation = generation,
                                    .value = value,
                                    .value_len = len,
                                    .perm = perm,
                                    .nr_perms = above->body->nr_perms },
                    path);
    if (!err)
        owner_add(t, perm[0].domid, missing, bytes);
    return err;
}

int xs_tree_write(struct xs_tree *t, uint16_t domid, const char *path, const void *value, size_t len,
                  uint64_t generation)
{
    const struct xs_node *above, *n;
    uint32_t missing;
    uint16_t owner;
    size_t before;
    int err;

    n = walk(t, path, &above, &missing);
    if (!xs_node_allows(above, domid, XS_MAY_WRITE))
        return -EACCES;
    if (domid && len > XS_MAX_VALUE)
        return -ENOSPC;
    if (!n)
        return create(t, domid, path, value, len, above, missing, generation);
    owner = node_owner(n);
    before = n->body->value_len;
    if (domid && len > before && !owner_has_room(t, domid, owner, 0, len - before))
        return -ENOSPC;
    err = edit_tree(
        t, &(struct edit){ .kind = EDIT_VALUE, .generation = generation, .value = value, .value_len = len },
        path);
    if (!err)
        owner_add(t, owner, 0, len - before);
    return err;
}

int xs_tree_mkdir(struct xs_tree *t, uint16_t domid, const char *path, uint64_t generation)
{
    const struct xs_node *above;
    uint32_t missing;

    if (walk(t, path, &above, &missing))
        return xs_node_allows(above, domid, XS_MAY_WRITE) ? 0 : -EACCES;
    if (!xs_node_allows(above, domid, XS_MAY_WRITE))
        return -EACCES;
    return create(t, domid, path, NULL, 0, above, missing, generation);
}

int xs_tree_rm(struct xs_tree *t, uint16_t domid, const char *path, uint64_t generation)
{
    const struct xs_node *above, *n;
    struct xs_node *gone;
    uint32_t missing;
    int err;

    n = walk(t, path, &above, &missing);
    if (!xs_node_allows(above, domid, XS_MAY_WRITE))
        return -EACCES;
    if (!n)
        return missing == 1 ? 0 : -ENOENT;
    if (n == t->root)
        return -EINVAL;
    gone = (struct xs_node *)n;
    gone->refs++; /* to count what was in it */
    err = edit_tree(t, &(struct edit){ .kind = EDIT_REMOVE, .generation = generation }, path);
    if (!err)
        owner_sub_all(t, gone);
    node_put(gone);
    return err;
}

int xs_tree_set_perms(struct xs_tree *t, uint16_t domid, const char *path, const struct xs_perm *perm,
                      uint32_t nr, uint64_t generation)
{
    const struct xs_node *n;
    struct xs_body *old;
    int err = xs_tree_get(t, domid, path, XS_MAY_WRITE, &n);

    if (err)
        return err;
    if (domid && domid != node_owner(n))
        return -EACCES;
    if (domid && perm[0].domid != domid)
        return -EPERM;
    if (nr > XS_MAX_PERMS || !owner_has_room(t, domid, perm[0].domid, 1, 0))
        return -ENOSPC;
    old = body_get(n->body);
    err = edit_tree(
        t, &(struct edit){ .kind = EDIT_PERMS, .generation = generation, .perm = perm, .nr_perms = nr },
        path);
    if (!err) {
        owner_sub(t, old);
        owner_add(t, perm[0].domid, 1, body_bytes(old));
    }
    body_put(old);
    return err;
}

static void forget_domain(struct xs_node *n, uint16_t domid)
{
    struct xs_body *b = n->body;
    uint32_t kept = 1;

    if (b->perm[0].domid == domid)
        b->perm[0].domid = 0;
    for (uint32_t i = 1; i < b->nr_perms; i++)
        if (b->perm[i].domid != domid)
            b->perm[kept++] = b->perm[i];
    b->nr_perms = kept;
    for (uint32_t i = 0; i < n->nr_children; i++)
        forget_domain(n->child[i], domid);
}

void xs_tree_forget_domain(struct xs_tree *t, uint16_t domid)
{
    struct xs_owner *o = owner_find(t, domid);

    forget_domain(t->root, domid);
    if (o)
        *o = (struct xs_owner){ 0 };
}
