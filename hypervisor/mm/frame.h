/* SPDX-License-Identifier: MIT
 *
 * Frames: every page of machine memory has a struct frame: its owner, a reference count, a type with a count
 * of its own.
 *
 * The heart is one 64-bit word, changed by compare-and-exchange only:
 *
 *   63..61 type       what the frame may be used as, enum frame_type
 *   60     validated  (tables) its entries were checked and hold their references
 *   59     partial    (tables) validation or its undoing stopped half-way; `aux` is the cursor
 *   57     locked     entries of this table are being changed, or `aux` gets its time
 *   55     pinned     one type reference is held by MMUEXT_PIN
 *   54     allocated  one reference is the owner's own, dropped when it gives the frame back
 *   53..27 type count how many uses as `type` (zero: the type may change, after the flush that `aux` asks
 * for) 26..0  references general references: each mapping, each type reference, `allocated`
 *
 * The top byte changes only with the exchange that takes the lock, and by who holds it; so one plain store of
 * that byte drops the lock again (frame_unlock()).
 *
 * Invariants: type count > 0 implies references > 0; references > 0 implies an owner; a frame with no
 * reference is on the free list. A frame is `writable` somewhere or a table somewhere, never both.
 */
#pragma once

#include "lib/types.h"
#include "mm/layout.h"

struct domain;

enum frame_type {
    FT_NONE, /* never used, or all uses gone */
    FT_L1,
    FT_L2,
    FT_L3,
    FT_L4,
    FT_DESC, /* GDT or LDT */
    FT_WRITABLE,
};

#define FRAME_TYPE_SHIFT   61
#define FRAME_VALIDATED    (1ULL << 60)
#define FRAME_PARTIAL      (1ULL << 59)
#define FRAME_PINNED       (1ULL << 55)
#define FRAME_LOCKED_SHIFT 57
#define FRAME_LOCKED       (1ULL << FRAME_LOCKED_SHIFT)
#define FRAME_ALLOCATED    (1ULL << 54)
#define FRAME_COUNT_SHIFT  27
#define FRAME_COUNT_ONE    (1ULL << FRAME_COUNT_SHIFT)
#define FRAME_COUNT_MASK   (((1ULL << 27) - 1) << FRAME_COUNT_SHIFT)
#define FRAME_REF_MASK     ((1ULL << 27) - 1)

/* A frame with no reference is free memory and its word says other things (but never `pinned`, which is asked
 * for without a reference): */
#define FREE_HEAD  (1ULL << 56) /* first of a free block; its order stands where the type count would */
#define FREE_DIRTY (1ULL << 57) /* a domain's or Parador's data: zeroed before anyone gets it */
#define FREE_ZERO  (1ULL << 58) /* known to be zero (neither: never used since boot) */

/* Owners: 0 nobody (free), domid + 1, or one of these. */
#define OWNER_NONE 0u
#define OWNER_HV   0xfffffffeu /* Parador's own memory */
#define OWNER_IO   0xffffffffu /* not memory: device registers, ROM, holes inside a backed chunk */

struct frame {
    uint64_t word;  /* others look at it, and at the next two, at any time: WRITE_ONCE() */
    uint32_t owner; /* changes only while the frame has no reference */
    uint32_t aux;   /* TLB clock when the type count fell to zero, or the cursor of a partial table */
    uint32_t next;  /* links of the free list or of the owner's list (its page-list lock); mfn, 0 ends */
    uint32_t prev;
};

_Static_assert(sizeof(struct frame) == 24, "24 bytes a frame, as docs and memory figures say");

#ifdef HOST_TEST
extern struct frame *frame_table; /* the fake machine of the host tests */
extern uint64_t *m2p_table;
#else
#define frame_table ((struct frame *)FRAME_TABLE_VIRT)
#define m2p_table   ((uint64_t *)M2P_RW_VIRT)
#endif

extern uint64_t max_mfn; /* first number past the last frame; constant after boot */
/* Bit n: frames [n << 12, (n + 1) << 12) are in the table; constant after boot. */
extern uint64_t frame_chunks[];
#define FRAME_CHUNK_SHIFT 12

static inline struct frame *frame_of(mfn_t m)
{
    return frame_table + m.v;
}

static inline mfn_t frame_mfn(const struct frame *f)
{
    return MFN((uint64_t)(f - frame_table));
}

