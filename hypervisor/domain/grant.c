/* SPDX-License-Identifier: MIT
 *
 * Grant tables: their frames and handles, and the end of a domain. A domain's table outlives the last pin of
 * others.
 *
 * Next: grant_map.c, grant_copy.c, grant_transfer.c.
 */
#include "domain/grant_table.h"
#include "lib/print.h"
#include "x86/cpu.h"

#define DUMP_MAX 64 /* lines */

static int __must_check grow_locked(struct domain *d)
{
    struct grant_table *t = d->grant;
    struct grant_entry_v1 *shared = shared_page_alloc(d);
    struct grant_active *active;

    _Static_assert(sizeof(struct grant_active) * GRANTS_PER_FRAME == PAGE_SIZE << ACTIVE_PAGE_ORDER, "");
    if (!shared)
        return -ENOMEM;
    active = pages_alloc(ACTIVE_PAGE_ORDER);
    if (!active) {
        shared_page_free(shared);
        return -ENOMEM;
    }
    t->shared[t->nr_frames] = shared;
    t->active[t->nr_frames] = active;
    t->nr_frames++;
    t->nr_entries += (uint32_t)GRANTS_PER_FRAME;
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
        cpu_window();
    }
    for (unsigned int i = 0; i < t->nr_handles / MAPTRACK_PER_PAGE; i++) {
        page_free(t->maptrack[i]);
        cpu_window();
    }
    page_free(t);
    d->grant = NULL;
}

int grant_setup(struct domain *d, uint32_t nr_frames)
{
    struct grant_table *t = d->grant;
    int rc = 0;

    if (nr_frames > GRANT_FRAMES_MAX)
        return refuse(GNTST_general_error, R_GRANT_TOO_MANY_FRAMES, nr_frames, GRANT_FRAMES_MAX);
    for (bool more = true; more && !rc; cpu_window()) {
        lock_take(&t->lock);
        more = t->nr_frames < nr_frames;
        if (more)
            rc = grow_locked(d);
        lock_drop(&t->lock);
    }
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

int grant_frame_refused(struct domain *r, mfn_t mfn)
{
    bool foreign = !mfn_valid(mfn) || frame_of(mfn)->owner != owner_of(r);

    return refuse(foreign ? GNTST_bad_page : GNTST_general_error, R_GRANT_BAD_FRAME, mfn.v, r->domid);
}

int grant_pin_again(struct domain *r, const struct domain *user, uint32_t ref, uint32_t pin, uint32_t kind,
                    mfn_t *mfn)
{
    struct grant_active *act = grant_active(r->grant, ref);
    struct grant_entry_v1 *entry = grant_shared(r->grant, ref);
    const uint32_t pins = act->pins;
    int rc = GNTST_okay;

    if (act->domid != user->domid || (pins & pin << PIN_FULL_SHIFT))
        return refuse(GNTST_general_error, R_GRANT_BUSY, ref, act->domid);
    if (pin & PINS_WRITING && !(pins & PINS_WRITING))
        rc = grant_mark(entry, user, true, kind);
    if (rc)
        return rc;
    *mfn = MFN(act->mfn);
    rc = grant_get_frame(r, *mfn, pin);
    if (!rc) {
        act->pins = pins + pin;
        return GNTST_okay;
    }
    grant_unmark(entry, pins);
    return rc == GNTST_bad_page ? refuse_as(GNTST_bad_domain)
                                : rc; /* the guest unmapped it, and gave it back */
}

int grant_swap(struct domain *d, uint32_t a, uint32_t b)
{
    struct grant_table *t = d->grant;
    int rc = GNTST_okay;

    lock_take(&t->lock);
    if (a >= t->nr_entries || b >= t->nr_entries) {
        rc = refuse(GNTST_bad_gntref, R_GRANT_REF_RANGE, a >= t->nr_entries ? a : b, d->domid);
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

bool grant_idle(struct domain *d)
{
    struct grant_table *t = d->grant;
    uint32_t active;

    lock_take(&t->lock); /* who ended the last use is out of it */
    active = t->nr_active;
    lock_drop(&t->lock);
    if (active)
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

    say("  d%u: frames of grants: %u, in use by others: %u, maps: %u\n", d->domid, t->nr_frames, t->nr_active,
        t->nr_mapped);
    for (uint32_t ref = 0; ref < t->nr_entries && lines < DUMP_MAX; ref++) {
        const struct grant_active *act = grant_active(t, ref);

        if (!act->pins)
            continue;
        say("    %u: frame 0x%lx for d%u, host %u read-only %u writable, device %u read-only %u writable\n",
            ref, act->mfn, act->domid, act->pins & 0xff, act->pins >> 8 & 0xff, act->pins >> 16 & 0xff,
            act->pins >> 24);
        lines++;
    }
}
