/* SPDX-License-Identifier: MIT
 *
 * The tree of xenstore: nodes with a value, permissions and children, that never change once they are made.
 *
 * A change makes new nodes from the changed one up to the root and shares all others with the old tree. So a
 * transaction is a copy of one pointer, an operation that fails for lack of memory has changed nothing, and a
 * tree that somebody still reads stays as it was. Nodes are counted references.
 *
 * `generation` says when the node itself (value, permissions, set of children) was last changed; a copy that
 * was only made because something below changed keeps it. Two trees agree on a node when its generation is
 * the same in both: that is what transactions compare. Each change has a number of its own, never 0.
 *
 * Permissions: perm[0] names the owner and what all others may do; further entries say it for single domains.
 * The owner and domain 0 may do everything. Limits of what a domain may own: server.h. Next: transaction.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "drivers/xenstore/server.h"

#define XS_MAY_READ  1
#define XS_MAY_WRITE 2

struct xs_perm {
    uint16_t domid;
    uint8_t may; /* XS_MAY_* */
};

/* What doesn't change with the children: shared by copies of a node. */
struct xs_body {
    uint32_t refs;
    uint32_t name_len, value_len;
    uint32_t nr_perms; /* 1 to XS_MAX_PERMS */
    struct xs_perm perm[XS_MAX_PERMS];
    char text[]; /* the name, a NUL, the value */
};

struct xs_node {
    uint32_t refs;
    uint32_t nr_children;
    uint64_t generation;
    struct xs_body *body;
    struct xs_node *child[]; /* in the order they were made */
};

static inline const char *xs_node_name(const struct xs_node *n)
{
    return n->body->text;
}

static inline const char *xs_node_value(const struct xs_node *n)
{
    return n->body->text + n->body->name_len + 1;
}

#define XS_MAX_OWNERS 128

struct xs_tree {
    struct xs_node *root;
    struct xs_owner {
        uint16_t domid; /* 0: a free place; what domain 0 owns is not counted */
        uint16_t nodes;
        uint32_t bytes; /* of names and values */
    } owner[XS_MAX_OWNERS];
};

/* A tree with an empty root that domain 0 owns and no other may read. 0 or -ENOMEM. */
int xs_tree_init(struct xs_tree *t);
/* Takes one more reference to what `from` holds. */
void xs_tree_copy(struct xs_tree *t, const struct xs_tree *from);
void xs_tree_drop(struct xs_tree *t);

/* The node, or NULL. Valid as long as the tree is held. Paths here are those that xs_path_make made. */
const struct xs_node *xs_tree_find(const struct xs_tree *t, const char *path);
/* Its generation; 0 when there is none. */
uint64_t xs_tree_generation(const struct xs_tree *t, const char *path);

/* May the domain do all of `may` with the node? */
bool xs_node_allows(const struct xs_node *n, uint16_t domid, unsigned int may);

/* As xs_tree_find, with the errors of the protocol: -ENOENT, or -EACCES when the domain may not do `may` with
 * it (or may not know that it is missing). */
int xs_tree_get(const struct xs_tree *t, uint16_t domid, const char *path, unsigned int may,
                const struct xs_node **n);

/* Changes by a domain; `generation` is the new one's number. 0, -EACCES, -ENOSPC (a limit), -ENOMEM, and as
 * said below. Missing nodes above the path are made. A new node has its parent's permissions, but belongs to
 * the domain that made it unless that is domain 0. */
int xs_tree_write(struct xs_tree *t, uint16_t domid, const char *path, const void *value, size_t len,
                  uint64_t generation);
/* Makes an empty node; one that is there stays as it is. */
int xs_tree_mkdir(struct xs_tree *t, uint16_t domid, const char *path, uint64_t generation);
/* With all below it. A missing node is no error (0) when its parent is there, else -ENOENT; -EINVAL for "/".
 */
int xs_tree_rm(struct xs_tree *t, uint16_t domid, const char *path, uint64_t generation);
/* The domain has ended: its nodes are domain 0's, and no node names it, so that who gets its number next has
 * no right of it (XSA-322). In place: trees that share nodes with this one see it too. */
void xs_tree_forget_domain(struct xs_tree *t, uint16_t domid);
/* Only the owner and domain 0 may; only domain 0 may give a node to another owner (-EPERM). -ENOENT. */
int xs_tree_set_perms(struct xs_tree *t, uint16_t domid, const char *path, const struct xs_perm *perm,
                      uint32_t nr, uint64_t generation);
