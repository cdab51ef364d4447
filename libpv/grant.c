/* SPDX-License-Identifier: MIT
 *
 * Grants: the table of entries that this domain offers, and the operations on others' entries. Contracts in
 * grant.h.
 *
 * Invariant: a frame whose entry is still in use (GTF_reading or GTF_writing) is never reported as revoked.
 * The flags word decides, and changes only by a compare-and-exchange, because the hypervisor writes it too.
 */
#include "libpv/grant.h"
#include "libpv/errno.h"
#include "libpv/event.h"
#include "libpv/freelist.h"
#include "libpv/hypercall.h"
#include "libpv/lock.h"
#include "libpv/memory.h"

#define PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))

/* Address space for PV_GRANT_FRAMES frames, of which nr_frames are mapped. */
static struct grant_entry_v1 *entries;
static struct pv_lock growing; /* a vcpu makes the table longer; guards nr_frames */
static unsigned int nr_frames, max_frames;
static uint16_t next_free[PV_GRANT_FRAMES * PER_FRAME];
static struct pv_freelist free_refs = { .next = next_free };

/* Makes the table `frames` frames long, at most max_frames. 0, or an errno when the hypervisor gives no more.
 */
static int grow(unsigned int frames)
{
    xen_pfn_t list[PV_GRANT_FRAMES];
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = frames };
    long err;

    if (frames > max_frames)
        return -ENOSPC;
    set_xen_guest_handle(setup.frame_list, list);
    err = HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    if (!err && setup.status != GNTST_okay)
        err = -ENOSPC;
    for (; !err && nr_frames < frames; nr_frames++) {
        unsigned int first = nr_frames * (unsigned int)PER_FRAME;

        err = pv_map((unsigned long)&entries[first], pv_pte(mfn(list[nr_frames]), PTE_KERNEL));
        for (unsigned int ref = first + (unsigned int)PER_FRAME; !err && ref-- > first;) {
            if (ref >= PV_GRANT_RESERVED)
                pv_grant_free((int)ref);
        }
        if (err)
            break;
    }
    return (int)err;
}

static int start_table(void)
{
    struct gnttab_query_size query = { .dom = DOMID_SELF };
    int err;

    if (nr_frames)
        return 0;
    err = (int)HYPERVISOR_grant_table_op(GNTTABOP_query_size, &query, 1);
    if (err)
        return err;
    max_frames = query.status == GNTST_okay ? query.max_nr_frames : 1;
    if (max_frames > PV_GRANT_FRAMES)
        max_frames = PV_GRANT_FRAMES;
    if (!entries)
        entries = pv_vaddr_reserve(PV_GRANT_FRAMES);
    return entries ? grow(1) : -ENOMEM;
}

int pv_grant_init(void)
{
    bool events = pv_lock_take(&growing);
    int err = start_table();

    pv_lock_drop(&growing, events);
    return err;
}

/* A reference out of a longer table, or one that came back meanwhile. 0: none. */
static unsigned int alloc_grown(void)
{
    bool events = pv_lock_take(&growing);
    unsigned int ref;

    do
        ref = pv_freelist_pop(&free_refs);
    while (!ref && !grow(nr_frames + 1));
    pv_lock_drop(&growing, events);
    return ref;
}

int pv_grant_alloc(void)
{
    unsigned int ref = pv_freelist_pop(&free_refs);

    if (!ref)
        ref = alloc_grown();
    return ref ? (int)ref : -1;
}

void pv_grant_free(int ref)
{
    pv_freelist_push(&free_refs, (unsigned int)ref);
}

void pv_grant_set(int ref, domid_t to, mfn_t frame, bool readonly)
{
    entries[ref].domid = to;
    entries[ref].frame = (uint32_t)frame.v;
    /* Pairs with the hypervisor's read of flags before domid and frame. */
    __atomic_store_n(&entries[ref].flags, (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0)),
                     __ATOMIC_RELEASE);
}

int pv_grant_access(domid_t to, mfn_t frame, bool readonly)
{
    int ref = pv_grant_alloc();

    if (ref >= 0)
        pv_grant_set(ref, to, frame, readonly);
    return ref;
}

bool pv_grant_revoke(int ref)
{
    uint16_t flags = __atomic_load_n(&entries[ref].flags, __ATOMIC_ACQUIRE);

    do {
        if (flags & (GTF_reading | GTF_writing))
            return false;
    } while (!__atomic_compare_exchange_n(&entries[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_ACQUIRE));
    return true;
}

bool pv_grant_end(int ref)
{
    if (!pv_grant_revoke(ref))
        return false;
    pv_grant_free(ref);
    return true;
}

int pv_grant_accept(domid_t from, pfn_t into)
{
    int ref = pv_grant_alloc();

    if (ref < 0)
        return ref;
    entries[ref].domid = from;
    entries[ref].frame = (uint32_t)into.v;
    __atomic_store_n(&entries[ref].flags, GTF_accept_transfer, __ATOMIC_RELEASE);
    return ref;
}

mfn_t pv_grant_accepted(int ref)
{
    if (!(__atomic_load_n(&entries[ref].flags, __ATOMIC_ACQUIRE) & GTF_transfer_completed))
        return mfn(0);
    return mfn(entries[ref].frame);
}

int pv_grant_map(domid_t from, grant_ref_t ref, void *vaddr, bool readonly, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = (unsigned long)vaddr,
        .flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0),
        .ref = ref,
        .dom = from,
    };

    if (HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1))
        return GNTST_general_error;
    *handle = op.handle;
    return op.status;
}

int pv_grant_unmap(grant_handle_t handle, void *vaddr)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = (unsigned long)vaddr, .handle = handle };

    if (HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1))
        return GNTST_general_error;
    return op.status;
}

int pv_grant_map_batch(struct gnttab_map_grant_ref *ops, unsigned int n)
{
    return (int)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, n);
}

int pv_grant_unmap_batch(struct gnttab_unmap_grant_ref *ops, unsigned int n)
{
    return (int)HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, ops, n);
}

int pv_grant_copy(struct gnttab_copy *ops, unsigned int n)
{
    return (int)HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, n);
}
