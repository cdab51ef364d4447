/* SPDX-License-Identifier: MIT
 *
 * Inside the grant code: a domain's table, and one use of a granted frame: pin and unpin, the two steps that
 * mapping and copying are made of.
 *
 * As granter a domain has entries: what its guest wrote (shared, changed by the guest at any time) and what
 * is in use now (active). As user of others' grants it has mappings, named by handles.
 *
 *   active.pins, 8 bits each     host maps, read-only | host writable | device read-only | device writable
 *
 * The flags GTF_reading and GTF_writing in the shared entry follow the pins, and are what the granter tests
 * and clears by one exchange to take a grant back.
 *
 * The invariant: while an entry has pins, its frame belongs to the granter and GTF_reading (GTF_writing, if a
 * pin writes) stands in the shared entry; each pin comes with a reference of its own to the frame. It holds
 * but for a guest that clears the page-table entry of a mapping itself: the reference goes, the pin stays.
 *
 * Pinning is inline: each request of a driver comes through here twice, and its kind is a constant where it
 * is used.
 */
#pragma once

#include "domain/grant.h"
#include "mm/page_type.h"

#define GRANT_FRAMES_MAX  64
#define GRANTS_PER_FRAME  (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define ACTIVE_PAGE_ORDER 1
#define MAPTRACK_PAGES    256
#define MAPTRACK_PER_PAGE 256
#define NO_HANDLE         (~0U)

#define PIN_HOST_RO       0x00000001U
#define PIN_HOST_RW       0x00000100U
#define PIN_DEV_RO        0x00010000U
#define PIN_DEV_RW        0x01000000U
#define PINS_WRITING      0xff00ff00U
#define PIN_FULL_SHIFT    7 /* a count with its top bit set (pin << 7) takes no more */

struct grant_active {
    uint32_t pins;
    uint16_t domid; /* who uses it, while pins is not 0 */
    uint16_t seen;  /* the checker's; else 0 */
    uint64_t mfn;   /* what it was when the first use began */
};

/* A mapping of another domain's frame. */
struct maptrack {
    uint32_t ref;   /* free: the next free handle */
    uint16_t domid; /* the granter */
    uint16_t flags; /* GNTMAP_*; host_map and device_map say what is left; neither: not in use */
    uint64_t mfn;
};

#define MAP_KINDS        ((uint32_t)(GNTMAP_host_map | GNTMAP_device_map))
#define MAP_ENDING_SHIFT 8 /* the same bits, this much higher: a vcpu is about to end that kind */

struct grant_table {
    struct lock lock;    /* LOCK_GRANT: all fields but shared entries' contents */
    uint32_t nr_frames;  /* only grows while the domain lives */
    uint32_t nr_entries; /* in them */
    uint32_t nr_active;  /* entries with pins */
    struct grant_entry_v1 *shared[GRANT_FRAMES_MAX];
    struct grant_active *active[GRANT_FRAMES_MAX];
    uint32_t nr_handles; /* that exist, a multiple of MAPTRACK_PER_PAGE */
    uint32_t free_handle;
    uint32_t nr_mapped;
    uint32_t relinquish_at;
    struct maptrack *maptrack[MAPTRACK_PAGES];
};

static inline struct grant_entry_v1 *grant_shared(const struct grant_table *t, uint32_t ref)
{
    return &t->shared[ref / GRANTS_PER_FRAME][ref % GRANTS_PER_FRAME];
}

static inline struct grant_active *grant_active(const struct grant_table *t, uint32_t ref)
{
    return &t->active[ref / GRANTS_PER_FRAME][ref % GRANTS_PER_FRAME];
}

static inline struct maptrack *grant_handle(const struct grant_table *t, uint32_t handle)
{
    return &t->maptrack[handle / MAPTRACK_PER_PAGE][handle % MAPTRACK_PER_PAGE];
}

#define GRANT_ENTRY_TRIES 8 /* times that an entry may change under our hands */
#define grant_inline      static inline __attribute__((always_inline))

/* Flags and domain of an entry, as one word that is read and exchanged whole: the granter changes it at any
 * time. The frame number is read once, when the first use begins. */
grant_inline uint32_t *grant_header_word(struct grant_entry_v1 *entry)
{
    _Static_assert(offsetof(struct grant_entry_v1, flags) == 0, "flags are the low half of the word");
    _Static_assert(offsetof(struct grant_entry_v1, domid) == 2, "the domain is the high half");
    return (uint32_t *)(void *)entry;
}

/* What is looked at of an entry's flags: one for a part of a page (version 2 has them) may be copied, and not
 * be mapped. */
#define GRANT_TO_COPY ((uint32_t)GTF_type_mask)
#define GRANT_TO_MAP  ((uint32_t)(GTF_type_mask | GTF_sub_page))

