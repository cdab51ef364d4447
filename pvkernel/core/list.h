/* SPDX-License-Identifier: MIT
 *
 * Doubly linked rings with a head. An element is in at most one list; list_del leaves it pointing at itself,
 * so that "is it in a list" can be asked and deleting twice is harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(l) \
    {                \
        &(l), &(l)   \
    }
#define container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))
#define list_for_each(i, head)        for (struct list *i = (head)->next; i != (head); i = i->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_add_tail(struct list *head, struct list *e)
{
    e->prev = head->prev;
    e->next = head;
    head->prev->next = e;
    head->prev = e;
}

static inline void list_add(struct list *head, struct list *e)
{
    list_add_tail(head->next, e);
}

static inline void list_del(struct list *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
    list_init(e);
}