/* Whether m indexes the frame table: ask before frame_of() with any number that comes from a guest. */
static inline bool mfn_valid(mfn_t m)
{
    return m.v < max_mfn &&
           (frame_chunks[m.v >> (FRAME_CHUNK_SHIFT + 6)] >> ((m.v >> FRAME_CHUNK_SHIFT) & 63) & 1);
}

/* The machine-to-physical table: what m's owner calls it, for guests to read; nothing in Parador depends on
 * what it says. INVALID_PFN: none. */
static inline void m2p_set(mfn_t m, pfn_t p)
{
    if (mfn_valid(m))
        WRITE_ONCE(m2p_table[m.v], p.v);
}

/* Boot: [start, end), kept off the free lists for the loader's sake (modules), is needed no more. */
void frames_release_boot(uint64_t start, uint64_t end);
/* Zeroes a free frame or two in the idle loop, so that allocation need not; false: nothing to do. Frames that
 * other CPUs may still write to stay for later: it's not worth an interrupt. */
bool frames_scrub_step(void);

/* Parador's own memory: one zeroed page, or NULL. */
void *page_alloc(void) __must_check;
void page_free(void *page);
/* The same for 2^order contiguous pages, aligned to their size. */
void *pages_alloc(unsigned int order) __must_check;
void pages_free(void *pages, unsigned int order);

uint64_t frames_free(void);  /* on the free lists now */
uint64_t frames_total(void); /* RAM frames that the table knows */
uint64_t frames_hv(void);    /* owned by Parador: image, tables, heap pages */

/*
 * A domain's memory. 2^order zeroed frames, owned, allocated, listed and counted (d->tot_pages). INVALID_MFN:
 * no memory, or it would exceed d->max_pages. domain_frame_release() drops `allocated`; false: it was not
 * set, or is not d's.
 */
mfn_t domain_frames_alloc(struct domain *d, unsigned int order) __must_check;
bool domain_frame_release(struct domain *d, mfn_t m) __must_check;

/* Destruction, preemptible: drops `allocated` of all frames of d. 0 or -ERESTART. Frames that others still
 * map stay in d->tot_pages until their last reference goes. */
int domain_frames_relinquish(struct domain *d) __must_check;

/* GNTTABOP_transfer: frame m with its contents changes owner. Only if its one reference is `allocated`; its
 * type goes first (XSA-214), translations are flushed. 0; -EBUSY: other references; -EINVAL: not from's;
 * -ENOMEM: `to` has max_pages already. */
int domain_frame_move(struct domain *from, struct domain *to, mfn_t m) __must_check;

/*
 * Moving a frame to another owner, contents and all (grant transfer, exchange). steal: takes it from d if
 * nothing but d's own reference is left (d unmapped it everywhere); then it is nobody's, and one of give (to
 * d, whose m2p entry the caller sets) or discard (back to the free list) must follow. give fails when d has
 * its max_pages or is dying.
 */
bool domain_frame_steal(struct domain *d, mfn_t m) __must_check;
bool domain_frame_give(struct domain *d, mfn_t m) __must_check;
void domain_frame_discard(mfn_t m);

/*
 * A page of Parador's that the guest may map writable (shared_info, grant tables): permanently FT_WRITABLE,
 * never a table, not among the domain's pages. The direct-map address, zeroed, or NULL. Freed when the last
 * mapping is gone; d->shared_pages counts those that live.
 */
void *shared_page_alloc(struct domain *d) __must_check;
void shared_page_free(void *page);
/* Nobody but Parador has a reference to it (the end of a domain waits for that). */
bool shared_page_idle(const void *page);

/* General references: get fails (false) unless the frame has that owner and a reference already. */
bool get_frame(struct domain *d, mfn_t m) __must_check;
void put_frame(mfn_t m);

/* A general and a type reference in one. 0; -EINVAL: no frame of d's, in use as another type, or its contents
 * are not valid as `type`; -ERESTART: tables only, call again. */
int get_frame_type(struct domain *d, mfn_t m, enum frame_type type) __must_check;
void put_frame_type(mfn_t m);

/* The invariant checker of debug builds: walks every table of every domain, recounts all types and references
 * and compares them with the frame words (mm/check.c). Prints a line for each violation, at most a few, and
 * returns how many there are. No lock is held, and other CPUs stand still. check_init(), at boot, takes the
 * memory that it needs (8 bytes a frame). Release builds: nothing. */
void check_init(void);
unsigned int check_machine(void);
void check_machine_and_say(void);
