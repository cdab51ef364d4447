/* SPDX-License-Identifier: MIT
 *
 * A page of small objects (a slab) keeps its state outside of itself: struct page.slab points at the first
 * free object, a free object's first word at the next one. page.link threads the slabs of one size that have
 * a free object. Invariant: a slab's page count is 1 + its objects in use; the slab is in its size's list if
 * and only if an object in it is free; at count 1 it goes back to the page allocator. Read next: page.h.
 */
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/lock.h"
#include "pvkernel/core/page.h"

#define MIN_SHIFT 4
#define MAX_SHIFT 11
#define SIZES     (MAX_SHIFT - MIN_SHIFT + 1)
#define FULL      ((void *)1) /* a slab with no free object: page.slab must not be NULL, that means "no slab" */

static struct {
    struct lock lock;
    struct list partial[SIZES];
    size_t objects, pages;
    bool ready;
} heap = { .lock = { .rank = LOCK_HEAP } };

static unsigned size_class(size_t size)
{
    unsigned c = 0;
    while ((size_t)1 << (c + MIN_SHIFT) < size)
        c++;
    return c;
}

static struct page *new_slab(unsigned class)
{
    char *p = page_alloc();
    if (!p)
        return NULL;
    size_t size = (size_t)1 << (class + MIN_SHIFT);
    struct page *slab = page_of(p);
    void *next = FULL;
    for (size_t off = PAGE_SIZE; off > 0; off -= size) {
        *(void **)(void *)(p + off - size) = next;
        next = p + off - size;
    }
    slab->slab = next;
    slab->class = (uint8_t) class;
    list_add(&heap.partial[class], &slab->link);
    heap.pages++;
    return slab;
}

static void *alloc_large(size_t size)
{
    unsigned order = 0;
    while (PAGE_SIZE << order < size && order <= PAGE_MAX_ORDER)
        order++;
    return pages_alloc(order);
}

void *kalloc(size_t size)
{
    if (size > (size_t)1 << MAX_SHIFT)
        return alloc_large(size);
    unsigned class = size_class(size);
    void *object = NULL;
    bool on = lock(&heap.lock);
    if (!heap.ready) {
        for (unsigned i = 0; i < SIZES; i++)
            list_init(&heap.partial[i]);
        heap.ready = true;
    }
    struct page *slab = list_empty(&heap.partial[class])
                            ? new_slab(class)
                            : container_of(heap.partial[class].next, struct page, link);
    if (slab) {
        object = slab->slab;
        slab->slab = *(void **)object;
        slab->count++;
        if (slab->slab == FULL)
            list_del(&slab->link);
        heap.objects++;
    }
    unlock(&heap.lock, on);
    return object;
}

void *kzalloc(size_t size)
{
    void *p = kalloc(size);
    if (p)
        memset(p, 0, size);
    return p;
}

static void free_small(struct page *slab, void *object)
{
    unsigned class = slab->class;
    if (page_junk)
        memset(object, 0xd6, (size_t)1 << (class + MIN_SHIFT));
    if (slab->slab == FULL)
        list_add(&heap.partial[class], &slab->link);
    *(void **)object = slab->slab;
    slab->slab = object;
    heap.objects--;
    if (--slab->count == 1) {
        list_del(&slab->link);
        slab->slab = NULL;
        heap.pages--;
        page_put(page_address(slab));
    }
}

void kfree(void *object)
{
    if (!object)
        return;
    struct page *p = page_of(object);
    bool on = lock(&heap.lock);
    if (p->slab)
        free_small(p, object);
    else
        page_put(object);
    unlock(&heap.lock, on);
}

void kalloc_figures(size_t *objects, size_t *pages)
{
    *objects = heap.objects;
    *pages = heap.pages;
}