/* Marks the entry as in use by `user`; kind: GRANT_TO_*. */
grant_inline int grant_mark(struct grant_entry_v1 *entry, const struct domain *user, bool writing,
                            uint32_t kind)
{
    uint32_t *word = grant_header_word(entry), old = __atomic_load_n(word, __ATOMIC_ACQUIRE);

    for (int i = 0; i < GRANT_ENTRY_TRIES; i++) {
        /* one comparison for what is offered, and to whom */
        if (unlikely((old & (kind | ~0xffffU)) != (GTF_permit_access | (uint32_t)user->domid << 16)))
            return refuse(GNTST_general_error, R_GRANT_NOT_FOR_YOU, old & 0xffff, old >> 16);
        if (unlikely(writing && (old & GTF_readonly)))
            return refuse(GNTST_general_error, R_GRANT_READ_ONLY, old & 0xffff, 0);
        if (likely(__atomic_compare_exchange_n(word, &old,
                                               old | GTF_reading | (writing ? (uint32_t)GTF_writing : 0),
                                               false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)))
            return GNTST_okay;
    }
    return refuse(GNTST_general_error, R_GRANT_UNSTABLE, old & 0xffff, old >> 16);
}

/* Takes the marks back that no pin is left for. */
grant_inline void grant_unmark(struct grant_entry_v1 *entry, uint32_t pins)
{
    uint16_t keep = pins ? (uint16_t)~GTF_writing : (uint16_t) ~(GTF_reading | GTF_writing);

    if (!(pins & PINS_WRITING))
        __atomic_and_fetch(&entry->flags, keep, __ATOMIC_SEQ_CST);
}

/* Not the granter's frame, or not one that may be used so: GNTST_bad_page or GNTST_general_error. */
int grant_frame_refused(struct domain *r, mfn_t mfn) __attribute__((cold));

/* The flags of a page-table entry of that pin's kind, and so what it holds of the frame, as mm/page_type.h
 * counts it. */
grant_inline uint64_t grant_leaf(uint32_t pin)
{
    return PTE_P | (pin & PINS_WRITING ? PTE_RW : 0);
}

/* A reference to r's frame, a writable one for a writing pin. 0 or a negative GNTST_*. Domain 0's device
 * frames are leaves like any other, but no memory to give or to copy. */
grant_inline int __must_check grant_get_frame(struct domain *r, mfn_t mfn, uint32_t pin)
{
    if (unlikely(mfn.v >= max_mfn) || unlikely(frame_of(mfn)->owner != owner_of(r)))
        return grant_frame_refused(r, mfn);
    if (unlikely(get_leaf_of(frame_of(mfn), r, r, owner_of(r), grant_leaf(pin), true)))
        return grant_frame_refused(r, mfn);
    return GNTST_okay;
}

grant_inline void grant_put_frame(mfn_t mfn, uint32_t pin)
{
    put_leaf_of(frame_of(mfn), grant_leaf(pin), true);
}

/* One use more of what has some. The lock is held. */
int grant_pin_again(struct domain *r, const struct domain *user, uint32_t ref, uint32_t pin, uint32_t kind,
                    mfn_t *mfn) __must_check __attribute__((cold));

grant_inline int grant_pin_locked(struct domain *r, struct grant_table *t, const struct domain *user,
                                  uint32_t ref, uint32_t pin, uint32_t kind, mfn_t *mfn)
{
    struct grant_entry_v1 *entry;
    struct grant_active *act;
    int rc;

    if (unlikely(ref >= t->nr_entries))
        return refuse(GNTST_bad_gntref, R_GRANT_REF_RANGE, ref, r->domid);
    if (unlikely(r->dying))
        return refuse(GNTST_general_error, R_GRANT_DYING, ref, r->domid);
    act = grant_active(t, ref);
    if (unlikely(act->pins)) {
        mfn_t again;

        rc = grant_pin_again(r, user, ref, pin, kind, &again);
        if (!rc)
            *mfn = again;
        return rc;
    }
    entry = grant_shared(t, ref);
    rc = grant_mark(entry, user, pin & PINS_WRITING, kind);
    if (unlikely(rc))
        return rc;
    *mfn = MFN(READ_ONCE(entry->frame));
    rc = grant_get_frame(r, *mfn, pin);
    if (unlikely(rc)) {
        grant_unmark(entry, 0);
        return rc;
    }
    act->domid = user->domid;
    act->mfn = mfn->v;
    act->pins = pin;
    t->nr_active++;
    return GNTST_okay;
}

/*
 * Begins a use of r's grant `ref` by domain `user`: checks the entry, counts `pin` (one of PIN_*), and takes
 * a reference to the frame (a writable one for a writing pin). GNTST_okay and *mfn, or a negative GNTST_*.
 */
grant_inline int __must_check grant_pin(struct domain *r, const struct domain *user, uint32_t ref,
                                        uint32_t pin, uint32_t kind, mfn_t *mfn)
{
    struct grant_table *t = r->grant;
    int rc;

    lock_take(&t->lock);
    rc = grant_pin_locked(r, t, user, ref, pin, kind, mfn);
    lock_drop(&t->lock);
    return rc;
}

/* Ends it; the frame's reference is the caller's to drop. */
grant_inline void grant_unpin(struct domain *r, uint32_t ref, uint32_t pin)
{
    struct grant_table *t = r->grant;
    struct grant_active *act;

    lock_take(&t->lock);
    act = grant_active(t, ref);
    act->pins -= pin;
    if (likely(!act->pins)) {
        t->nr_active--;
        grant_unmark(grant_shared(t, ref), 0);
    } else {
        grant_unmark(grant_shared(t, ref), act->pins);
    }
    lock_drop(&t->lock);
}

/* Ends it, and drops the reference. */
grant_inline void grant_release(struct domain *r, uint32_t ref, uint32_t pin, mfn_t mfn)
{
    grant_put_frame(mfn, pin);
    grant_unpin(r, ref, pin);
}
