/* SPDX-License-Identifier: MIT
 *
 * The buddy system behind page.h. A block of order n starts at a multiple of 2^n; its buddy is the block
 * whose number differs in bit n only. Two free buddies are always merged, so no free list ever holds both.
 * Read next: kalloc.c.
 */
#include "pvkernel/core/page.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/lock.h"

#define JUNK 0xd5

bool page_junk = true;

static struct {
    struct lock lock;
    char *base;
    struct page *table;
    size_t n, total, free;
    struct list lists[PAGE_MAX_ORDER + 1];
} mem = { .lock = { .rank = LOCK_PAGES } };

void page_init(void *base, size_t npages, struct page *table)
{
    mem.base = base;
    mem.table = table;
    mem.n = npages;
    mem.total = mem.free = 0;
    for (unsigned i = 0; i <= PAGE_MAX_ORDER; i++)
        list_init(&mem.lists[i]);
    for (size_t i = 0; i < npages; i++)
        table[i].count = 1;
}

struct page *page_of(const void *address)
{
    size_t i = (size_t)((const char *)address - mem.base) >> PAGE_SHIFT;
    if (i >= mem.n)
        panic("page_of: %p is not in the kernel's memory", address);
    return &mem.table[i];
}

void *page_address(const struct page *p)
{
    return mem.base + ((size_t)(p - mem.table) << PAGE_SHIFT);
}

size_t page_free_count(void)
{
    bool on = lock(&mem.lock);
    size_t n = mem.free;
    unlock(&mem.lock, on);
    return n;
}

size_t page_total(void)
{
    return mem.total;
}

static void put_free(size_t i, unsigned order)
{
    while (order < PAGE_MAX_ORDER) {
        size_t buddy = i ^ (1ul << order);
        if (buddy + (1ul << order) > mem.n || !mem.table[buddy].head || mem.table[buddy].order != order)
            break;
        list_del(&mem.table[buddy].link);
        mem.table[buddy].head = 0;
        i &= ~(1ul << order);
        order++;
    }
    mem.table[i].head = 1;
    mem.table[i].order = (uint8_t)order;
    list_add(&mem.lists[order], &mem.table[i].link);
}

void page_add(size_t first, size_t n)
{
    bool on = lock(&mem.lock);
    for (size_t i = first; i < first + n; i++) {
        mem.table[i].count = 0;
        put_free(i, 0);
    }
    mem.total += n;
    mem.free += n;
    unlock(&mem.lock, on);
}

/* The first words are enough to catch most who write after freeing, and cheap. */
static void check_junk(size_t i)
{
    const unsigned char *p = page_address(&mem.table[i]);
    for (unsigned k = 0; k < 64; k++)
        if (p[k] != JUNK || p[PAGE_SIZE - 1 - k] != JUNK)
            panic("page %zu at %p was written to after it was freed", i, (const void *)p);
}

void *pages_alloc(unsigned order)
{
    if (order > PAGE_MAX_ORDER)
        return NULL;
    bool on = lock(&mem.lock);
    unsigned o = order;
    while (o <= PAGE_MAX_ORDER && list_empty(&mem.lists[o]))
        o++;
    if (o > PAGE_MAX_ORDER) {
        unlock(&mem.lock, on);
        return NULL;
    }
    struct page *p = container_of(mem.lists[o].next, struct page, link);
    size_t i = (size_t)(p - mem.table);
    list_del(&p->link);
    p->head = 0;
    while (o > order) { /* hand back the upper halves */
        o--;
        size_t upper = i + (1ul << o);
        mem.table[upper].head = 1;
        mem.table[upper].order = (uint8_t)o;
        list_add(&mem.lists[o], &mem.table[upper].link);
    }
    p->order = (uint8_t)order;
    mem.free -= 1ul << order;
    unlock(&mem.lock, on);
    for (size_t k = i; k < i + (1ul << order); k++) { /* they are the caller's alone now */
        if (mem.table[k].junk && page_junk)
            check_junk(k);
        mem.table[k].junk = 0;
        mem.table[k].count = 1;
        mem.table[k].slab = NULL;
    }
    return page_address(p);
}

void *page_alloc(void)
{
    return pages_alloc(0);
}

void *page_zalloc(void)
{
    void *p = pages_alloc(0);
    if (p)
        memset(p, 0, PAGE_SIZE);
    return p;
}

void page_get(void *page)
{
    bool on = lock(&mem.lock);
    if (page_of(page)->count == 0)
        panic("page_get: %p is free", page);
    page_of(page)->count++;
    unlock(&mem.lock, on);
}

void page_put(void *page)
{
    struct page *p = page_of(page);
    size_t i = (size_t)(p - mem.table);
    bool on = lock(&mem.lock);
    if (p->count == 0)
        panic("page_put: %p is free already", page);
    bool last = --p->count == 0;
    unlock(&mem.lock, on);
    if (!last)
        return;
    unsigned order = p->order;
    for (size_t k = i; k < i + (1ul << order); k++) {
        mem.table[k].count = 0;
        mem.table[k].junk = page_junk;
    }
    if (page_junk)
        memset(page_address(p), JUNK, PAGE_SIZE << order);
    on = lock(&mem.lock);
    mem.free += 1ul << order;
    put_free(i, order);
    unlock(&mem.lock, on);
}
