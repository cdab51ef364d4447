/* SPDX-License-Identifier: MIT
 *
 * vcpu_op: bringing vcpus up and down, their areas and timers. Source: xen/vcpu.h.
 */
#include "domain/domain.h"
#include <xen/sched.h>
#include <xen/vcpu.h>
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/cpu.h"

#define CONTEXT_ORDER 1                            /* pages, as a power of two, for a vcpu_guest_context */
#define PERIOD_MIN    1000000ULL                   /* ns */
#define PERIOD_MAX    (10ULL * 24 * 3600000000000) /* ns, 10 days */

static long op_initialise(struct vcpu *v, uint64_t guest)
{
    struct vcpu_guest_context *c = pages_alloc(CONTEXT_ORDER);
    struct domain *d = v->domain;
    long rc;

    _Static_assert(sizeof(*c) <= PAGE_SIZE << CONTEXT_ORDER, "it fits");
    if (!c)
        return refuse(-ENOMEM, R_VCPU_CONTEXT, v->id, 0);
    if (copy_from_guest(c, guest, sizeof(*c))) {
        rc = refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    } else {
        lock_take(&d->lock);
        rc = v->initialised ? refuse(-EEXIST, R_VCPU_RUNS, v->id, 0) : vcpu_set_context(v, c);
        lock_drop(&d->lock);
    }
    pages_free(c, CONTEXT_ORDER);
    if (rc == -ERESTART) {
        uint64_t args[3] = { VCPUOP_initialise, v->id, guest };

        return hypercall_restart(__HYPERVISOR_vcpu_op, 3, args);
    }
    return rc;
}

static long op_up(struct vcpu *v, uint64_t guest)
{
    (void)guest;
    if (!v->initialised)
        return refuse(-EINVAL, R_VCPU_NO_STATE, v->id, 0);
    vcpu_up(v);
    return 0;
}

static long op_down(struct vcpu *v, uint64_t guest)
{
    struct domain *d = v->domain;
    bool others = false;

    (void)guest;
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        others |= d->vcpu[i] != v && vcpu_is_up(d->vcpu[i]);
    if (!others)
        domain_shutdown(d, SHUTDOWN_poweroff); /* nobody could ever bring one up again */
    else
        vcpu_down(v);
    return 0;
}

static long op_is_up(struct vcpu *v, uint64_t guest)
{
    (void)guest;
    return vcpu_is_up(v);
}

