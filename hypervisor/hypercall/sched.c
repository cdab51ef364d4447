/* SPDX-License-Identifier: MIT
 *
 * sched_op: yield, block, poll, shutdown. None of them switches vcpus here: they mark the vcpu, and
 * schedule() runs on the way out. Source: xen/sched.h.
 */
#include "hypercall/hypercall.h"
#include <xen/sched.h>
#include "lib/bits.h"

#define POLL_MAX 128 /* ports, as Xen has it */

static long op_shutdown(struct vcpu *v, uint32_t cmd, void *arg)
{
    uint8_t reason = (uint8_t)((struct sched_shutdown *)arg)->reason;

    if (reason == SHUTDOWN_crash)
        domain_crash_own(v);
    else
        domain_shutdown(v->domain, reason);
    return 0;
}

/* 1: one of the ports is pending; 0: none; negative: errno. */
static int any_port_pending(struct vcpu *v, const struct sched_poll *op)
{
    uint64_t ports = (uint64_t)op->ports.p;

    for (unsigned int i = 0; i < op->nr_ports; i++) {
        uint32_t port;
        int rc;

        if (copy_from_guest(&port, ports + i * sizeof(port), sizeof(port)))
            return refuse(-EFAULT, R_BAD_POINTER, ports, 0);
        rc = port ? evtchn_pending(v->domain, port) : refuse(-EINVAL, R_PORT_RANGE, port, 0);
        if (rc)
            return rc;
        if (op->nr_ports == 1)
            v->sched.poll_port = port;
    }
    return 0;
}

static __attribute__((noinline)) long poll(struct vcpu *v, uint64_t guest)
{
    struct sched_poll op;
    int rc;

    if (copy_from_guest(&op, guest, sizeof(op)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    if (op.nr_ports > POLL_MAX)
        return refuse(-EINVAL, R_POLL_TOO_MANY, op.nr_ports, POLL_MAX);
    if (!guest_range_ok((uint64_t)op.ports.p, op.nr_ports * sizeof(uint32_t)))
        return refuse(-EFAULT, R_BAD_POINTER, (uint64_t)op.ports.p, 0);

    v->sched.poll_port = 0;
    set_bit(v->id, &v->domain->evtchn.pollers); /* from here on no event is missed */
    rc = any_port_pending(v, &op);
    if (rc) {
        clear_bit(v->id, &v->domain->evtchn.pollers);
        return rc < 0 ? rc : 0;
    }
    if (op.timeout)
        timer_set(&v->poll_timer, op.timeout);
    else
        timer_stop(&v->poll_timer);
    vcpu_block_polling(v);
    return 0;
}

static long op_remote_shutdown(struct vcpu *v, uint32_t cmd, void *arg)
{
    const struct sched_remote_shutdown *op = arg;
    struct domain *d = get_domain(op->domain_id);
    long rc = 0;

    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, op->domain_id, 0);
    if (v->domain->privileged)
        domain_shutdown(d, (uint8_t)op->reason);
    else
        rc = refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_sched_op, cmd);
    put_domain(d);
    return rc;
}

/* The reason that the domain's end will have, whatever ends it; the first one told counts. */
static long op_shutdown_code(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct domain *d = v->domain;

    lock_take(&d->lock);
    if (!d->shutdown_code_set)
        d->shutdown_reason = (uint8_t)((struct sched_shutdown *)arg)->reason;
    d->shutdown_code_set = true;
    lock_drop(&d->lock);
    return 0;
}

static long op_watchdog(struct vcpu *v, uint32_t cmd, void *arg)
{
    const struct sched_watchdog *op = arg;

    return watchdog_set(v->domain, op->id, op->timeout);
}

/* Domain 0's vcpus may ask to stay on one processor for a while; there is one, and none of them needs to. */
static long op_pin_override(struct vcpu *v, uint32_t cmd, void *arg)
{
    return refuse(-EINVAL, R_NOT_PINNED, (uint32_t)((struct sched_pin_override *)arg)->pcpu, 0);
}

static const struct sub_op ops[] = {
    [SCHEDOP_shutdown] = { .fn = op_shutdown, IN(struct sched_shutdown) },
    [SCHEDOP_remote_shutdown] = { .fn = op_remote_shutdown, IN(struct sched_remote_shutdown) },
    [SCHEDOP_shutdown_code] = { .fn = op_shutdown_code, IN(struct sched_shutdown) },
    [SCHEDOP_watchdog] = { .fn = op_watchdog, IN(struct sched_watchdog) },
    [SCHEDOP_pin_override] = { .fn = op_pin_override, IN(struct sched_pin_override), .privileged = true },
};

/* The three that are made all the time come before the table. */
long do_sched_op(uint64_t cmd, uint64_t guest, uint64_t a3, uint64_t a4, uint64_t a5)
{
    switch ((uint32_t)cmd) {
    case SCHEDOP_yield:
        vcpu_yield(current);
        return 0;
    case SCHEDOP_block:
        WRITE_ONCE(current->info->evtchn_upcall_mask, 0);
        vcpu_block(current);
        return 0;
    case SCHEDOP_poll:
        return poll(current, guest);
    default:
        return sub_op(__HYPERVISOR_sched_op, ops, ARRAY_SIZE(ops), current, (uint32_t)cmd, guest);
    }
}

/* The form of old guests: the second argument is a number. */
long do_sched_op_compat(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    if ((uint32_t)cmd > SCHEDOP_shutdown)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_sched_op_compat, (uint32_t)cmd);
    if ((uint32_t)cmd != SCHEDOP_shutdown)
        return do_sched_op(cmd, 0, 0, 0, 0);
    domain_shutdown(current->domain, (uint8_t)arg);
    return 0;
}
