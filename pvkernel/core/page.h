/* SPDX-License-Identifier: MIT
 *
 * The page allocator: the kernel's memory in blocks of 1, 2, 4, ... pages (a buddy system), each page with a
 * count of users. One struct page stands for each page of the directly mapped memory; a kernel address and
 * its struct page are found from each other by arithmetic.
 *
 * Invariant: a page is free (count 0, in a free list as head or inside a block) or used (count > 0). Freed
 * pages are filled with junk while page_junk is set, so that who goes on using one sees nonsense at once, and
 * who writes to one is found when it is given out again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pvkernel/core/list.h"

#define PAGE_MAX_ORDER 10 /* 4 MiB */

/* All fields: guarded by the allocator's lock while the page is free, else the owner's, but for count. */
struct page {
    struct list link; /* in the free list of its order, or for the owner's use (slabs) */
    uint32_t count;   /* users; 0: free */
    uint8_t order;    /* of the block that starts here, free or used */
    uint8_t head;     /* a free block starts here */
    uint8_t junk;     /* filled with junk when freed */
    uint8_t class;    /* kalloc's: the size of the objects in it */
    void *slab;       /* kalloc's: first free object, NULL: no slab */
};

extern bool page_junk;

/* `base`: address of page 0; `table`: npages entries, zeroed. All pages start out as used and not the
 * allocator's. */
void page_init(void *base, size_t npages, struct page *table);
/* Gives pages [first, first + n) to the allocator. */
void page_add(size_t first, size_t n);

/* One page, count 1, contents undefined; NULL: no memory. */
void *page_alloc(void);
/* One page of zeros. */
void *page_zalloc(void);
/* 2^order pages in a row, aligned to their size within the memory; freed by page_put on the first. */
void *pages_alloc(unsigned order);
/* Another user of a used page. */
void page_get(void *page);
/* One user less; the last one frees the block. */
void page_put(void *page);

struct page *page_of(const void *address);
void *page_address(const struct page *p);
size_t page_free_count(void);
size_t page_total(void); /* pages ever given to the allocator */
