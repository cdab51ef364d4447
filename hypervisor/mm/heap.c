/* SPDX-License-Identifier: MIT
 *
 * Free frames in blocks of 2^order, a doubly linked list an order, buddies merged when both are free.
 *
 * The links are those of struct frame, so a free frame costs nothing. A free frame has no owner and no
 * reference, so its word is free to say the rest: head of a block and of which order, and what its contents
 * are (never used since boot, dirty, known to be zero).
 *
 * Two promises are kept at the one place where a frame leaves the lists, heap_alloc(): nobody's cached
 * translations lead to it any more (mm/tlb.h), and nobody else's data is in it. Dirty frames are zeroed
 * there, unless the idle loop came earlier (frames_scrub_step()). Frames not used since boot are no domain's
 * data, so that a big domain starts without its memory being zeroed first.
 *
 * Next: mm/domain_frames.c.
 */
#include "mm/heap.h"
#include "lib/bug.h"
#include "lib/lock.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/page_type.h"
#include "mm/tlb.h"
#include "x86/cpu.h"

#define FREE_CONTENTS (FREE_DIRTY | FREE_ZERO)
#define FRAMES_A_LOCK 256 /* looked at while the lock is held */
#define FRAMES_A_LOOK 16  /* perhaps zeroed, between two windows */

static struct {
    struct lock lock;                   /* LOCK_HEAP: all below */
    uint32_t first[HEAP_MAX_ORDER + 1]; /* first block of each order, 0: none */
    uint64_t free, hv, total;           /* frames: on the lists, Parador's, all RAM in the table */
    uint64_t scrub_next;                /* where frames_scrub_step() goes on, */
    uint64_t scrub_left;                /* and after how many frames it has seen all */
    uint64_t dirty;                     /* dirty frames on the lists */
} heap = { .lock = LOCK_INIT(LOCK_HEAP) };

/* The word of a free block's first frame, but for its contents. */
static uint64_t head_word(unsigned int order)
{
    return FREE_HEAD | (uint64_t)order << FRAME_COUNT_SHIFT;
}

static bool is_free_block(uint64_t mfn, unsigned int order)
{
    const struct frame *f = frame_of(MFN(mfn));

    return mfn_valid(MFN(mfn)) && f->owner == OWNER_NONE &&
           (READ_ONCE(f->word) & ~FREE_CONTENTS) == head_word(order);
}

static void list_block(uint64_t mfn, unsigned int order)
{
    struct frame *f = frame_of(MFN(mfn));

    WRITE_ONCE(f->word, (READ_ONCE(f->word) & FREE_CONTENTS) | head_word(order));
    frame_list_add(&heap.first[order], MFN(mfn));
}

static void unlist_block(uint64_t mfn, unsigned int order)
{
    struct frame *f = frame_of(MFN(mfn));

    frame_list_del(&heap.first[order], MFN(mfn));
    WRITE_ONCE(f->word, READ_ONCE(f->word) & FREE_CONTENTS);
}

/* The frames' words already say what they contain. */
static void free_block(uint64_t mfn, unsigned int order)
{
    heap.free += 1UL << order;
    while (order < HEAP_MAX_ORDER && is_free_block(mfn ^ 1UL << order, order)) {
        unlist_block(mfn ^ 1UL << order, order);
        mfn &= ~(1UL << order);
        order++;
    }
    list_block(mfn, order);
}

void heap_add(uint64_t start, uint64_t end)
{
    lock_take(&heap.lock);
    while (start < end) {
        unsigned int order = 0;

        while (order < HEAP_MAX_ORDER && !(start & ((2UL << order) - 1)) && start + (2UL << order) <= end)
            order++;
        heap.total += 1UL << order;
        free_block(start, order);
        start += 1UL << order;
    }
    lock_drop(&heap.lock);
}

