/* SPDX-License-Identifier: MIT
 *
 * The free frames: a buddy allocator on the links of struct frame. For mm/ alone; others use page_alloc() and
 * domain_frames_alloc() of mm/frame.h.
 */
#pragma once

#include "mm/frame.h"

#define HEAP_MAX_ORDER 18 /* blocks of up to 1 GiB */

/* Boot: counts frames that were Parador's before the heap was there. */
void heap_count_boot(uint64_t frames);
/* Boot: puts frames [start, end) that have never been used on the lists. */
void heap_add(uint64_t start, uint64_t end);

/* 2^order frames, aligned to their size, for owner (OWNER_HV or domid + 1), free of a past owner's data; with
 * `zero`, all zero. No CPU has a translation of them left. Parador's have one reference, which is
 * `allocated`; a domain's have none, so nobody can use them before the caller has put them where they belong
 * and writes their words. INVALID_MFN: no memory. */
mfn_t heap_alloc(unsigned int order, uint32_t owner, bool zero) __must_check;

/* Back on the lists. The frames have no reference any more. */
void heap_free(mfn_t m, unsigned int order);

/* Lists of frames by their own links: *list is the first one, 0: empty. The caller holds the list's lock. */
static inline void frame_list_add(uint32_t *list, mfn_t m)
{
    struct frame *f = frame_of(m);

    f->prev = 0;
    f->next = *list;
    if (f->next)
        frame_of(MFN(f->next))->prev = (uint32_t)m.v;
    *list = (uint32_t)m.v;
}

static inline void frame_list_del(uint32_t *list, mfn_t m)
{
    struct frame *f = frame_of(m);

    if (f->next)
        frame_of(MFN(f->next))->prev = f->prev;
    if (f->prev)
        frame_of(MFN(f->prev))->next = f->next;
    else
        *list = f->next;
    f->next = f->prev = 0;
}

#ifdef HOST_TEST
void heap_reset(void); /* as before boot */
#endif

/* Debug: checks the lists against the table; the number of free frames found, ~0: broken (said why). */
uint64_t heap_check(void);
