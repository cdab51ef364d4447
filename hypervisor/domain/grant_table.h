/* SPDX-License-Identifier: MIT
 *
 * Inside the grant code: a domain's table. What is done with its entries: grant_pin.h.
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
    uint16_t pad;
    uint64_t mfn; /* what it was when the first use began */
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

/* A page of handles more, all free; the lock is held. 0, -ENOSPC or -ENOMEM. */
int grant_more_handles(struct domain *d) __must_check __attribute__((cold));

/* A handle whose mapping is still empty, or NO_HANDLE. */
static inline uint32_t __must_check grant_handle_alloc(struct domain *d)
{
    struct grant_table *t = d->grant;
    uint32_t handle = NO_HANDLE;

    lock_take(&t->lock);
    if (likely(t->free_handle != NO_HANDLE) || !grant_more_handles(d)) {
        handle = t->free_handle;
        t->free_handle = grant_handle(t, handle)->ref;
        t->nr_mapped++;
    }
    lock_drop(&t->lock);
    return handle;
}

/* Back; the lock is held. */
static inline void grant_handle_free_locked(struct grant_table *t, uint32_t handle)
{
    struct maptrack *map = grant_handle(t, handle);

    map->flags = 0;
    map->ref = t->free_handle;
    t->free_handle = handle;
    t->nr_mapped--;
}

#endif
