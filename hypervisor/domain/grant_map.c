/* SPDX-License-Identifier: MIT
 *
 * Mapping granted frames, and ending it.
 *
 * A mapping is a pin of the granter's entry for each kind (host, device) with a reference to the frame: the
 * host map's reference belongs to the page-table entry, the device map's to the handle. Unmapping goes the
 * way back: entry, flush, reference, pin. The handle says what there is to unmap, so the caller's word is not
 * taken for anything but where.
 */
#include "domain/grant_batch.h"
#include "domain/grant_table.h"
#include "mm/paging.h"

#define RELINQUISH_A_STEP 64 /* handles */
#define AVAIL_LOW         7U /* flags from _GNTMAP_guest_avail0 on: the entry's bits that are free for the guest */

/* The L1 entry for a mapping with these flags. */
static uint64_t entry_for(mfn_t mfn, uint32_t flags)
{
    uint64_t entry = mfn_to_maddr(mfn) | PTE_NX | PTE_D | PTE_A | PTE_P;

    if (!(flags & GNTMAP_readonly))
        entry |= PTE_RW;
    if (unlikely(flags & GNTMAP_application_map))
        entry |= PTE_US;
    return entry | (uint64_t)(flags >> _GNTMAP_guest_avail0 & AVAIL_LOW) << PTE_AVAIL_SHIFT;
}

static uint32_t device_pin(uint32_t flags)
{
    return flags & GNTMAP_readonly ? PIN_DEV_RO : PIN_DEV_RW;
}

static __attribute__((cold, noinline)) void unmap_device(struct domain *r, uint32_t ref, uint32_t flags,
                                                         mfn_t mfn)
{
    grant_release(r, ref, device_pin(flags), mfn);
}

/* pin: PIN_HOST_RO or PIN_HOST_RW, a constant. */
grant_inline int map_host(struct vcpu *v, struct domain *r, const struct gnttab_map_grant_ref *op,
                          uint32_t pin, mfn_t *mfn)
{
    int rc = grant_pin(r, v->domain, op->ref, pin, GRANT_TO_MAP, mfn);

    if (unlikely(rc))
        return rc;
    rc = paging_map_grant(v, op->host_addr, entry_for(*mfn, op->flags), op->flags & GNTMAP_contains_pte);
    if (likely(!rc))
        return GNTST_okay;
    grant_release(r, op->ref, pin, *mfn);
    return rc;
}

grant_inline int map_host_as(struct vcpu *v, struct domain *r, const struct gnttab_map_grant_ref *op,
                             mfn_t *mfn)
{
    return op->flags & GNTMAP_readonly ? map_host(v, r, op, PIN_HOST_RO, mfn)
                                       : map_host(v, r, op, PIN_HOST_RW, mfn);
}

/* A second kind beside the host map, for who gives the frame to a device: both that op asks for, or none.
 * Rare, so out of line. */
static __attribute__((cold, noinline)) int map_device(struct vcpu *v, struct domain *r,
                                                      struct gnttab_map_grant_ref op, mfn_t *mfn)
{
    int rc = grant_pin(r, v->domain, op.ref, device_pin(op.flags), GRANT_TO_MAP, mfn);

    if (rc || !(op.flags & GNTMAP_host_map))
        return rc;
    rc = map_host_as(v, r, &op, mfn);
    if (rc)
        unmap_device(r, op.ref, op.flags, *mfn);
    return rc;
}

/* A page of handles more, all free; the lock is held. */
static __attribute__((cold, noinline)) bool more_handles(struct domain *d)
{
    struct grant_table *t = d->grant;
    uint32_t first = t->nr_handles;
    struct maptrack *page = first < MAPTRACK_PAGES * MAPTRACK_PER_PAGE ? page_alloc() : NULL;

    if (!page)
        return false;
    for (uint32_t i = 0; i < MAPTRACK_PER_PAGE; i++)
        page[i].ref = i + 1 < MAPTRACK_PER_PAGE ? first + i + 1 : t->free_handle;
    t->maptrack[first / MAPTRACK_PER_PAGE] = page;
    t->free_handle = first;
    t->nr_handles += MAPTRACK_PER_PAGE;
    __atomic_add_fetch(&d->heap_pages, 1, __ATOMIC_RELAXED);
    return true;
}

