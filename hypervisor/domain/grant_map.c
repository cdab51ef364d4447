/* SPDX-License-Identifier: MIT
 *
 * Mapping granted frames, and ending it.
 *
 * A mapping is a pin of the granter's entry for each kind (host, device) with a reference to the frame: the
 * host map's reference belongs to the page-table entry, the device map's to the handle. Unmapping goes the
 * way back: entry, flush, reference, pin. The handle says what there is to unmap, so the caller's word is not
 * taken for anything but where.
 */
#include "domain/grant_table.h"
#include "mm/paging.h"

#define ENTRY_FLAGS 0x8000000000000061ULL /* NX, D, A, P */
#define ENTRY_RW    0x2ULL
#define ENTRY_US    0x4ULL
#define ENTRY_AVAIL 9  /* the lowest of the three bits that are free for the guest */
#define AVAIL_LOW   7U /* flags 16..18 come there, 19.. into the entry's bits 52.. */
#define AVAIL_HIGH  52

/* The L1 entry for a mapping with these flags. */
static uint64_t entry_for(mfn_t mfn, uint32_t flags)
{
    uint64_t entry = mfn_to_maddr(mfn) | ENTRY_FLAGS;

    if (!(flags & GNTMAP_readonly))
        entry |= ENTRY_RW;
    if (flags & GNTMAP_application_map)
        entry |= ENTRY_US;
    return entry | (uint64_t)(flags >> _GNTMAP_guest_avail0 & AVAIL_LOW) << ENTRY_AVAIL;
}

static uint32_t host_pin(uint32_t flags)
{
    return flags & GNTMAP_readonly ? PIN_HOST_RO : PIN_HOST_RW;
}

static uint32_t device_pin(uint32_t flags)
{
    return flags & GNTMAP_readonly ? PIN_DEV_RO : PIN_DEV_RW;
}

static int map_device(struct vcpu *v, struct domain *r, const struct gnttab_map_grant_ref *op, mfn_t *mfn)
{
    return grant_pin(r, v->domain->domid, op->ref, device_pin(op->flags), mfn);
}

static void unmap_device(struct domain *r, uint32_t ref, uint32_t flags, mfn_t mfn)
{
    grant_put_frame(mfn, device_pin(flags));
    grant_unpin(r, ref, device_pin(flags));
}

static int map_host(struct vcpu *v, struct domain *r, const struct gnttab_map_grant_ref *op, mfn_t *mfn)
{
    uint32_t pin = host_pin(op->flags);
    int rc = grant_pin(r, v->domain->domid, op->ref, pin, mfn);

    if (unlikely(rc))
        return rc;
    rc = paging_map_grant(v, op->host_addr, entry_for(*mfn, op->flags), op->flags & GNTMAP_contains_pte);
    if (likely(!rc))
        return GNTST_okay;
    grant_put_frame(*mfn, pin);
    grant_unpin(r, op->ref, pin);
    return rc;
}

/* Both kinds that op asks for, or none. */
static int map_kinds(struct vcpu *v, struct domain *r, const struct gnttab_map_grant_ref *op, mfn_t *mfn)
{
    int rc;

    if (unlikely(op->flags & GNTMAP_device_map)) {
        rc = map_device(v, r, op, mfn);
        if (rc)
            return rc;
    }
    if (op->flags & GNTMAP_host_map) {
        rc = map_host(v, r, op, mfn);
        if (unlikely(rc)) {
            if (op->flags & GNTMAP_device_map)
                unmap_device(r, op->ref, op->flags, *mfn);
            return rc;
        }
    }
    return GNTST_okay;
}

int grant_map(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
    struct domain *d = v->domain, *r;
    struct maptrack *map;
    uint32_t handle;
    mfn_t mfn;
    int rc;

    if (unlikely(!(op->flags & MAP_KINDS)))
        return refuse(GNTST_bad_gntref, R_GRANT_NO_KIND, op->flags, 0);
    r = get_domain(op->dom);
    if (unlikely(!r))
        return refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, op->dom, 0);
    handle = grant_handle_alloc(d);
    if (unlikely(handle == NO_HANDLE)) {
        rc = refuse(GNTST_no_space, R_GRANT_NO_HANDLES, MAPTRACK_PAGES * MAPTRACK_PER_PAGE, 0);
    } else if (unlikely(rc = map_kinds(v, r, op, &mfn))) {
        grant_handle_free(d, handle);
    } else {
        map = grant_handle(d->grant, handle);
        map->ref = op->ref;
        map->domid = op->dom;
        __atomic_store_n(&map->flags, (uint16_t)op->flags, __ATOMIC_RELEASE); /* now it can be unmapped */
        op->dev_bus_addr = mfn_to_maddr(mfn);
        op->handle = handle;
    }
    put_domain(r);
    return rc;
}

