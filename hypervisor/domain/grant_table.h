/* SPDX-License-Identifier: MIT
 *
 * Inside the grant code: a domain's table, and the two steps that everything is made of, pin and unpin.
 *
 * As granter a domain has entries: what its guest wrote (shared, changed by the guest at any time) and what
 * is in use now (active). As user of others' grants it has mappings, named by handles.
 *
 *   active.pins, 8 bits each     host maps, read-only | host writable | device read-only | device writable
 *
 * The flags GTF_reading and GTF_writing in the shared entry follow the pins, and are what the granter tests
 * and clears by one exchange to take a grant back.
 */
#ifndef DOMAIN_GRANT_TABLE_H
#define DOMAIN_GRANT_TABLE_H

#include "domain/domain.h"
#include "domain/grant.h"

#define GRANT_FRAMES_MAX  64
#define GRANTS_PER_FRAME  (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define ACTIVE_PAGE_ORDER 1
#define MAPTRACK_PAGES    128
#define MAPTRACK_PER_PAGE 512
#define NO_HANDLE         (~0U)

#define PIN_HOST_RO       0x00000001U
#define PIN_HOST_RW       0x00000100U
#define PIN_DEV_RO        0x00010000U
#define PIN_DEV_RW        0x01000000U
#define PINS_WRITING      0xff00ff00U
#define PINS_FULL         0x80808080U /* a count with its top bit set takes no more */

struct grant_active {
    uint32_t pins;
    uint16_t domid; /* who uses it, while pins is not 0 */
    uint16_t pad;
    uint64_t mfn; /* what it was when the first use began */
};

/* A mapping of another domain's frame. */
struct maptrack {
    uint32_t ref;   /* free: the next free handle */
    uint16_t domid; /* the granter */
    uint16_t flags; /* GNTMAP_*; host_map and device_map say what is left; neither: not in use */
};

#define MAP_KINDS (GNTMAP_host_map | GNTMAP_device_map)

struct grant_table {
    struct lock lock;   /* LOCK_GRANT: all fields but shared entries' contents */
    uint32_t nr_frames; /* only grows while the domain lives */
    uint32_t nr_active; /* entries with pins */
    struct grant_entry_v1 *shared[GRANT_FRAMES_MAX];
    struct grant_active *active[GRANT_FRAMES_MAX];
    uint32_t nr_handles; /* that exist, a multiple of MAPTRACK_PER_PAGE */
    uint32_t free_handle;
    uint32_t nr_mapped;
    uint32_t relinquish_at;
    struct maptrack *maptrack[MAPTRACK_PAGES];
};

static inline uint32_t grant_nr_entries(const struct grant_table *t)
{
    return t->nr_frames * (uint32_t)GRANTS_PER_FRAME;
}

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

/*
 * Begins a use of r's grant `ref` by domain `user`: checks the entry, counts `pin` (one of PIN_*), and takes
 * a reference to the frame (a writable one for a writing pin). GNTST_okay and *mfn, or a negative GNTST_*.
 */
int grant_pin(struct domain *r, uint16_t user, uint32_t ref, uint32_t pin, mfn_t *mfn) __must_check;
/* Ends it; the frame's reference is the caller's to drop. */
void grant_unpin(struct domain *r, uint32_t ref, uint32_t pin);
/* Drops a reference that grant_pin took. */
void grant_put_frame(mfn_t mfn, uint32_t pin);
/* References as grant_pin takes them, for another pin of the same frame. 0 or negative GNTST_*. */
int grant_get_frame(struct domain *r, mfn_t mfn, uint32_t pin) __must_check;

/* A handle whose mapping is still empty, or NO_HANDLE; and back. */
uint32_t grant_handle_alloc(struct domain *d) __must_check;
void grant_handle_free(struct domain *d, uint32_t handle);

#endif