static long op_get_runstate(struct vcpu *v, uint64_t guest)
{
    struct vcpu_runstate_info info;

    vcpu_get_runstate(v, &info);
    if (copy_to_guest(guest, &info, sizeof(info)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    return 0;
}

/* Registers an area of size bytes, whose address lies at guest. An address of 0 ends it. */
static long register_area(struct vcpu *v, uint64_t guest, uint64_t size, uint64_t *where)
{
    uint64_t area;

    if (get_guest_u64(&area, guest))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    if (area && !guest_range_ok(area, size))
        return refuse(-EFAULT, R_BAD_POINTER, area, 0);
    *where = area;
    vcpu_update_areas(v);
    return 0;
}

static long op_runstate_area(struct vcpu *v, uint64_t guest)
{
    return register_area(v, guest, sizeof(struct vcpu_runstate_info), &v->sched.runstate_area);
}

static long op_time_area(struct vcpu *v, uint64_t guest)
{
    return register_area(v, guest, sizeof(struct vcpu_time_info), &v->time_area);
}

static long op_set_periodic(struct vcpu *v, uint64_t guest)
{
    uint64_t period;

    if (get_guest_u64(&period, guest))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    if (period < PERIOD_MIN || period > PERIOD_MAX)
        return refuse(-EINVAL, R_PERIOD_RANGE, period, 0);
    vcpu_set_period(v, period);
    return 0;
}

static long op_stop_periodic(struct vcpu *v, uint64_t guest)
{
    (void)guest;
    vcpu_set_period(v, 0);
    return 0;
}

static long op_set_singleshot(struct vcpu *v, uint64_t guest)
{
    struct vcpu_set_singleshot_timer op;

    if (v != current)
        return refuse(-EINVAL, R_VCPU_NOT_SELF, v->id, 0);
    if (copy_from_guest(&op, guest, sizeof(op)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    /* VCPU_SSHOTTMR_future is ignored, as the ABI allows and Xen does: a moment that has passed fires at
     * once. */
    timer_set(&v->singleshot, op.timeout_abs_ns);
    return 0;
}

static long op_stop_singleshot(struct vcpu *v, uint64_t guest)
{
    (void)guest;
    if (v != current)
        return refuse(-EINVAL, R_VCPU_NOT_SELF, v->id, 0);
    timer_stop(&v->singleshot);
    return 0;
}

static long op_register_info(struct vcpu *v, uint64_t guest)
{
    struct vcpu_register_vcpu_info op;

    if (copy_from_guest(&op, guest, sizeof(op)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    if (op.offset > PAGE_SIZE - sizeof(struct vcpu_info) || op.offset % __alignof__(struct vcpu_info))
        return refuse(-ENXIO, R_VCPU_INFO_PLACE, op.offset, 0);
    if (v->info_mfn != INVALID_MFN.v)
        return refuse(-EINVAL, R_VCPU_INFO_SET, v->id, 0);
    if (v != current && vcpu_is_up(v))
        return refuse(-EINVAL, R_VCPU_NOT_SELF, v->id, 0);
    if (!mfn_valid(MFN(op.mfn)))
        return refuse(-EINVAL, R_BAD_MFN, op.mfn, 0);
    return vcpu_place_info(v, MFN(op.mfn), op.offset);
}

static long op_send_nmi(struct vcpu *v, uint64_t guest)
{
    if (guest)
        return refuse(-EINVAL, R_NOT_NULL, guest, 0);
    WRITE_ONCE(v->nmi_pending, true);
    vcpu_wake(v);
    cpu_set_work(this_cpu(), WORK_SCHEDULE); /* the slow way out, where it is delivered */
    return 0;
}

/* Where the vcpu runs, for domain 0, whose vcpus stay where they are. */
static long op_get_physid(struct vcpu *v, uint64_t guest)
{
    uint64_t apic_id = v->sched.cpu;

    if (!v->domain->privileged)
        return refuse(-EINVAL, R_NOT_PINNED, 0, 0);
    if (put_guest_u64(apic_id | apic_id << 32, guest))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    return 0;
}

static long (*const ops[])(struct vcpu *v, uint64_t guest) = {
    [VCPUOP_initialise] = op_initialise,
    [VCPUOP_up] = op_up,
    [VCPUOP_down] = op_down,
    [VCPUOP_is_up] = op_is_up,
    [VCPUOP_get_runstate_info] = op_get_runstate,
    [VCPUOP_register_runstate_memory_area] = op_runstate_area,
    [VCPUOP_set_periodic_timer] = op_set_periodic,
    [VCPUOP_stop_periodic_timer] = op_stop_periodic,
    [VCPUOP_set_singleshot_timer] = op_set_singleshot,
    [VCPUOP_stop_singleshot_timer] = op_stop_singleshot,
    [VCPUOP_register_vcpu_info] = op_register_info,
    [VCPUOP_send_nmi] = op_send_nmi,
    [VCPUOP_get_physid] = op_get_physid,
    [VCPUOP_register_vcpu_time_memory_area] = op_time_area,
};

long do_vcpu_op(uint64_t cmd, uint64_t id, uint64_t guest, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = domain_vcpu(current->domain, (uint32_t)id);
    uint32_t op = (uint32_t)cmd;

    (void)a4, (void)a5;
    if (!v)
        return refuse(-ENOENT, R_NO_SUCH_VCPU, (uint32_t)id, 0);
    if (op >= ARRAY_SIZE(ops) || !ops[op])
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_vcpu_op, op);
    return ops[op](v, guest);
}