/* Takes a block off the lists and splits it down to order. 0: none. */
static uint64_t take_block(unsigned int order)
{
    unsigned int k = order;
    uint64_t mfn;

    while (k <= HEAP_MAX_ORDER && !heap.first[k])
        k++;
    if (k > HEAP_MAX_ORDER)
        return 0;
    mfn = heap.first[k];
    unlist_block(mfn, k);
    while (k > order) {
        k--;
        list_block(mfn + (1UL << k), k);
    }
    heap.free -= 1UL << order;
    return mfn;
}

/* The block is off the lists: nothing for frames_scrub_step() any more. LOCK_HEAP held. */
static void claim(struct frame *f, uint64_t nr, uint32_t owner)
{
    uint64_t dirty = 0;

    for (; nr--; f++) {
        dirty += (READ_ONCE(f->word) & FREE_DIRTY) != 0;
        WRITE_ONCE(f->owner, owner);
    }
    heap.dirty -= dirty;
}

static void hand_out(struct frame *f, uint64_t nr, uint64_t word, bool zero)
{
    for (; nr--; f++) {
        uint64_t contents = READ_ONCE(f->word) & FREE_CONTENTS;

        tlb_filter_flush(f->aux);
        if (contents == FREE_DIRTY || (zero && contents != FREE_ZERO))
            memset(mfn_to_virt(frame_mfn(f)), 0, PAGE_SIZE);
        WRITE_ONCE(f->aux, 0);
        f->next = f->prev = 0;
        __atomic_store_n(&f->word, word, __ATOMIC_RELEASE);
    }
}

/* Interrupts may come. At boot, for Parador's own memory, they can't yet. */
static void window(uint32_t owner)
{
    if (owner != OWNER_HV)
        cpu_window();
}

mfn_t heap_alloc(unsigned int order, uint32_t owner, bool zero)
{
    uint64_t mfn, nr = 1UL << order;

    if (order > HEAP_MAX_ORDER)
        return INVALID_MFN;
    lock_take(&heap.lock);
    mfn = take_block(order);
    if (!mfn)
        nr = 0;
    heap.hv += owner == OWNER_HV ? nr : 0;
    for (uint64_t i = 0; i < nr; i += FRAMES_A_LOCK) {
        claim(frame_of(MFN(mfn + i)), MIN(nr - i, FRAMES_A_LOCK), owner);
        if (nr - i <= FRAMES_A_LOCK)
            break;
        lock_drop(&heap.lock);
        window(owner);
        lock_take(&heap.lock);
    }
    lock_drop(&heap.lock);
    /* Off the lists and with no reference, the block is ours alone: the long part needs no lock. */
    for (uint64_t i = 0; i < nr; i += FRAMES_A_LOOK) {
        hand_out(frame_of(MFN(mfn + i)), MIN(nr - i, FRAMES_A_LOOK),
                 owner == OWNER_HV ? FRAME_ALLOCATED | 1 : 0, zero);
        if (nr >= FRAMES_A_LOOK)
            window(owner);
    }
    return nr ? MFN(mfn) : INVALID_MFN;
}

void heap_free(mfn_t m, unsigned int order)
{
    bool hv = frame_of(m)->owner == OWNER_HV;

    lock_take(&heap.lock);
    for (uint64_t i = 0; i < 1UL << order; i++) {
        struct frame *f = frame_of(MFN(m.v + i));

        ASSERT(!(f->word & FRAME_REF_MASK));
        WRITE_ONCE(f->word, FREE_DIRTY);
        WRITE_ONCE(f->owner, OWNER_NONE);
        WRITE_ONCE(f->aux, tlb_stamp());
    }
    heap.dirty += 1UL << order;
    heap.scrub_left = max_mfn;
    heap.hv -= hv ? 1UL << order : 0;
    free_block(m.v, order);
    lock_drop(&heap.lock);
}

