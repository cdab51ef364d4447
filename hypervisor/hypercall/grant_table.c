/* SPDX-License-Identifier: MIT
 *
 * grant_table_op: arrays of sub-operations, a status each.
 *
 * Structures are copied in whole and out from where the results begin. Between two entries the batch may stop
 * and go on later. Source: xen/grant_table.h.
 */
#include "hypercall/hypercall.h"
#include "domain/grant.h"

#define VERSION  1U
#define CMD_BITS 12 /* above them Xen keeps the progress of a cache flush */

/* The frame of the caller's (or one that it maps), within the page. Processors here see the same memory as
 * devices, so there is nothing to do but to check. */
static int cache_flush(struct vcpu *v, const struct gnttab_cache_flush *op)
{
    mfn_t m = maddr_to_mfn(op->a.dev_bus_addr);

    if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE || op->offset + op->length > PAGE_SIZE ||
        (op->op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN)))
        return refuse(-EINVAL, R_GRANT_CACHE_RANGE, op->offset, op->length);
    if (!op->length || !op->op)
        return 0;
    if (!mfn_valid(m))
        return refuse(-EINVAL, R_BAD_MFN, m.v, 0);
    if (!get_frame(v->domain, m))
        return refuse(-EPERM, R_FRAME_FOREIGN, m.v, v->domain->domid);
    put_frame(m);
    if (op->op == GNTTAB_CACHE_INVAL)
        return refuse(-EOPNOTSUPP, R_GRANT_CACHE_INVALIDATE, 0, 0);
    return 0;
}

/* The domain whose table the caller may look at or set up. NULL: *status says why. */
static struct domain *table_owner(struct vcpu *v, uint16_t domid, uint32_t cmd, int16_t *status)
{
    struct domain *d = get_domain_for(v->domain, domid);

    *status = GNTST_okay;
    if (!d) {
        *status = (int16_t)refuse(GNTST_bad_domain, R_NO_SUCH_DOMAIN, domid, 0);
    } else if (d != v->domain && !v->domain->privileged) {
        *status =
            (int16_t)refuse(GNTST_permission_denied, R_NOT_PRIVILEGED, __HYPERVISOR_grant_table_op, cmd);
        put_domain(d);
        d = NULL;
    }
    return d;
}

static long op_setup_table(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct gnttab_setup_table *op = arg;
    uint64_t list = (uint64_t)op->frame_list.p;
    struct domain *d;

    if (!guest_range_ok(list, 1))
        return refuse(-EFAULT, R_BAD_POINTER, list, 0);
    d = table_owner(v, op->dom, cmd, &op->status);
    if (!d)
        return 0;
    op->status = (int16_t)grant_setup(d, op->nr_frames);
    for (uint32_t i = 0; !op->status && i < op->nr_frames; i++)
        if (put_guest_u64(grant_frame(d, i).v, list + i * 8))
            op->status = (int16_t)refuse(GNTST_bad_virt_addr, R_BAD_POINTER, list, 0);
    put_domain(d);
    return 0;
}

static long op_query_size(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct gnttab_query_size *op = arg;
    struct domain *d = table_owner(v, op->dom, cmd, &op->status);

    if (!d)
        return 0;
    grant_size(d, &op->nr_frames, &op->max_nr_frames);
    put_domain(d);
    return 0;
}

static long op_get_status_frames(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct gnttab_get_status_frames *op = arg;
    struct domain *d = table_owner(v, op->dom, cmd, &op->status);

    if (!d)
        return 0;
    if (op->nr_frames) /* version 1 has none */
        op->status = (int16_t)refuse(GNTST_general_error, R_GRANT_TOO_MANY_FRAMES, op->nr_frames, 0);
    put_domain(d);
    return 0;
}

/* Version 1 it is; 2 is refused as by a Xen that was started with gnttab=max-ver:1. What is in force comes
 * back in any case. */
static long op_set_version(struct vcpu *v, uint32_t cmd, void *arg)
{
    uint32_t wanted = *(uint32_t *)arg;

    *(uint32_t *)arg = VERSION;
    if (wanted == VERSION)
        return 0;
    return refuse(wanted == 2 ? -ENOSYS : -EINVAL, R_GRANT_VERSION, wanted, 0);
}

static long op_get_version(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct gnttab_get_version *op = arg;
    struct domain *d;
    int rc = get_target_domain(__HYPERVISOR_grant_table_op, cmd, op->dom, &d);

    if (rc)
        return rc;
    put_domain(d);
    op->version = VERSION;
    return 0;
}

static const struct sub_op ops[] = {
    [GNTTABOP_setup_table] = { .fn = op_setup_table, IN_OUT(struct gnttab_setup_table) },
    [GNTTABOP_query_size] = { .fn = op_query_size, IN_OUT(struct gnttab_query_size) },
    [GNTTABOP_get_status_frames] = { .fn = op_get_status_frames, IN_OUT(struct gnttab_get_status_frames) },
    [GNTTABOP_set_version] = { .fn = op_set_version, IN_OUT(uint32_t), .out_always = true },
    [GNTTABOP_get_version] = { .fn = op_get_version, IN_OUT(struct gnttab_get_version) },
};

