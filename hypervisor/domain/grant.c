/* SPDX-License-Identifier: MIT
 *
 * Grant tables: the table itself, beginning and ending a use of an entry, and the end of a domain.
 *
 * The invariant: while an entry has pins, its frame belongs to the granter and GTF_reading (GTF_writing, if a
 * pin writes) stands in the shared entry; each pin comes with a reference of its own to the frame. A domain's
 * table outlives the last pin of others.
 *
 * The granter changes the shared entry at any time: flags and domain are read together in one word, and
 * changed by compare-and-exchange with what was read; the frame number is read once, when the first use
 * begins.
 *
 * Next: grant_map.c, grant_copy.c, grant_transfer.c.
 */
#include "domain/grant_table.h"
#include "lib/print.h"
#include "lib/string.h"

#define ENTRY_TRIES       8   /* times that an entry may change under our hands */
#define RELINQUISH_A_STEP 128 /* handles */
#define DUMP_MAX          64  /* lines */

static int __must_check grow_locked(struct domain *d)
{
    struct grant_table *t = d->grant;
    struct grant_entry_v1 *shared = shared_page_alloc(d);
    struct grant_active *active = pages_alloc(ACTIVE_PAGE_ORDER);

    _Static_assert(sizeof(struct grant_active) * GRANTS_PER_FRAME == PAGE_SIZE << ACTIVE_PAGE_ORDER, "");
    if (!shared || !active) {
        if (shared)
            shared_page_free(shared);
        if (active)
            pages_free(active, ACTIVE_PAGE_ORDER);
        return -ENOMEM;
    }
    t->shared[t->nr_frames] = shared;
    t->active[t->nr_frames] = active;
    t->nr_frames++;
    __atomic_add_fetch(&d->heap_pages, 1u << ACTIVE_PAGE_ORDER, __ATOMIC_RELAXED);
    return 0;
}

int grant_init(struct domain *d)
{
    _Static_assert(sizeof(struct grant_table) <= PAGE_SIZE, "a page holds it");
    d->grant = page_alloc();
    if (!d->grant)
        return -ENOMEM;
    lock_init(&d->grant->lock, LOCK_GRANT);
    d->grant->free_handle = NO_HANDLE;
    return grow_locked(d);
}

void grant_destroy(struct domain *d)
{
    struct grant_table *t = d->grant;

    for (unsigned int i = 0; i < t->nr_frames; i++) {
        shared_page_free(t->shared[i]);
        pages_free(t->active[i], ACTIVE_PAGE_ORDER);
    }
    for (unsigned int i = 0; i < t->nr_handles / MAPTRACK_PER_PAGE; i++)
        page_free(t->maptrack[i]);
    page_free(t);
    d->grant = NULL;
}

int grant_setup(struct domain *d, uint32_t nr_frames)
{
    struct grant_table *t = d->grant;
    int rc = 0;

    if (nr_frames > GRANT_FRAMES_MAX)
        return refuse(GNTST_general_error, R_GRANT_TOO_MANY_FRAMES, nr_frames, GRANT_FRAMES_MAX);
    lock_take(&t->lock);
    while (t->nr_frames < nr_frames && !rc)
        rc = grow_locked(d);
    lock_drop(&t->lock);
    return rc ? refuse(GNTST_general_error, R_GRANT_NO_MEMORY, nr_frames, 0) : GNTST_okay;
}

mfn_t grant_frame(struct domain *d, uint32_t i)
{
    return virt_to_mfn(d->grant->shared[i]);
}

void grant_size(struct domain *d, uint32_t *nr_frames, uint32_t *max_frames)
{
    *nr_frames = d->grant->nr_frames;
    *max_frames = GRANT_FRAMES_MAX;
}

void grant_fill(struct domain *d, uint32_t ref, uint16_t to, uint64_t gmfn)
{
    *grant_shared(d->grant, ref) =
        (struct grant_entry_v1){ .flags = GTF_permit_access, .domid = to, .frame = (uint32_t)gmfn };
}

/* Flags and domain of an entry, as one word that is read and exchanged whole. */
static uint32_t *header_word(struct grant_entry_v1 *entry)
{
    _Static_assert(offsetof(struct grant_entry_v1, flags) == 0, "flags are the low half of the word");
    _Static_assert(offsetof(struct grant_entry_v1, domid) == 2, "the domain is the high half");
    return (uint32_t *)(void *)entry;
}