/* A handle whose mapping is still empty, or NULL. */
static inline struct maptrack *new_handle(struct domain *d, uint32_t *handle)
{
    struct grant_table *t = d->grant;
    struct maptrack *map = NULL;

    lock_take(&t->lock);
    if (likely(t->free_handle != NO_HANDLE) || more_handles(d)) {
        *handle = t->free_handle;
        map = grant_handle(t, *handle);
        t->free_handle = map->ref;
        t->nr_mapped++;
    }
    lock_drop(&t->lock);
    return map;
}

/* The end of what was claimed of a handle; left: kinds that stay after all. It is free when nothing is left,
 * by others who end another kind either. */
static inline void settle(struct grant_table *t, struct maptrack *map, uint32_t handle, uint32_t claimed,
                          uint32_t left)
{
    lock_take(&t->lock);
    map->flags = (uint16_t)((map->flags & ~(claimed << MAP_ENDING_SHIFT)) | left);
    if (likely(!(map->flags & (MAP_KINDS | MAP_KINDS << MAP_ENDING_SHIFT)))) {
        map->flags = 0;
        map->ref = t->free_handle;
        t->free_handle = handle;
        t->nr_mapped--;
    }
    lock_drop(&t->lock);
}

grant_inline int map_one(struct vcpu *v, void *arg)
{
    struct gnttab_map_grant_ref *op = arg;
    const bool device = unlikely((op->flags & MAP_KINDS) != GNTMAP_host_map);
    struct maptrack *map;
    struct domain *r;
    uint32_t handle;
    mfn_t mfn = INVALID_MFN, with;
    int rc;

    if (device && !(op->flags & MAP_KINDS))
        return refuse(GNTST_bad_gntref, R_GRANT_NO_KIND, op->flags, 0);
    r = find_domain(op->dom); /* from grant_pin() on the pin keeps it */
    if (unlikely(!r))
        return refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, op->dom, 0);
    map = new_handle(v->domain, &handle);
    if (unlikely(!map))
        return refuse(GNTST_no_space, R_GRANT_NO_HANDLES, MAPTRACK_PAGES * MAPTRACK_PER_PAGE, 0);
    if (device)
        rc = map_device(v, r, *op, &with), mfn = with;
    else
        rc = map_host_as(v, r, op, &mfn);
    if (unlikely(rc)) {
        settle(v->domain->grant, map, handle, 0, 0);
        return rc == GNTST_bad_domain ? refuse_as(GNTST_general_error) : rc; /* grant_pin(), of a copy's */
    }
    map->ref = op->ref;
    map->domid = op->dom;
    map->mfn = mfn.v;
    /* Now it can be unmapped. MAP_ENDING is no guest's to say. */
    __atomic_store_n(&map->flags, (uint8_t)op->flags, __ATOMIC_RELEASE);
    op->dev_bus_addr = mfn_to_maddr(mfn);
    op->handle = handle;
    return GNTST_okay;
}

long grant_map(struct vcpu *v, uint64_t guest, uint32_t count)
{
    return GRANT_BATCH(v, GNTTABOP_map_grant_ref, gnttab_map_grant_ref, map_one);
}

/* Takes the kinds out of the handle that the caller wants to end, so that nobody else ends them too; *kinds:
 * those of them that were there; *flags: as they were. While there are some the handle stays. NULL: it is not
 * in use. */
static inline struct maptrack *claim(struct grant_table *t, uint32_t handle, uint32_t *kinds, uint32_t *flags)
{
    struct maptrack *map;

    if (unlikely(handle >= READ_ONCE(t->nr_handles)))
        return NULL;
    lock_take(&t->lock);
    map = grant_handle(t, handle);
    /* grant_map() writes without the lock, the flags last: nothing else counts before them. */
    *flags = __atomic_load_n(&map->flags, __ATOMIC_ACQUIRE);
    if (likely(*flags & MAP_KINDS)) {
        *kinds &= *flags;
        map->flags = (uint16_t)((*flags & ~*kinds) | *kinds << MAP_ENDING_SHIFT);
    } else {
        map = NULL;
    }
    lock_drop(&t->lock);
    return map;
}

