/* SPDX-License-Identifier: MIT
 *
 * Inside mm/: page-table entries, the changes of a frame's word that the hot paths need, and the operations
 * of page_type.c that mm/frame.h doesn't show to others.
 *
 * get_leaf() and put_leaf() are the two that an L1 entry costs: one compare-and-exchange each. What they
 * don't handle in a few instructions goes to their *_slow halves, which are complete.
 */
#pragma once

#include "domain/domain.h"
#include "domain/refuse.h"
#include "mm/frame.h"
#include "mm/layout.h"
#include "mm/tlb.h"
#include "x86/copy.h"
#include "x86/pte.h"

/* What a guest may set in a present entry of any level; all else (PSE above all) is refused. */
#define PTE_ALLOWED (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_AVAIL | PTE_AVAIL_HIGH | PTE_NX | PTE_ADDR)
/* Bits that may change without a new look at the frame. */
#define PTE_HARMLESS (PTE_US | PTE_A | PTE_D | PTE_AVAIL | PTE_AVAIL_HIGH | PTE_NX)

#define ENTRIES      512u
#define CURSOR       0x3ffu      /* aux of a partial table: entries [0, cursor) hold their references */
#define CURSOR_UNDO  0x80000000u /* set in it: they are being dropped, from the end */
#define SHARED       0xffffffffu /* prev of a page of shared_page_alloc(), which is on no list */
#define FT_MASK      7u
#define TYPE_BITS    ((uint64_t)FT_MASK << FRAME_TYPE_SHIFT)
#define WRITABLE     ((uint64_t)FT_WRITABLE << FRAME_TYPE_SHIFT)

_Static_assert(FT_WRITABLE == 6, "the largest type in use: get_leaf() compares whole words");
_Static_assert(FRAME_VALIDATED == 1ULL << (FRAME_TYPE_SHIFT - 1), "read together with the type");

static inline enum frame_type type_of(uint64_t word)
{
    return (enum frame_type)(word >> FRAME_TYPE_SHIFT);
}

static inline bool is_table_type(enum frame_type type)
{
    return type >= FT_L1 && type <= FT_L4;
}

static inline mfn_t entry_mfn(uint64_t entry)
{
    return MFN((entry & PTE_ADDR) >> PAGE_SHIFT);
}

/* The hypervisor's slots of an L4 are no business of the guest's: the same in every address space. */
static inline bool guest_slot(enum frame_type level, const uint64_t *entry)
{
    uint64_t slot = (uint64_t)entry % PAGE_SIZE / 8;

    return level != FT_L4 || slot < HV_FIRST_SLOT || slot > HV_LAST_SLOT;
}

