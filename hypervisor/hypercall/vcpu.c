/* SPDX-License-Identifier: MIT
 *
 * vcpu_op and set_timer_op: bringing vcpus up and down, their areas and timers. Source: xen/vcpu.h.
 */
#include "hypercall/hypercall.h"
#include <xen/sched.h>
#include <xen/vcpu.h>
#include "x86/cpu.h"

#define CONTEXT_ORDER 1                            /* pages, as a power of two, for a vcpu_guest_context */
#define PERIOD_MIN    1000000ULL                   /* ns */
#define PERIOD_MAX    (10ULL * 24 * 3600000000000) /* ns, 10 days */
#define FAR_AWAY      (1ULL << 50)                 /* ns, 13 days */
#define SOON          100000000                    /* ns */

long vcpu_initialise(struct vcpu *v, uint64_t guest, bool anew)
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
        rc = v->initialised && !anew ? refuse(-EEXIST, R_VCPU_RUNS, v->id, 0) : vcpu_set_context(v, c);
        lock_drop(&d->lock);
    }
    if (!rc && anew)
        (c->flags & VGCF_online ? vcpu_up : vcpu_down)(v);
    pages_free(c, CONTEXT_ORDER);
    return rc;
}

static long op_up(struct vcpu *v, uint32_t op, void *arg)
{
    if (!v->initialised)
        return refuse(-EINVAL, R_VCPU_NO_STATE, v->id, 0);
    vcpu_up(v);
    return 0;
}

static long op_down(struct vcpu *v, uint32_t op, void *arg)
{
    struct domain *d = v->domain;
    bool others = false;

    lock_take(&d->lock); /* of two that go down together, one is the last */
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        others |= d->vcpu[i] != v && vcpu_is_up(d->vcpu[i]);
    if (others)
        vcpu_down(v);
    lock_drop(&d->lock);
    if (!others)
        domain_shutdown(d, SHUTDOWN_poweroff); /* nobody could ever bring one up again */
    return 0;
}

static long op_is_up(struct vcpu *v, uint32_t op, void *arg)
{
    return vcpu_is_up(v);
}

static long op_get_runstate(struct vcpu *v, uint32_t op, void *arg)
{
    vcpu_get_runstate(v, arg);
    return 0;
}

/* An area that Parador keeps up to date, at an address of the guest's. 0 ends it. */
static long op_area(struct vcpu *v, uint32_t op, void *arg)
{
    bool time = op == VCPUOP_register_vcpu_time_memory_area;
    uint64_t area = *(uint64_t *)arg;

    if (area && !guest_range_ok(area, 1)) /* its end is looked at when it is written */
        return refuse(-EFAULT, R_BAD_POINTER, area, 0);
    *(time ? &v->time_area : &v->sched.runstate_area) = area;
    vcpu_update_areas(v);
    return 0;
}

static long op_set_periodic(struct vcpu *v, uint32_t op, void *arg)
{
    uint64_t period = ((struct vcpu_set_periodic_timer *)arg)->period_ns;

    if (period < PERIOD_MIN || period > PERIOD_MAX)
        return refuse(-EINVAL, R_PERIOD_RANGE, period, 0);
    vcpu_set_period(v, period);
    return 0;
}

static long op_stop_periodic(struct vcpu *v, uint32_t op, void *arg)
{
    vcpu_set_period(v, 0);
    return 0;
}

/* VCPU_SSHOTTMR_future is ignored, as the ABI allows and Xen does: a moment that has passed fires at once. */
static long op_set_singleshot(struct vcpu *v, uint32_t op, void *arg)
{
    timer_set(&v->singleshot, ((struct vcpu_set_singleshot_timer *)arg)->timeout_abs_ns);
    return 0;
}

static long op_stop_singleshot(struct vcpu *v, uint32_t op, void *arg)
{
    timer_stop(&v->singleshot);
    return 0;
}

static long op_register_info(struct vcpu *v, uint32_t op, void *arg)
{
    const struct vcpu_register_vcpu_info *info = arg;

    if (info->offset > PAGE_SIZE - sizeof(struct vcpu_info) || info->offset % __alignof__(struct vcpu_info))
        return refuse(-ENXIO, R_VCPU_INFO_PLACE, info->offset, 0);
    if (v != current && vcpu_is_up(v))
        return refuse(-EINVAL, R_VCPU_NOT_SELF, v->id, 0);
    if (!mfn_valid(MFN(info->mfn)))
        return refuse(-EINVAL, R_BAD_MFN, info->mfn, 0);
    return vcpu_place_info(v, MFN(info->mfn), info->offset);
}

