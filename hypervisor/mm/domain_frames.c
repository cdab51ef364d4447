/* SPDX-License-Identifier: MIT
 *
 * A domain's frames: giving, taking back, moving between domains.
 *
 * A frame that a domain owns is on exactly one of the domain's three lists (page_list; undo_list and
 * done_list while its tables are taken apart) and counted in tot_pages, from the moment it gets its owner
 * until its last reference is dropped: a frame that was given back but is still mapped somewhere still
 * counts. Pages that Parador shares with the domain (shared_info, grant tables) are on no list and don't
 * count; SHARED in `prev` tells them.
 *
 * Owners are numbers in the frame table; the table here leads back to the domain. An entry stays when the
 * domain ends, and nobody asks then: no frame names it.
 *
 * Next: mm/page_type.c, the heart.
 */
#include "lib/bug.h"
#include "mm/heap.h"
#include "mm/layout.h"
#include "mm/page_type.h"
#include "mm/tlb.h"
#include "domain/domain.h"
#include "x86/cpu.h"

#define FRAMES_A_LOCK 64 /* given while the lock is held */

/* By domid; an entry is written before the domain's first frame, and stays when it has ended: no frame names
 * it then. */
static struct domain *owners[DOMID_MAX_BOOT];

struct domain *frame_domain(const struct frame *f)
{
    uint32_t domid = f->owner - 1; /* out of range if no domain's */

    return domid < DOMID_MAX_BOOT ? owners[domid] : NULL;
}

/* d's page-list lock held: off the list that it is on. */
static void unlist(struct domain *d, mfn_t m)
{
    uint32_t *list = d->undo_list == m.v   ? &d->undo_list
                     : d->done_list == m.v ? &d->done_list
                                           : &d->page_list;

    if (!frame_of(m)->prev && *list != m.v)
        BUG("frame %lx is on no list of domain %u", m.v, d->domid);
    frame_list_del(list, m);
}

void frame_list_move(struct domain *d, mfn_t m, uint32_t *to)
{
    unlist(d, m);
    frame_list_add(to, m);
}

/* d has it no longer. */
static void leave(struct domain *d, mfn_t m)
{
    lock_take(&d->page_lock);
    unlist(d, m);
    d->tot_pages--;
    lock_drop(&d->page_lock);
}

/* The first reference, after all else: from now on other CPUs use the frame, or free it. */
static void publish(struct domain *d, mfn_t m)
{
    frame_list_add(&d->page_list, m);
    __atomic_store_n(&frame_of(m)->word, FRAME_ALLOCATED | 1, __ATOMIC_RELEASE);
}

mfn_t domain_frames_alloc(struct domain *d, unsigned int order)
{
    uint64_t nr = 1UL << order;
    mfn_t m;

    WRITE_ONCE(owners[d->domid], d);
    lock_take(&d->page_lock);
    if (d->dying || nr > d->max_pages || d->tot_pages > d->max_pages - nr) {
        lock_drop(&d->page_lock);
        return INVALID_MFN;
    }
    d->tot_pages += nr;
    lock_drop(&d->page_lock);

    m = heap_alloc(order, owner_of(d), false);
    lock_take(&d->page_lock);
    while (nr && m.v != INVALID_MFN.v && !d->dying) { /* its end may begin at any time, and doesn't wait */
        do {
            publish(d, MFN(m.v + --nr));
        } while (nr % FRAMES_A_LOCK);
        if (!nr)
            break;
        lock_drop(&d->page_lock);
        cpu_window();
        lock_take(&d->page_lock);
    }
    d->tot_pages -= nr;
    lock_drop(&d->page_lock);
    if (!nr)
        return m;
    while (m.v != INVALID_MFN.v && nr) {
        heap_free(MFN(m.v + --nr), 0);
        cpu_window();
    }
    return INVALID_MFN;
}

bool domain_frame_release(struct domain *d, mfn_t m)
{
    struct frame *f;
    uint64_t w;
    bool was;

    if (!get_frame(d, m)) /* and keeps it d's meanwhile */
        return false;
    f = frame_of(m);
    w = READ_ONCE(f->word);
    do {
        was = w & FRAME_ALLOCATED;
    } while (was && !frame_cas(f, &w, (w & ~FRAME_ALLOCATED) - 1));
    put_frame(m);
    return was;
}

void frame_unreferenced(mfn_t m)
{
    struct frame *f = frame_of(m);
    struct domain *d = frame_domain(f);

    if (!d)
        BUG("frame %lx of owner %x has no reference left", m.v, f->owner);
    while (READ_ONCE(f->word) & FRAME_LOCKED) /* another CPU that dropped the last use isn't done with it */
        cpu_relax();
    if (READ_ONCE(f->prev) == SHARED) {
        f->prev = 0;
        __atomic_sub_fetch(&d->shared_pages, 1, __ATOMIC_RELAXED);
    } else {
        leave(d, m);
    }
    m2p_set(m, INVALID_PFN);
    heap_free(m, 0);
    cpu_window(); /* this was long, and the last references to many may go in a row */
}

void *shared_page_alloc(struct domain *d)
{
    mfn_t m;

    WRITE_ONCE(owners[d->domid], d);
    m = heap_alloc(0, owner_of(d), true);
    if (m.v == INVALID_MFN.v)
        return NULL;
    frame_of(m)->prev = SHARED;
    __atomic_add_fetch(&d->shared_pages, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&frame_of(m)->word, WRITABLE | FRAME_COUNT_ONE | 1, __ATOMIC_RELEASE);
    return mfn_to_virt(m);
}

void shared_page_free(void *page)
{
    put_frame_type(virt_to_mfn(page));
}

bool shared_page_idle(const void *page)
{
    return READ_ONCE(frame_of(virt_to_mfn(page))->word) == (WRITABLE | FRAME_COUNT_ONE | 1);
}

bool domain_frame_steal(struct domain *d, mfn_t m)
{
    struct frame *f;
    uint64_t w;

    if (!get_frame(d, m)) /* and keeps it d's meanwhile */
        return false;
    f = frame_of(m);
    w = READ_ONCE(f->word);
    if ((w & ~TYPE_BITS) != (FRAME_ALLOCATED | 2) || !frame_cas(f, &w, 0)) {
        put_frame(m);
        return false;
    }
    /* No reference: nobody can get one, the frame is ours. */
    leave(d, m);
    WRITE_ONCE(f->owner, OWNER_HV);
    WRITE_ONCE(f->aux, tlb_stamp());
    return true;
}

bool domain_frame_give(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    WRITE_ONCE(owners[d->domid], d);
    tlb_filter_flush(f->aux);
    lock_take(&d->page_lock);
    if (d->dying || d->tot_pages >= d->max_pages) {
        lock_drop(&d->page_lock);
        return false;
    }
    d->tot_pages++;
    WRITE_ONCE(f->aux, 0);
    WRITE_ONCE(f->owner, owner_of(d));
    publish(d, m);
    lock_drop(&d->page_lock);
    return true;
}

void domain_frame_discard(mfn_t m)
{
    WRITE_ONCE(frame_of(m)->owner, OWNER_NONE);
    m2p_set(m, INVALID_PFN);
    heap_free(m, 0);
}

int domain_frame_move(struct domain *from, struct domain *to, mfn_t m)
{
    if (m.v >= max_mfn || frame_of(m)->owner != owner_of(from))
        return -EINVAL;
    if (!domain_frame_steal(from, m))
        return -EBUSY;
    if (domain_frame_give(to, m))
        return 0;
    if (!domain_frame_give(from, m)) /* it dies meanwhile */
        domain_frame_discard(m);
    return -ENOMEM;
}
