/* SPDX-License-Identifier: MIT
 *
 * grant_table_op: arrays of sub-operations, a status each.
 *
 * Structures are copied in whole and out from where the results begin. Between two entries the batch may stop
 * and go on later. Source: xen/grant_table.h.
 */
#include "domain/grant.h"
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/percpu.h"

#define OP_WORDS_MAX 5
#define VERSION      1U
#define CMD_BITS     12 /* above them Xen keeps the progress of a cache flush */
#define CMD_MASK     ((1U << CMD_BITS) - 1)

static void op_map(struct vcpu *v, void *arg)
{
    struct gnttab_map_grant_ref *op = arg;

    op->status = (int16_t)grant_map(v, op);
}

static void op_unmap(struct vcpu *v, void *arg)
{
    struct gnttab_unmap_grant_ref *op = arg;

    op->status = (int16_t)grant_unmap(v, op->host_addr, op->dev_bus_addr, 0, op->handle);
}

static void op_unmap_and_replace(struct vcpu *v, void *arg)
{
    struct gnttab_unmap_and_replace *op = arg;

    op->status = (int16_t)grant_unmap(v, op->host_addr, 0, op->new_addr, op->handle);
}

static void op_transfer(struct vcpu *v, void *arg)
{
    struct gnttab_transfer *op = arg;

    op->status = (int16_t)grant_transfer(v->domain, op);
}

static void op_copy(struct vcpu *v, void *arg)
{
    struct gnttab_copy *op = arg;

    op->status = (int16_t)grant_copy(v->domain, op);
}

/* The domain whose table the caller may look at or set up. NULL: *status says why. */
static struct domain *table_owner(struct vcpu *v, uint16_t domid, unsigned int cmd, int16_t *status)
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

static void op_query_size(struct vcpu *v, void *arg)
{
    struct gnttab_query_size *op = arg;
    struct domain *d = table_owner(v, op->dom, GNTTABOP_query_size, &op->status);

    if (!d)
        return;
    grant_size(d, &op->nr_frames, &op->max_nr_frames);
    put_domain(d);
}

static void op_get_status_frames(struct vcpu *v, void *arg)
{
    struct gnttab_get_status_frames *op = arg;
    struct domain *d = table_owner(v, op->dom, GNTTABOP_get_status_frames, &op->status);

    if (!d)
        return;
    if (op->nr_frames) /* version 1 has none */
        op->status = (int16_t)refuse(GNTST_general_error, R_GRANT_TOO_MANY_FRAMES, op->nr_frames, 0);
    put_domain(d);
}

static void op_swap(struct vcpu *v, void *arg)
{
    struct gnttab_swap_grant_ref *op = arg;

    op->status = (int16_t)grant_swap(v->domain, op->ref_a, op->ref_b);
}

static __attribute__((cold)) long bad_pointer(uint64_t guest)
{
    return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
}

static __attribute__((cold)) long go_on_later(unsigned int cmd, uint64_t guest, uint32_t count)
{
    uint64_t args[3] = { cmd, guest, count };

    return hypercall_restart(__HYPERVISOR_grant_table_op, 3, args);
}

/* An array of structures of `size` bytes, of which those from `out` on go back. Inlined for each of its
 * users, so that the copies are a few moves. */
static inline __attribute__((always_inline)) long run_batch(unsigned int cmd, uint64_t guest, uint32_t count,
                                                            size_t size, size_t out,
                                                            void (*fn)(struct vcpu *v, void *op))
{
    uint64_t op[OP_WORDS_MAX];

    for (uint32_t i = 0; i < count; i++, guest += size) {
        if (i && unlikely(preempt_pending()))
            return go_on_later(cmd, guest, count - i);
        if (unlikely(copy_from_guest(op, guest, size)))
            return bad_pointer(guest);
        fn(current, op);
        if (unlikely(copy_to_guest(guest + out, (char *)op + out, size - out)))
            return bad_pointer(guest);
    }
    return 0;
}

#define BATCH(cmd, type, first_out, fn) \
    run_batch(cmd, guest, count, sizeof(struct type), offsetof(struct type, first_out) & ~7UL, fn)

/* One structure, not an array. */
static long run_single(unsigned int cmd, uint64_t guest, uint32_t count, size_t size,
                       void (*fn)(struct vcpu *v, void *op))
{
    if (count != 1)
        return refuse(-EINVAL, R_GRANT_ONE_ONLY, count, cmd);
    return run_batch(cmd, guest, 1, size, 0, fn);
}

static long setup_table(uint64_t guest, uint32_t count)
{
    struct gnttab_setup_table op;
    struct vcpu *v = current;
    struct domain *d;

    if (count != 1)
        return refuse(-EINVAL, R_GRANT_ONE_ONLY, count, GNTTABOP_setup_table);
    if (copy_from_guest(&op, guest, sizeof(op)))
        return bad_pointer(guest);
    d = table_owner(v, op.dom, GNTTABOP_setup_table, &op.status);
    if (d) {
        op.status = (int16_t)grant_setup(d, op.nr_frames);
        for (uint32_t i = 0; !op.status && i < op.nr_frames; i++)
            if (put_guest_u64(grant_frame(d, i).v, (uint64_t)op.frame_list.p + i * 8))
                op.status = (int16_t)refuse(GNTST_bad_virt_addr, R_BAD_POINTER, (uint64_t)op.frame_list.p, 0);
        put_domain(d);
    }
    return copy_to_guest(guest, &op, sizeof(op)) ? bad_pointer(guest) : 0;
}