static __attribute__((cold)) long bad_pointer(uint64_t guest)
{
    return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
}

static __attribute__((cold)) long go_on_later(uint32_t cmd, uint64_t guest, uint32_t count)
{
    return hypercall_restart(__HYPERVISOR_grant_table_op, 3, (uint64_t[]){ cmd, guest, count });
}

union op {
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_unmap_and_replace replace;
    struct gnttab_transfer transfer;
    struct gnttab_copy copy;
    struct gnttab_swap_grant_ref swap;
    struct gnttab_cache_flush flush;
};

/* One of an array. The result is its status, but that of cache_flush. */
static force_inline int run_one(uint32_t cmd, struct vcpu *v, union op *op)
{
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        return grant_map(v, &op->map);
    case GNTTABOP_unmap_grant_ref:
        return grant_unmap(v, op->unmap.host_addr, op->unmap.dev_bus_addr, 0, op->unmap.handle);
    case GNTTABOP_unmap_and_replace:
        return grant_unmap(v, op->replace.host_addr, 0, op->replace.new_addr, op->replace.handle);
    case GNTTABOP_transfer:
        return grant_transfer(v->domain, &op->transfer);
    case GNTTABOP_copy:
        return grant_copy(v->domain, &op->copy);
    case GNTTABOP_swap_grant_ref:
        return grant_swap(v->domain, op->swap.ref_a, op->swap.ref_b);
    default:
        return cache_flush(v, &op->flush);
    }
}

/* An array of structures of `size` bytes with the status at `status`, from whose word on they go back; at
 * `size`: there is none, an error ends the array. Inlined for each of its users, so that the copies are a few
 * moves. */
static force_inline long run_batch(uint32_t cmd, uint64_t guest, uint32_t count, size_t size, size_t status)
{
    size_t out = status & ~7UL;
    union op op;
    int rc;

    if (unlikely(!count)) /* even so */
        return guest_range_ok(guest, 1) ? 0 : bad_pointer(guest);
    for (uint32_t i = 0; i < count; i++, guest += size) {
        if (i && unlikely(preempt_pending()))
            return go_on_later(cmd, guest, count - i);
        if (unlikely(copy_from_guest(&op, guest, size)))
            return bad_pointer(guest);
        rc = run_one(cmd, current, &op);
        if (status == size && rc)
            return rc;
        if (status == size)
            continue;
        *(int16_t *)(void *)((char *)&op + status) = (int16_t)rc;
        if (unlikely(copy_to_guest(guest + out, (char *)&op + out, size - out)))
            return bad_pointer(guest);
    }
    return 0;
}

#define BATCH(cmd, type) run_batch(cmd, guest, count, sizeof(struct type), offsetof(struct type, status))

static __attribute__((noinline)) long other_op(uint32_t cmd, uint64_t guest, uint32_t count)
{
    size_t size = sizeof(struct gnttab_cache_flush);

    switch (cmd) {
    case GNTTABOP_unmap_and_replace:
        return BATCH(cmd, gnttab_unmap_and_replace);
    case GNTTABOP_transfer:
        return BATCH(cmd, gnttab_transfer);
    case GNTTABOP_swap_grant_ref:
        return BATCH(cmd, gnttab_swap_grant_ref);
    case GNTTABOP_setup_table:
    case GNTTABOP_query_size:
    case GNTTABOP_get_status_frames:
        if (count != 1)
            return refuse(-EINVAL, R_GRANT_ONE_ONLY, count, cmd);
        break;
    default:
        if ((cmd & ((1U << CMD_BITS) - 1)) == GNTTABOP_cache_flush)
            return run_batch(GNTTABOP_cache_flush, guest, count, size, size);
        if (cmd >> CMD_BITS)
            return refuse(-EINVAL, R_NO_SUCH_OP, __HYPERVISOR_grant_table_op, cmd);
    }
    return sub_op(__HYPERVISOR_grant_table_op, ops, ARRAY_SIZE(ops), current, cmd, guest);
}

/* The three that a driver makes at every request come first. */
long do_grant_table_op(uint64_t op, uint64_t guest, uint64_t nr, uint64_t a4, uint64_t a5)
{
    uint32_t cmd = (uint32_t)op, count = (uint32_t)nr;

    if (unlikely((int32_t)count < 0))
        return refuse(-EINVAL, R_GRANT_COUNT, count, cmd);
    if (cmd == GNTTABOP_map_grant_ref)
        return BATCH(cmd, gnttab_map_grant_ref);
    if (cmd == GNTTABOP_unmap_grant_ref)
        return BATCH(cmd, gnttab_unmap_grant_ref);
    if (cmd == GNTTABOP_copy)
        return BATCH(cmd, gnttab_copy);
    return other_op(cmd, guest, count);
}