/* Marks the entry as in use by `user`. */
static int mark_entry(struct grant_entry_v1 *entry, uint16_t user, bool writing)
{
    uint32_t *word = header_word(entry), old = __atomic_load_n(word, __ATOMIC_ACQUIRE);

    for (int i = 0; i < ENTRY_TRIES; i++) {
        if (unlikely((old & GTF_type_mask) != GTF_permit_access) || unlikely(old >> 16 != user))
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
static void unmark_entry(struct grant_entry_v1 *entry, uint32_t pins)
{
    uint16_t keep = pins ? (uint16_t)~GTF_writing : (uint16_t) ~(GTF_reading | GTF_writing);

    if (!(pins & PINS_WRITING))
        __atomic_and_fetch(&entry->flags, keep, __ATOMIC_SEQ_CST);
}

int grant_get_frame(struct domain *r, mfn_t mfn, uint32_t pin)
{
    int rc;

    if (unlikely(!mfn_valid(mfn)))
        return refuse(GNTST_bad_page, R_GRANT_BAD_FRAME, mfn.v, r->domid);
    if (pin & PINS_WRITING)
        rc = get_frame_type(r, mfn, FT_WRITABLE);
    else
        rc = get_frame(r, mfn) ? 0 : -EPERM;
    if (likely(!rc))
        return GNTST_okay;
    return refuse(rc == -EPERM ? GNTST_bad_page : GNTST_general_error, R_GRANT_BAD_FRAME, mfn.v, r->domid);
}

void grant_put_frame(mfn_t mfn, uint32_t pin)
{
    if (pin & PINS_WRITING)
        put_frame_type(mfn);
    else
        put_frame(mfn);
}

static int pin_locked(struct domain *r, uint16_t user, uint32_t ref, uint32_t pin, mfn_t *mfn)
{
    struct grant_table *t = r->grant;
    struct grant_entry_v1 *entry;
    struct grant_active *act;
    bool writing = pin & PINS_WRITING;
    int rc;

    if (unlikely(ref >= grant_nr_entries(t)))
        return refuse(GNTST_bad_gntref, R_GRANT_REF_RANGE, ref, r->domid);
    if (unlikely(r->dying))
        return refuse(GNTST_general_error, R_GRANT_DYING, ref, r->domid);
    act = grant_active(t, ref);
    entry = grant_shared(t, ref);
    if (unlikely(act->pins && (act->domid != user || (act->pins & PINS_FULL))))
        return refuse(GNTST_general_error, R_GRANT_BUSY, ref, act->domid);
    if (!act->pins || (writing && !(act->pins & PINS_WRITING))) {
        rc = mark_entry(entry, user, writing);
        if (rc)
            return rc;
    }
    *mfn = MFN(act->pins ? act->mfn : READ_ONCE(entry->frame));
    rc = grant_get_frame(r, *mfn, pin);
    if (unlikely(rc)) {
        unmark_entry(entry, act->pins);
        return rc;
    }
    if (!act->pins) {
        act->domid = user;
        act->mfn = mfn->v;
        t->nr_active++;
    }
    act->pins += pin;
    return GNTST_okay;
}

int grant_pin(struct domain *r, uint16_t user, uint32_t ref, uint32_t pin, mfn_t *mfn)
{
    int rc;

    lock_take(&r->grant->lock);
    rc = pin_locked(r, user, ref, pin, mfn);
    lock_drop(&r->grant->lock);
    return rc;
}

void grant_unpin(struct domain *r, uint32_t ref, uint32_t pin)
{
    struct grant_table *t = r->grant;
    struct grant_active *act;

    lock_take(&t->lock);
    act = grant_active(t, ref);
    act->pins -= pin;
    if (!act->pins)
        t->nr_active--;
    unmark_entry(grant_shared(t, ref), act->pins);
    lock_drop(&t->lock);
}

/* A page of handles more, all free. */
static int __must_check more_handles_locked(struct domain *d)
{
    struct grant_table *t = d->grant;
    struct maptrack *page;
    uint32_t first = t->nr_handles;

    if (first == MAPTRACK_PAGES * MAPTRACK_PER_PAGE)
        return -ENOSPC;
    page = page_alloc();
    if (!page)
        return -ENOMEM;
    for (uint32_t i = 0; i < MAPTRACK_PER_PAGE; i++)
        page[i].ref = i + 1 < MAPTRACK_PER_PAGE ? first + i + 1 : t->free_handle;
    t->maptrack[first / MAPTRACK_PER_PAGE] = page;
    t->free_handle = first;
    t->nr_handles += MAPTRACK_PER_PAGE;
    __atomic_add_fetch(&d->heap_pages, 1, __ATOMIC_RELAXED);
    return 0;
}

uint32_t grant_handle_alloc(struct domain *d)
{
    struct grant_table *t = d->grant;
    uint32_t handle = NO_HANDLE;

    lock_take(&t->lock);
    if (likely(t->free_handle != NO_HANDLE) || !more_handles_locked(d)) {
        handle = t->free_handle;
        t->free_handle = grant_handle(t, handle)->ref;
        t->nr_mapped++;
    }
    lock_drop(&t->lock);
    return handle;
}

void grant_handle_free(struct domain *d, uint32_t handle)
{
    struct grant_table *t = d->grant;

    lock_take(&t->lock);
    *grant_handle(t, handle) = (struct maptrack){ .ref = t->free_handle };
    t->free_handle = handle;
    t->nr_mapped--;
    lock_drop(&t->lock);
}

int grant_swap(struct domain *d, uint32_t a, uint32_t b)
{
    struct grant_table *t = d->grant;
    int rc = GNTST_okay;

    lock_take(&t->lock);
    if (a >= grant_nr_entries(t) || b >= grant_nr_entries(t)) {
        rc = refuse(GNTST_bad_gntref, R_GRANT_REF_RANGE, a >= grant_nr_entries(t) ? a : b, d->domid);
    } else if (a != b && (grant_active(t, a)->pins || grant_active(t, b)->pins)) {
        rc = refuse(GNTST_eagain, R_GRANT_IN_USE, a, b);
    } else {
        struct grant_entry_v1 entry = *grant_shared(t, a);

        *grant_shared(t, a) = *grant_shared(t, b);
        *grant_shared(t, b) = entry;
    }
    lock_drop(&t->lock);
    return rc;
}

/* d's page tables are gone, and with them what its mappings held of the frames. */
static void forget_mapping(struct domain *d, uint32_t handle)
{
    struct maptrack map = *grant_handle(d->grant, handle);
    bool ro = map.flags & GNTMAP_readonly;
    struct domain *r = get_domain(map.domid); /* never gone: it waits for this pin */

    ASSERT(r);
    if (map.flags & GNTMAP_device_map) {
        mfn_t mfn = MFN(grant_active(r->grant, map.ref)->mfn);
        uint32_t pin = ro ? PIN_DEV_RO : PIN_DEV_RW;

        grant_put_frame(mfn, pin);
        grant_unpin(r, map.ref, pin);
    }
    if (map.flags & GNTMAP_host_map)
        grant_unpin(r, map.ref, ro ? PIN_HOST_RO : PIN_HOST_RW);
    put_domain(r);
    grant_handle_free(d, handle);
}

int grant_relinquish(struct domain *d)
{
    struct grant_table *t = d->grant;

    for (unsigned int n = 0; t->relinquish_at < t->nr_handles; t->relinquish_at++, n++) {
        if (n == RELINQUISH_A_STEP)
            return -ERESTART;
        if (grant_handle(t, t->relinquish_at)->flags & MAP_KINDS)
            forget_mapping(d, t->relinquish_at);
    }
    return 0;
}

bool grant_idle(struct domain *d)
{
    struct grant_table *t = d->grant;

    if (t->nr_active)
        return false;
    for (unsigned int i = 0; i < t->nr_frames; i++)
        if (!shared_page_idle(t->shared[i]))
            return false;
    return true;
}

uint32_t grant_nr_mapped(struct domain *d)
{
    return d->grant->nr_mapped;
}

void grant_dump(struct domain *d)
{
    struct grant_table *t = d->grant;
    unsigned int lines = 0;

    say("  d%u: %u frames of grants, %u in use by others; maps %u\n", d->domid, t->nr_frames, t->nr_active,
        t->nr_mapped);
    for (uint32_t ref = 0; ref < grant_nr_entries(t) && lines < DUMP_MAX; ref++) {
        const struct grant_active *act = grant_active(t, ref);

        if (!act->pins)
            continue;
        say("    %u: frame 0x%lx for d%u, host %u read-only %u writable, device %u read-only %u writable\n",
            ref, act->mfn, act->domid, act->pins & 0xff, act->pins >> 8 & 0xff, act->pins >> 16 & 0xff,
            act->pins >> 24);
        lines++;
    }
}