/* Version 1 it is; 2 is refused as by a Xen that was started with gnttab=max-ver:1. What is in force comes
 * back in any case. */
static long set_version(uint64_t guest)
{
    uint32_t version;
    long rc = 0;

    if (copy_from_guest(&version, guest, sizeof(version)))
        return bad_pointer(guest);
    if (version != VERSION)
        rc = refuse(version == 2 ? -ENOSYS : -EINVAL, R_GRANT_VERSION, version, 0);
    version = VERSION;
    return copy_to_guest(guest, &version, sizeof(version)) ? bad_pointer(guest) : rc;
}

static long get_version(uint64_t guest)
{
    struct gnttab_get_version op;
    struct domain *d;
    bool allowed;

    if (copy_from_guest(&op, guest, sizeof(op)))
        return bad_pointer(guest);
    d = get_domain_for(current->domain, op.dom);
    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, op.dom, 0);
    allowed = d == current->domain || current->domain->privileged;
    put_domain(d);
    if (!allowed)
        return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_grant_table_op, GNTTABOP_get_version);
    op.version = VERSION;
    return copy_to_guest(guest, &op, sizeof(op)) ? bad_pointer(guest) : 0;
}

/* One of cache_flush's: the frame of the caller's (or one that it maps), within the page. Processors here see
 * the same memory as devices, so there is nothing to do but to check. */
static long flush_one(const struct gnttab_cache_flush *op)
{
    mfn_t m = maddr_to_mfn(op->a.dev_bus_addr);

    if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE || op->offset + op->length > PAGE_SIZE ||
        (op->op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN)))
        return refuse(-EINVAL, R_GRANT_CACHE_RANGE, op->offset, op->length);
    if (!op->length || !op->op)
        return 0;
    if (!mfn_valid(m))
        return refuse(-EINVAL, R_BAD_MFN, m.v, 0);
    if (!get_frame(current->domain, m))
        return refuse(-EPERM, R_FRAME_FOREIGN, m.v, current->domain->domid);
    put_frame(m);
    if (op->op == GNTTAB_CACHE_INVAL)
        return refuse(-EOPNOTSUPP, R_GRANT_CACHE_INVALIDATE, 0, 0);
    return 0;
}

static long cache_flush(uint64_t guest, uint32_t count)
{
    struct gnttab_cache_flush op;
    long rc = 0;

    for (uint32_t i = 0; !rc && i < count; i++, guest += sizeof(op)) {
        if (i && preempt_pending())
            return go_on_later(GNTTABOP_cache_flush, guest, count - i);
        if (copy_from_guest(&op, guest, sizeof(op)))
            return bad_pointer(guest);
        rc = flush_one(&op);
    }
    return rc;
}

static __attribute__((noinline)) long other_op(unsigned int cmd, uint64_t guest, uint32_t count)
{
    if (cmd >> CMD_BITS) {
        if ((cmd & CMD_MASK) != GNTTABOP_cache_flush)
            return refuse(-EINVAL, R_NO_SUCH_OP, __HYPERVISOR_grant_table_op, cmd);
        cmd &= CMD_MASK;
    }
    switch (cmd) {
    case GNTTABOP_unmap_and_replace:
        return BATCH(cmd, gnttab_unmap_and_replace, status, op_unmap_and_replace);
    case GNTTABOP_transfer:
        return BATCH(cmd, gnttab_transfer, status, op_transfer);
    case GNTTABOP_swap_grant_ref:
        return BATCH(cmd, gnttab_swap_grant_ref, status, op_swap);
    case GNTTABOP_cache_flush:
        return cache_flush(guest, count);
    case GNTTABOP_setup_table:
        return setup_table(guest, count);
    case GNTTABOP_query_size:
        return run_single(cmd, guest, count, sizeof(struct gnttab_query_size), op_query_size);
    case GNTTABOP_get_status_frames:
        return run_single(cmd, guest, count, sizeof(struct gnttab_get_status_frames), op_get_status_frames);
    case GNTTABOP_set_version:
        return set_version(guest);
    case GNTTABOP_get_version:
        return get_version(guest);
    default:
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_grant_table_op, cmd);
    }
}

static long map_batch(uint64_t guest, uint32_t count)
{
    return BATCH(GNTTABOP_map_grant_ref, gnttab_map_grant_ref, status, op_map);
}

static long unmap_batch(uint64_t guest, uint32_t count)
{
    return BATCH(GNTTABOP_unmap_grant_ref, gnttab_unmap_grant_ref, status, op_unmap);
}

static long copy_batch(uint64_t guest, uint32_t count)
{
    return BATCH(GNTTABOP_copy, gnttab_copy, status, op_copy);
}

/* The three that a driver makes at every request come first. */
long do_grant_table_op(uint64_t op, uint64_t guest, uint64_t nr, uint64_t a4, uint64_t a5)
{
    uint32_t cmd = (uint32_t)op, count = (uint32_t)nr;

    (void)a4, (void)a5;
    if (unlikely((int32_t)count < 0))
        return refuse(-EINVAL, R_GRANT_COUNT, count, cmd);
    if (cmd == GNTTABOP_map_grant_ref)
        return map_batch(guest, count);
    if (cmd == GNTTABOP_unmap_grant_ref)
        return unmap_batch(guest, count);
    if (cmd == GNTTABOP_copy)
        return copy_batch(guest, count);
    return other_op(cmd, guest, count);
}