static long op_send_nmi(struct vcpu *v, uint32_t op, void *arg)
{
    __atomic_store_n(&v->nmi_pending, true, __ATOMIC_SEQ_CST); /* before the look where it is */
    vcpu_wake(v);
    cpu_kick(cpus[v->sched.cpu], WORK_SCHEDULE); /* the slow way out, where it is delivered */
    return 0;
}

/* Where the vcpu runs, for domain 0, whose vcpus stay where they are. */
static long op_get_physid(struct vcpu *v, uint32_t op, void *arg)
{
    uint64_t apic_id = v->sched.cpu;

    if (!v->domain->privileged)
        return refuse(-EINVAL, R_NOT_PINNED, 0, 0);
    *(uint64_t *)arg = apic_id | apic_id << 32;
    return 0;
}

static const struct sub_op ops[] = {
    [VCPUOP_up] = { .fn = op_up },
    [VCPUOP_down] = { .fn = op_down },
    [VCPUOP_is_up] = { .fn = op_is_up },
    [VCPUOP_get_runstate_info] = { .fn = op_get_runstate, OUT(struct vcpu_runstate_info) },
    [VCPUOP_register_runstate_memory_area] = { .fn = op_area, IN(uint64_t) },
    [VCPUOP_set_periodic_timer] = { .fn = op_set_periodic, IN(struct vcpu_set_periodic_timer) },
    [VCPUOP_stop_periodic_timer] = { .fn = op_stop_periodic },
    [VCPUOP_set_singleshot_timer] = { .fn = op_set_singleshot, IN(struct vcpu_set_singleshot_timer) },
    [VCPUOP_stop_singleshot_timer] = { .fn = op_stop_singleshot },
    [VCPUOP_register_vcpu_info] = { .fn = op_register_info, IN(struct vcpu_register_vcpu_info) },
    [VCPUOP_send_nmi] = { .fn = op_send_nmi },
    [VCPUOP_get_physid] = { .fn = op_get_physid, OUT(uint64_t) },
    [VCPUOP_register_vcpu_time_memory_area] = { .fn = op_area, IN(uint64_t) },
};

long do_vcpu_op(uint64_t cmd, uint64_t id, uint64_t guest, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = domain_vcpu(current->domain, (uint32_t)id);
    uint32_t op = (uint32_t)cmd;

    if (!v) /* is_up: how kernels count what they have */
        return op == VCPUOP_is_up ? -ENOENT : refuse(-ENOENT, R_NO_SUCH_VCPU, (uint32_t)id, 0);
    if ((op == VCPUOP_set_singleshot_timer || op == VCPUOP_stop_singleshot_timer) && v != current)
        return refuse(-EINVAL, R_VCPU_NOT_SELF, v->id, 0);
    if (op == VCPUOP_send_nmi && guest)
        return refuse(-EINVAL, R_NOT_NULL, guest, 0);
    if (op == VCPUOP_initialise) {
        long rc = vcpu_initialise(v, guest, false);
        return rc == -ERESTART ? hypercall_restart(__HYPERVISOR_vcpu_op, 0, NULL) : rc;
    }
    return sub_op(__HYPERVISOR_vcpu_op, ops, ARRAY_SIZE(ops), v, op, guest);
}

/* The calling vcpu's single-shot timer. A deadline in the past fires at once; 0 stops the timer. A deadline
 * that wrapped around, or is weeks ahead, means in old guests either "now" or "never": like Xen, 100 ms serve
 * both. */
long do_set_timer_op(uint64_t deadline, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct vcpu *v = current;

    if (unlikely(!deadline)) {
        timer_stop(&v->singleshot);
        return 0;
    }
    if (unlikely((int64_t)deadline < 0 || deadline >= FAR_AWAY)) {
        uint64_t now = now_ns();

        if ((int64_t)deadline < 0 || (deadline > now && deadline - now >= FAR_AWAY))
            deadline = now + SOON;
    }
    timer_set(&v->singleshot, deadline);
    return 0;
}
