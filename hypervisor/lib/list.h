/* SPDX-License-Identifier: MIT
 *
 * Doubly linked lists with a head, the usual kind. A node that is on no list points at itself.
 */
#pragma once

#include "lib/types.h"

struct list {
    struct list *next, *prev;
};

#define list_entry(node, type, member) container_of(node, type, member)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

/* Puts n before pos; with pos the head, at the tail. */
static inline void list_add_before(struct list *pos, struct list *n)
{
    n->prev = pos->prev;
    n->next = pos;
    pos->prev->next = n;
    pos->prev = n;
}

static inline void list_del(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
