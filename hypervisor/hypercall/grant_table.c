/* SPDX-License-Identifier: MIT
 *
 * grant_table_op: arrays of sub-operations, a status each.
 *
 * Structures are copied in and out by words of 8 bytes, in only as many and out only from where the results
 * begin. Between two entries the batch may stop and go on later. Source: xen/grant_table.h.
 */
#include "domain/grant.h"
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/percpu.h"

#define OP_WORDS_MAX 5
#define VERSION      1U

static void op_map(struct vcpu *v, void *arg)
{
    struct gnttab_map_grant_ref *op = arg;

    op->status = (int16_t)grant_map(v, op);
}

static void op_unmap(struct vcpu *v, void *arg)
{
    struct gnttab_unmap_grant_ref *op = arg;
    struct unmap u = { op->host_addr, op->dev_bus_addr, 0, op->handle };

    op->status = (int16_t)grant_unmap(v, &u);
}

static void op_unmap_and_replace(struct vcpu *v, void *arg)
{
    struct gnttab_unmap_and_replace *op = arg;
    struct unmap u = { op->host_addr, 0, op->new_addr, op->handle };

    op->status = (int16_t)grant_unmap(v, &u);
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

/* Sub-operations on arrays: words in, the first word that goes back. */
static const struct batch_op {
    uint8_t words, out;
    bool single; /* an array of one only */
    void (*fn)(struct vcpu *v, void *op);
} batch_ops[] = {
#define WORDS(type)            sizeof(struct type) / 8
#define FIRST_OUT(type, field) offsetof(struct type, field) / 8
    [GNTTABOP_map_grant_ref] = { WORDS(gnttab_map_grant_ref), FIRST_OUT(gnttab_map_grant_ref, status), false,
                                 op_map },
    [GNTTABOP_unmap_grant_ref] = { WORDS(gnttab_unmap_grant_ref), FIRST_OUT(gnttab_unmap_grant_ref, status),
                                   false, op_unmap },
    [GNTTABOP_unmap_and_replace] = { WORDS(gnttab_unmap_and_replace),
                                     FIRST_OUT(gnttab_unmap_and_replace, status), false,
                                     op_unmap_and_replace },
    [GNTTABOP_transfer] = { WORDS(gnttab_transfer), FIRST_OUT(gnttab_transfer, status), false, op_transfer },
    [GNTTABOP_copy] = { WORDS(gnttab_copy), FIRST_OUT(gnttab_copy, status), false, op_copy },
    [GNTTABOP_query_size] = { WORDS(gnttab_query_size), 0, true, op_query_size },
    [GNTTABOP_get_status_frames] = { WORDS(gnttab_get_status_frames), 0, true, op_get_status_frames },
};

static __attribute__((cold)) long bad_pointer(uint64_t guest)
{
    return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
}

static long run_batch(unsigned int cmd, const struct batch_op *b, uint64_t guest, uint32_t count)
{
    struct vcpu *v = current;
    uint64_t op[OP_WORDS_MAX], size = b->words * 8ULL;

    if (unlikely(b->single && count != 1))
        return refuse(-EINVAL, R_GRANT_ONE_ONLY, count, cmd);
    if (unlikely(!guest_range_ok(guest, count * size)))
        return bad_pointer(guest);
    for (uint32_t i = 0; i < count; i++, guest += size) {
        if (i && unlikely(preempt_pending())) {
            uint64_t args[3] = { cmd, guest, count - i };

            return hypercall_restart(__HYPERVISOR_grant_table_op, 3, args);
        }
        for (unsigned int w = 0; w < b->words; w++)
            if (unlikely(get_guest_u64_nocheck(&op[w], guest + w * 8)))
                return bad_pointer(guest);
        b->fn(v, op);
        for (unsigned int w = b->out; w < b->words; w++)
            if (unlikely(put_guest_u64_nocheck(op[w], guest + w * 8)))
                return bad_pointer(guest);
    }
    return 0;
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

/* Version 1 it is; 2 is refused as by a Xen that was started with gnttab=max-ver:1. */
static long set_version(uint64_t guest)
{
    uint32_t version;

    if (copy_from_guest(&version, guest, sizeof(version)))
        return bad_pointer(guest);
    if (version == 2)
        return refuse(-ENOSYS, R_GRANT_VERSION, version, 0);
    if (version != VERSION)
        return refuse(-EINVAL, R_GRANT_VERSION, version, 0);
    return copy_to_guest(guest, &version, sizeof(version)) ? bad_pointer(guest) : 0;
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

/* An array of pairs; 12 bytes each, so not among the batches of words. */
static long swap_refs(uint64_t guest, uint32_t count)
{
    struct gnttab_swap_grant_ref op;

    for (uint32_t i = 0; i < count; i++, guest += sizeof(op)) {
        if (i && preempt_pending()) {
            uint64_t args[3] = { GNTTABOP_swap_grant_ref, guest, count - i };

            return hypercall_restart(__HYPERVISOR_grant_table_op, 3, args);
        }
        if (copy_from_guest(&op, guest, sizeof(op)))
            return bad_pointer(guest);
        op_swap(current, &op);
        if (copy_to_guest(guest, &op, sizeof(op)))
            return bad_pointer(guest);
    }
    return 0;
}

/* One of cache_flush's: the frame of the caller's (or one that it maps), within the page. Processors here see
 * the same memory as devices, so there is nothing to do but to check. */
static long flush_one(const struct gnttab_cache_flush *op)
{
    mfn_t m = maddr_to_mfn(op->a.dev_bus_addr);

    if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE || op->offset + op->length > PAGE_SIZE ||
        (op->op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_SOURCE_GREF)))
        return refuse(-EINVAL, R_GRANT_CACHE_RANGE, op->offset, op->length);
    if (!op->length || !op->op)
        return 0;
    if (op->op & GNTTAB_CACHE_SOURCE_GREF)
        return refuse(-EOPNOTSUPP, R_GRANT_CACHE_REF, op->a.ref, 0);
    if (!mfn_valid(m))
        return refuse(-EINVAL, R_BAD_MFN, m.v, 0);
    if (!get_frame(current->domain, m))
        return refuse(-EPERM, R_FRAME_FOREIGN, m.v, 0);
    put_frame(m);
    return 0;
}

static long cache_flush(uint64_t guest, uint32_t count)
{
    struct gnttab_cache_flush op;
    long rc = 0;

    for (uint32_t i = 0; !rc && i < count; i++, guest += sizeof(op)) {
        if (i && preempt_pending()) {
            uint64_t args[3] = { GNTTABOP_cache_flush, guest, count - i };

            return hypercall_restart(__HYPERVISOR_grant_table_op, 3, args);
        }
        if (copy_from_guest(&op, guest, sizeof(op)))
            return bad_pointer(guest);
        rc = flush_one(&op);
    }
    return rc;
}

static __attribute__((noinline)) long other_op(unsigned int cmd, uint64_t guest, uint32_t count)
{
    switch (cmd) {
    case GNTTABOP_setup_table:
        return setup_table(guest, count);
    case GNTTABOP_set_version:
        return set_version(guest);
    case GNTTABOP_get_version:
        return get_version(guest);
    case GNTTABOP_swap_grant_ref:
        return swap_refs(guest, count);
    case GNTTABOP_cache_flush:
        return cache_flush(guest, count);
    default:
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_grant_table_op, cmd);
    }
}

long do_grant_table_op(uint64_t cmd, uint64_t guest, uint64_t count, uint64_t a4, uint64_t a5)
{
    (void)a4, (void)a5;
    cmd = (uint32_t)cmd;
    if (unlikely((int32_t)count < 0))
        return refuse(-EINVAL, R_GRANT_COUNT, (uint32_t)count, cmd);
    if (likely(cmd < ARRAY_SIZE(batch_ops) && batch_ops[cmd].fn))
        return run_batch((unsigned int)cmd, &batch_ops[cmd], guest, (uint32_t)count);
    return other_op((unsigned int)cmd, guest, (uint32_t)count);
}