bool frames_scrub_step(void)
{
    unsigned int looked = 0;
    bool found = false, again;

    if (!READ_ONCE(heap.dirty) || !READ_ONCE(heap.scrub_left))
        return false;
    lock_take(&heap.lock);
    while (heap.dirty && heap.scrub_left && looked++ < FRAMES_A_LOCK && !found) {
        mfn_t m = MFN(heap.scrub_next);
        struct frame *f;

        heap.scrub_next = m.v + 1 < max_mfn ? m.v + 1 : 0;
        heap.scrub_left--;
        if (!mfn_valid(m))
            continue;
        f = frame_of(m);
        found = f->owner == OWNER_NONE &&
                (READ_ONCE(f->word) & (FRAME_REF_MASK | FREE_DIRTY)) == FREE_DIRTY &&
                !tlb_others_hold(f->aux);
        if (!found)
            continue;
        tlb_filter_flush(f->aux); /* nobody may write into it once it counts as zero */
        memset(mfn_to_virt(m), 0, PAGE_SIZE);
        WRITE_ONCE(f->word, FREE_ZERO | (READ_ONCE(f->word) & ~FREE_DIRTY));
        heap.dirty--;
    }
    again = heap.dirty && heap.scrub_left;
    lock_drop(&heap.lock);
    return again;
}

uint64_t frames_free(void)
{
    return READ_ONCE(heap.free);
}

uint64_t frames_total(void)
{
    return READ_ONCE(heap.total);
}

uint64_t frames_hv(void)
{
    return READ_ONCE(heap.hv);
}

void heap_count_boot(uint64_t frames)
{
    heap.hv += frames;
    heap.total += frames;
}

void *pages_alloc(unsigned int order)
{
    mfn_t m = heap_alloc(order, OWNER_HV, true);

    return m.v == INVALID_MFN.v ? NULL : mfn_to_virt(m);
}

void *page_alloc(void)
{
    return pages_alloc(0);
}

void pages_free(void *pages, unsigned int order)
{
    mfn_t m = virt_to_mfn(pages);

    for (uint64_t i = 0; i < 1UL << order; i++) {
        struct frame *f = frame_of(MFN(m.v + i));
        uint64_t w = FRAME_ALLOCATED | 1;

        /* A CPU that took it for the domain's that it was drops its reference as soon as it sees the owner.
         */
        for (; !frame_cas(f, &w, 0); w = FRAME_ALLOCATED | 1) {
            if (f->owner != OWNER_HV || !(w & FRAME_ALLOCATED))
                BUG("frame %lx freed with word %lx, owner %x", m.v + i, w, f->owner);
            cpu_relax();
        }
    }
    heap_free(m, order);
}

void page_free(void *page)
{
    pages_free(page, 0);
}

#ifdef HOST_TEST
void heap_reset(void)
{
    memset(&heap, 0, sizeof(heap));
    lock_init(&heap.lock, LOCK_HEAP);
}
#endif

uint64_t heap_check(void)
{
    uint64_t listed = 0, found = 0, dirty = 0;
    bool right = true;

    if (lock_is_taken(&heap.lock)) {
        say("parador: check: the lock of the free frames is taken\n");
        right = false;
    }
    for (unsigned int order = 0; order <= HEAP_MAX_ORDER; order++) {
        for (uint64_t m = heap.first[order]; m; m = frame_of(MFN(m))->next) {
            if (!is_free_block(m, order) || m & ((1UL << order) - 1) || listed > heap.total) {
                say("parador: check: frame %lx on the free list of order %u is no such block\n", m, order);
                return ~0ULL;
            }
            listed += 1UL << order;
        }
    }
    for (uint64_t m = 1; m < max_mfn; m++) {
        const struct frame *f;

        if (!mfn_valid(MFN(m)))
            continue;
        f = frame_of(MFN(m));
        if (f->owner != OWNER_NONE)
            continue;
        found++;
        dirty += (f->word & FREE_DIRTY) != 0;
        right &= !(f->word & FRAME_REF_MASK);
        if (f->word & FRAME_REF_MASK)
            say("parador: check: frame %lx has references and no owner (word %lx)\n", m, f->word);
    }
    if (listed != found || listed != heap.free || dirty != heap.dirty) {
        say("parador: check: %lu frames on the free lists, %lu without owner, %lu counted; %lu dirty, %lu "
            "counted\n",
            listed, found, heap.free, dirty, heap.dirty);
        right = false;
    }
    return right ? listed : ~0ULL;
}
