/* SPDX-License-Identifier: MIT
 *
 * grant_table_op: most sub-operations are arrays (domain/grant_batch.h). Source: xen/grant_table.h.
 */
#include "hypercall/hypercall.h"
#include "domain/grant.h"
#include "domain/grant_batch.h"

#define VERSION  1U
#define CMD_BITS 12 /* above them Xen keeps the progress of a cache flush */

/* The frame of the caller's (or one that it maps), within the page. Processors here see the same memory as
 * devices, so there is nothing to do but to check. */
static int cache_flush(struct vcpu *v, void *arg)
{
    const struct gnttab_cache_flush *op = arg;
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

static int replace_one(struct vcpu *v, void *arg)
{
    const struct gnttab_unmap_and_replace *op = arg;

    return grant_unmap(v, op->host_addr, 0, op->new_addr, op->handle);
}

static int transfer_one(struct vcpu *v, void *arg)
{
    return grant_transfer(v->domain, arg);
}

static int swap_one(struct vcpu *v, void *arg)
{
    const struct gnttab_swap_grant_ref *op = arg;

    return grant_swap(v->domain, op->ref_a, op->ref_b);
}

static __attribute__((noinline)) long other_op(uint32_t cmd, uint64_t guest, uint32_t count)
{
    size_t size = sizeof(struct gnttab_cache_flush);

    switch (cmd) {
    case GNTTABOP_unmap_and_replace:
        return GRANT_BATCH(current, cmd, gnttab_unmap_and_replace, replace_one);
    case GNTTABOP_transfer:
        return GRANT_BATCH(current, cmd, gnttab_transfer, transfer_one);
    case GNTTABOP_swap_grant_ref:
        return GRANT_BATCH(current, cmd, gnttab_swap_grant_ref, swap_one);
    case GNTTABOP_setup_table:
    case GNTTABOP_query_size:
    case GNTTABOP_get_status_frames:
        if (count != 1)
            return refuse(-EINVAL, R_GRANT_ONE_ONLY, count, cmd);
        break;
    default:
        if ((cmd & ((1U << CMD_BITS) - 1)) == GNTTABOP_cache_flush)
            return grant_batch(current, GNTTABOP_cache_flush, guest, count, size, size, false, cache_flush);
        if (cmd >> CMD_BITS)
            return refuse(-EINVAL, R_NO_SUCH_OP, __HYPERVISOR_grant_table_op, cmd);
    }
    return sub_op(__HYPERVISOR_grant_table_op, ops, ARRAY_SIZE(ops), current, cmd, guest);
}

/* The three that a driver makes at every request come first. */
long do_grant_table_op(uint64_t op, uint64_t guest, uint64_t nr, uint64_t a4, uint64_t a5)
{
    uint32_t cmd = (uint32_t)op;

    if (unlikely((int32_t)nr < 0))
        return refuse(-EINVAL, R_GRANT_COUNT, (uint32_t)nr, cmd);
    if (cmd == GNTTABOP_map_grant_ref)
        return grant_map(current, guest, (uint32_t)nr);
    if (cmd == GNTTABOP_unmap_grant_ref)
        return grant_unmap_batch(current, guest, (uint32_t)nr);
    if (cmd == GNTTABOP_copy)
        return grant_copy(current, guest, (uint32_t)nr);
    return other_op(cmd, guest, (uint32_t)nr);
}