/* *old is what the word held when it fails. */
static inline bool frame_cas(struct frame *f, uint64_t *old, uint64_t new)
{
    return __atomic_compare_exchange_n(&f->word, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Bits that d may not set in an L1 entry: of all 64, only those of cacheability ask who it is. */
_Static_assert((PTE_ALLOWED | PTE_G | PTE_CACHE) == ~0ULL, "the rest is allowed in an L1 entry");
static inline uint64_t leaf_forbidden(const struct domain *d, uint64_t entry)
{
    return unlikely(entry & PTE_CACHE) && !d->privileged ? entry & PTE_CACHE : 0;
}

/* What a writable L1 entry holds of its frame; others hold one reference. */
#define WRITABLE_REFS (FRAME_COUNT_ONE + 1)

/* The entry as it is written: kernel pages get the user bit, and the bit that remembers it. */
static inline uint64_t leaf_adjust(uint64_t entry)
{
    return entry & PTE_US ? entry : entry | PTE_US | PTE_GUEST_KERNEL;
}

int get_leaf_slow(struct domain *d, struct domain *owner, uint64_t entry) __attribute__((cold));
void put_leaf_slow(uint64_t entry) __attribute__((cold));

/* The entry of frame f. flags_only: a caller that needs it seldom gives its flags alone. */
static force_inline uint64_t leaf_entry(const struct frame *f, uint64_t entry, bool flags_only)
{
    if (!flags_only)
        return entry;
    __asm__("" : "+r"(f)); /* nothing of this is worked out earlier */
    return mfn_to_maddr(frame_mfn(f)) | entry;
}

/*
 * Takes the references of a present L1 entry of a table of d, whose frame shall be owner's (NULL: device
 * memory); id: owner's number. 0; -EINVAL flags; -EPERM device memory that d may not map; -EBUSY not owner's,
 * or not usable so. get_leaf_of(): the entry is of frame f and has no bits that are forbidden.
 *
 * The frame's owner is read again after the exchange: the frame might have changed hands in between, back to
 * a word of the same value.
 */
static force_inline int get_leaf_of(struct frame *f, struct domain *d, struct domain *owner, uint32_t id,
                                    uint64_t entry, bool flags_only)
{
    uint64_t w, new;

    if (unlikely(f->owner != id))
        return get_leaf_slow(d, owner, leaf_entry(f, entry, flags_only));
    w = READ_ONCE(f->word);
    if (entry & PTE_RW) {
        if (unlikely(w < WRITABLE))
            return get_leaf_slow(d, owner, leaf_entry(f, entry, flags_only));
        new = w + WRITABLE_REFS;
    } else {
        new = w + 1;
    }
    /* 0: the count is full; 1: the frame had no reference. */
    if (unlikely(!(new &(FRAME_REF_MASK & ~1ULL))) || unlikely(!frame_cas(f, &w, new)))
        return get_leaf_slow(d, owner, leaf_entry(f, entry, flags_only));
    if (unlikely(READ_ONCE(f->owner) != id)) {
        put_leaf_slow(leaf_entry(f, entry, flags_only));
        return get_leaf_slow(d, owner, leaf_entry(f, entry, flags_only));
    }
    return 0;
}

static force_inline int get_leaf(struct domain *d, struct domain *owner, uint32_t id, uint64_t entry)
{
    mfn_t m = entry_mfn(entry);

    if (unlikely(entry & PTE_CACHE) || unlikely(m.v >= max_mfn))
        return get_leaf_slow(d, owner, entry);
    return get_leaf_of(frame_of(m), d, owner, id, entry, false);
}

/* Drops the lock of a frame of that type; state: FRAME_VALIDATED or 0. The byte is its holder's alone.
 * (Thread sanitizers don't know a byte for a part of the word.) */
static inline void frame_unlock(struct frame *f, enum frame_type type, uint64_t state)
{
#ifdef THREAD_SANITIZER
    __atomic_fetch_and(&f->word, ~FRAME_LOCKED, __ATOMIC_RELEASE);
#else
    __atomic_store_n((uint8_t *)&f->word + 7,
                     (uint8_t)((uint64_t)type << (FRAME_TYPE_SHIFT - 56) | state >> 56), __ATOMIC_RELEASE);
#endif
}

/* A locked table: the lock was taken while it was validated, and so it has stayed. */
static force_inline void table_unlock(struct frame *f, enum frame_type level)
{
    frame_unlock(f, level, FRAME_VALIDATED);
}

/* The last use of a frame, no table, has ended, and with that exchange it was locked: what TLBs hold of it is
 * older than now. Who frees it or makes something else of it waits for the lock. */
static force_inline void stamp_and_unlock(struct frame *f, enum frame_type type)
{
    WRITE_ONCE(f->aux, tlb_stamp());
    frame_unlock(f, type, 0);
}

/* Drops them. The last reference, and a device's entry, go the slow way. */
static force_inline void put_leaf_of(struct frame *f, uint64_t entry, bool flags_only)
{
    uint64_t w = READ_ONCE(f->word), new;

    if (likely(w & (FRAME_REF_MASK & ~1ULL))) {
        new = w - WRITABLE_REFS;
        if (!(entry & PTE_RW)) {
            if (likely(frame_cas(f, &w, w - 1)))
                return;
        } else if (new &FRAME_COUNT_MASK) {
            if (likely(frame_cas(f, &w, new)))
                return;
        } else if (likely(!(w & FRAME_LOCKED)) && likely(frame_cas(f, &w, new | FRAME_LOCKED))) {
            stamp_and_unlock(f, FT_WRITABLE); /* it was the last use */
            return;
        }
    }
    put_leaf_slow(leaf_entry(f, entry, flags_only));
}

static force_inline void put_leaf(uint64_t entry)
{
    mfn_t m = entry_mfn(entry);

    if (unlikely(m.v >= max_mfn))
        return put_leaf_slow(entry);
    put_leaf_of(frame_of(m), entry, false);
}

/*
 * One use more, as `type`, of a frame of d that is used so already, and whole. False: it isn't, ask
 * get_frame_type(). A table's `validated` stands next to the type in the word and implies uses.
 */
static force_inline bool get_type_fast(struct domain *d, mfn_t m, enum frame_type type)
{
    struct frame *f;
    uint64_t w, new;
    bool whole;

    if (unlikely(m.v >= max_mfn))
        return false;
    f = frame_of(m);
    if (unlikely(f->owner != owner_of(d)))
        return false;
    w = READ_ONCE(f->word);
    new = w + WRITABLE_REFS;
    if (is_table_type(type))
        whole = w >> (FRAME_TYPE_SHIFT - 1) == ((uint64_t)type << 1 | 1);
    else
        whole = type_of(w) == type && (w & FRAME_COUNT_MASK) && !(w & FRAME_LOCKED);
    if (unlikely(!whole) || unlikely(!(new &FRAME_REF_MASK)) || unlikely(!frame_cas(f, &w, new)))
        return false;
    if (unlikely(READ_ONCE(f->owner) != owner_of(d))) {
        put_frame_type(m);
        return false;
    }
    return true;
}

/* One use less, mostly of what has others. Whether it may have been long work. */
static force_inline bool put_table_fast(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t w = READ_ONCE(f->word);
    bool slow =
        unlikely((w & FRAME_COUNT_MASK) <= FRAME_COUNT_ONE) || unlikely(!frame_cas(f, &w, w - WRITABLE_REFS));

    if (slow)
        put_frame_type(m);
    return slow;
}

/* The same for whatever owner, and where another holds the lock. */
bool table_lock_slow(struct frame *f, enum frame_type type) __attribute__((cold));

/*
 * Locks a validated table of d, of that type (FT_NONE: any), so that its entries may be changed. False: it is
 * none (now). While it is locked its type stays; references come and go.
 */
static force_inline bool table_lock(struct domain *d, struct frame *f, enum frame_type type)
{
    uint64_t w = READ_ONCE(f->word);

    /* One comparison: of that type, whole, and not locked. */
    if (unlikely(w >> FRAME_LOCKED_SHIFT != ((uint64_t)type << 4 | 8)) ||
        unlikely(!frame_cas(f, &w, w | FRAME_LOCKED))) {
        if ((type != FT_NONE && type_of(w) != type) || !table_lock_slow(f, type))
            return false;
    }
    if (unlikely(f->owner != owner_of(d))) { /* not before: it may change hands until it is locked */
        table_unlock(f, type_of(READ_ONCE(f->word)));
        return false;
    }
    return true;
}

/* The frame of the entry at p, an L1 of d, locked. NULL: it is none (now); p is what a walk or a guest says.
 */
static force_inline struct frame *l1_lock(struct domain *d, const uint64_t *p)
{
    mfn_t m = virt_to_mfn(p);
    struct frame *f = frame_of(m);

    return likely(m.v < max_mfn) && likely(table_lock(d, f, FT_L1)) ? f : NULL;
}

/* The entry of an L2..L4 of d that shall point to a table one level below. 0, -EINVAL, -ERESTART. */
int get_table_entry(struct domain *d, enum frame_type level, uint64_t entry) __must_check;

/* MMUEXT_PIN_Lx_TABLE, UNPIN_TABLE of a frame of d. 0, -EINVAL, -ERESTART. */
int pin_table(struct domain *d, mfn_t m, enum frame_type level) __must_check;
int unpin_table(struct domain *d, mfn_t m) __must_check;

/* Destruction: drops the pin of m, which was on d's list a moment ago, and undoes it if its validation
 * stopped half-way. 0 or -ERESTART (the rest is on undo_list). */
int abandon_table(struct domain *d, mfn_t m) __must_check;

/* The domain that owns f, which has a reference (so that the domain can't go away). NULL: no domain does. */
struct domain *frame_domain(const struct frame *f);

/* The last reference was dropped (word's count is 0): off the owner's list and back to the heap. */
void frame_unreferenced(mfn_t m) __attribute__((cold));

/* d's page-list lock held: moves m, which is on one of d's lists, to the front of another of them. */
void frame_list_move(struct domain *d, mfn_t m, uint32_t *to);

/* Device memory: no RAM of the table. */
bool is_device_frame(mfn_t m);
extern uint64_t device_mfn_limit; /* first number past what the processor can address; constant after boot */

/* The hypervisor's slots of an L4 (mm/frame.c). */
void hv_fill_l4(uint64_t *l4);

/* A write fault of v's kernel on a present page (mm/ptwrite.c): carries it out if it changes an entry of one
 * of its L1 tables. False: it is the guest's own fault. */
bool ptwrite_fault(struct vcpu *v, uint64_t cr2);

/* Changes the L1 entry at ptr from exactly `old` to entry. -EAGAIN: it is not `old`; -EINVAL: no L1 entry of
 * d's (now). */
int pv_exchange_leaf(struct domain *d, uint64_t ptr, uint64_t old, uint64_t entry) __must_check;

/*
 * The L1 entry for vaddr (in range) in v's kernel tables, NULL: no L1 there. Each step reads as from guest
 * memory: another vcpu may take the tables apart meanwhile, and what then stands there may lead anywhere, so
 * a fault ends the walk. The caller finds out whether the result is in an L1 of the domain by l1_lock().
 */
static force_inline uint64_t *walk_l1(const struct vcpu *v, uint64_t vaddr)
{
    uint64_t mask = PTE_ADDR, base = (uint64_t)maddr_to_virt(0), e;
    uint64_t *p = (uint64_t *)maddr_to_virt(v->arch.cr3_kernel) + (vaddr >> 39 & 511);

    __asm__("" : "+r"(mask), "+r"(base)); /* one load of each constant, not one a step */
#define WALK_DOWN(shift)         \
    guest_get_or(e, p, nothing); \
    if (unlikely(!(e & PTE_P)))  \
        goto nothing;            \
    p = (uint64_t *)(base + (e & mask)) + (vaddr >> (shift)&511)
    WALK_DOWN(30);
    WALK_DOWN(21);
    WALK_DOWN(12);
#undef WALK_DOWN
    return p;
nothing:
    return NULL;
}