/* Takes the kinds out of the handle that the caller wants to end, so that nobody else ends them too. *map:
 * the handle as it was. The kinds that were there. */
static uint32_t claim(struct domain *d, uint32_t handle, uint32_t kinds, struct maptrack *map)
{
    struct grant_table *t = d->grant;
    struct maptrack *live;

    if (unlikely(handle >= READ_ONCE(t->nr_handles)))
        return 0;
    lock_take(&t->lock);
    live = grant_handle(t, handle);
    *map = *live;
    kinds &= live->flags;
    live->flags &= (uint16_t)~kinds;
    lock_drop(&t->lock);
    return kinds;
}

/* The end of an unmap: the handle is free when no kind is left. restore: kinds that could not be ended. */
static void settle(struct domain *d, uint32_t handle, uint32_t restore)
{
    struct grant_table *t = d->grant;
    bool unused;

    lock_take(&t->lock);
    grant_handle(t, handle)->flags |= (uint16_t)restore;
    unused = !(grant_handle(t, handle)->flags & MAP_KINDS);
    lock_drop(&t->lock);
    if (unused)
        grant_handle_free(d, handle);
}

static int unmap_host(struct vcpu *v, struct domain *r, const struct unmap *u, const struct maptrack *map,
                      mfn_t mfn)
{
    uint64_t entry = entry_for(mfn, map->flags);
    bool by_pte = map->flags & GNTMAP_contains_pte;
    struct domain *d = v->domain;
    int rc;

    if (unlikely(u->new_addr)) {
        if (by_pte)
            return refuse(GNTST_general_error, R_GRANT_REPLACE_PTE, u->host_addr, 0);
        rc = paging_replace_grant(v, u->host_addr, entry, u->new_addr);
        if (!rc)
            d->paging->flush(d, u->new_addr);
    } else {
        rc = paging_unmap_grant(v, u->host_addr, entry, by_pte);
    }
    if (unlikely(rc))
        return rc;
    d->paging->flush(d, by_pte ? ~0ULL : u->host_addr);
    grant_put_frame(mfn, host_pin(map->flags));
    grant_unpin(r, map->ref, host_pin(map->flags));
    return GNTST_okay;
}

int grant_unmap(struct vcpu *v, const struct unmap *u)
{
    uint32_t kinds = (u->host_addr ? GNTMAP_host_map : 0U) | (u->dev_bus_addr ? GNTMAP_device_map : 0U);
    struct domain *d = v->domain, *r;
    struct maptrack map = { 0 };
    int rc = GNTST_okay;
    mfn_t mfn;

    kinds = claim(d, u->handle, kinds, &map);
    if (unlikely(!(map.flags & MAP_KINDS)))
        return refuse(GNTST_bad_handle, R_GRANT_BAD_HANDLE, u->handle, 0);
    r = get_domain(map.domid);
    if (unlikely(!r)) /* can't be: it waits for our pin */
        return refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, map.domid, 0);
    mfn = MFN(READ_ONCE(grant_active(r->grant, map.ref)->mfn)); /* stays while our pin does */

    if (unlikely(u->dev_bus_addr && u->dev_bus_addr != mfn_to_maddr(mfn)))
        rc = refuse(GNTST_bad_dev_addr, R_GRANT_BAD_DEVICE_ADDRESS, u->dev_bus_addr, mfn.v);
    if (!rc && (kinds & GNTMAP_host_map)) {
        rc = unmap_host(v, r, u, &map, mfn);
        if (!rc)
            kinds &= ~(uint32_t)GNTMAP_host_map;
    }
    if (!rc && unlikely(kinds & GNTMAP_device_map)) {
        unmap_device(r, map.ref, map.flags, mfn);
        kinds &= ~(uint32_t)GNTMAP_device_map;
    }
    put_domain(r);
    settle(d, u->handle, kinds);
    return rc;
}