/* pin: PIN_HOST_RO or PIN_HOST_RW, a constant. */
grant_inline int unmap_host(struct vcpu *v, struct domain *r, uint64_t host_addr, uint64_t new_addr,
                            const struct maptrack *map, uint32_t flags, uint32_t pin)
{
    uint64_t entry = mfn_to_maddr(MFN(map->mfn)) | grant_leaf(pin);
    bool by_pte = flags & GNTMAP_contains_pte;
    struct domain *d = v->domain;
    int rc;

    if (unlikely(new_addr)) {
        if (by_pte)
            return refuse(GNTST_general_error, R_GRANT_REPLACE_PTE, host_addr, 0);
        rc = paging_replace_grant(v, host_addr, entry, new_addr);
        if (!rc)
            d->paging->flush(d, new_addr);
    } else {
        rc = paging_unmap_grant(v, host_addr, entry, by_pte);
    }
    if (unlikely(rc))
        return rc;
    d->paging->flush(d, by_pte ? ~0ULL : host_addr);
    grant_release(r, map->ref, pin, MFN(map->mfn));
    return GNTST_okay;
}

/* kinds: what the addresses say. */
grant_inline int unmap(struct vcpu *v, uint64_t host_addr, uint64_t dev_bus_addr, uint64_t new_addr,
                       uint32_t handle, uint32_t kinds)
{
    struct grant_table *t = v->domain->grant;
    int rc = GNTST_okay;
    struct maptrack *map;
    uint32_t flags, left;
    struct domain *r;

    map = claim(t, handle, &kinds, &flags);
    if (unlikely(!map))
        return refuse(GNTST_bad_handle, R_GRANT_BAD_HANDLE, handle, 0);
    if (unlikely(!kinds)) /* others may have freed it meanwhile, and it is somebody's again */
        return GNTST_okay;
    left = kinds;
    r = domains.by_id[map->domid]; /* it stays, and its table does, while our pin is there */
    if (unlikely((kinds & GNTMAP_device_map) && dev_bus_addr != map->mfn << PAGE_SHIFT))
        rc = refuse(GNTST_bad_dev_addr, R_GRANT_BAD_DEVICE_ADDRESS, dev_bus_addr, map->mfn);
    if (likely(!rc && (kinds & GNTMAP_host_map))) {
        rc = flags & GNTMAP_readonly ? unmap_host(v, r, host_addr, new_addr, map, flags, PIN_HOST_RO)
                                     : unmap_host(v, r, host_addr, new_addr, map, flags, PIN_HOST_RW);
        if (likely(!rc))
            left &= ~(uint32_t)GNTMAP_host_map;
    }
    if (!rc && unlikely(kinds & GNTMAP_device_map)) {
        unmap_device(r, map->ref, flags, MFN(map->mfn));
        left &= ~(uint32_t)GNTMAP_device_map;
    }
    settle(t, map, handle, kinds, left);
    return rc;
}

int grant_unmap(struct vcpu *v, uint64_t host_addr, uint64_t dev_bus_addr, uint64_t new_addr, uint32_t handle)
{
    return unmap(v, host_addr, dev_bus_addr, new_addr, handle,
                 (host_addr ? GNTMAP_host_map : 0U) | (dev_bus_addr ? GNTMAP_device_map : 0U));
}

grant_inline int unmap_one(struct vcpu *v, void *arg)
{
    const struct gnttab_unmap_grant_ref *op = arg;

    return likely(op->host_addr && !op->dev_bus_addr)
               ? unmap(v, op->host_addr, 0, 0, op->handle, GNTMAP_host_map)
               : grant_unmap(v, op->host_addr, op->dev_bus_addr, 0, op->handle);
}

long grant_unmap_batch(struct vcpu *v, uint64_t guest, uint32_t count)
{
    return GRANT_BATCH(v, GNTTABOP_unmap_grant_ref, gnttab_unmap_grant_ref, unmap_one);
}

/* d's page tables are gone, and with them what its mappings held of the frames. */
static void forget_mapping(struct domain *d, uint32_t handle)
{
    uint32_t kinds = MAP_KINDS, flags = 0;
    struct maptrack *map = claim(d->grant, handle, &kinds, &flags);
    struct domain *r = domains.by_id[map->domid]; /* never gone: it waits for this pin */

    if (kinds & GNTMAP_device_map)
        unmap_device(r, map->ref, flags, MFN(map->mfn));
    if (kinds & GNTMAP_host_map)
        grant_unpin(r, map->ref, flags & GNTMAP_readonly ? PIN_HOST_RO : PIN_HOST_RW);
    settle(d->grant, map, handle, kinds, 0);
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
