/* SPDX-License-Identifier: MIT
 *
 * event_channel_op: domains and privileges are checked here, domain/evtchn.c does the work.
 *
 * EVTCHNOP_send, the hot one, is tested for first and copies one word. Source: xen/event_channel.h.
 */
#include "hypercall/hypercall.h"

#define CALL_NR __HYPERVISOR_event_channel_op

static long op_alloc_unbound(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct evtchn_alloc_unbound *op = arg;
    uint16_t remote = op->remote_dom == DOMID_SELF ? v->domain->domid : op->remote_dom;
    struct domain *d;
    int rc = get_target_domain(CALL_NR, cmd, op->dom, &d);

    if (rc)
        return rc;
    rc = evtchn_alloc_unbound(d, remote, &op->port);
    put_domain(d);
    return rc;
}

static long op_bind_interdomain(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct evtchn_bind_interdomain *op = arg;
    uint16_t remote = op->remote_dom == DOMID_SELF ? v->domain->domid : op->remote_dom;

    return evtchn_bind_interdomain(v->domain, remote, op->remote_port, &op->local_port);
}

static long op_bind_virq(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct evtchn_bind_virq *op = arg;
    int rc = evtchn_bind_virq(v->domain, op->virq, op->vcpu, &op->port);

    if (!rc && op->virq == VIRQ_TIMER)
        vcpu_set_period(v->domain->vcpu[op->vcpu], v->domain->vcpu[op->vcpu]->period_ns);
    return rc;
}

static long op_bind_ipi(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct evtchn_bind_ipi *op = arg;

    return evtchn_bind_ipi(v->domain, op->vcpu, &op->port);
}

/* No domain has interrupt lines: the devices of domain 0 are its ramdisk. */
static long op_bind_pirq(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct evtchn_bind_pirq *op = arg;

    if (op->pirq >= nr_pirqs(v->domain))
        return refuse(-EINVAL, R_PIRQ_RANGE, op->pirq, 0);
    return refuse(-EPERM, R_PIRQ_NOT_YOURS, op->pirq, 0);
}

static long op_close(struct vcpu *v, uint32_t cmd, void *arg)
{
    return evtchn_close(v->domain, ((struct evtchn_close *)arg)->port);
}

/* As in Xen, a port that isn't there comes before a domain that isn't the caller's to ask about. */
static long op_status(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct evtchn_status *op = arg;
    struct domain *d = get_domain_for(v->domain, op->dom);
    int rc;

    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, op->dom, 0);
    rc = evtchn_status(d, op);
    if (!rc && d != v->domain && !v->domain->privileged)
        rc = refuse(-EPERM, R_NOT_PRIVILEGED, CALL_NR, cmd);
    put_domain(d);
    return rc;
}

static long op_bind_vcpu(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct evtchn_bind_vcpu *op = arg;

    return evtchn_bind_vcpu(v->domain, op->port, op->vcpu);
}

static long op_unmask(struct vcpu *v, uint32_t cmd, void *arg)
{
    return evtchn_unmask(v->domain, ((struct evtchn_unmask *)arg)->port);
}

static long op_reset(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct domain *d;
    int rc = get_target_domain(CALL_NR, cmd, ((struct evtchn_reset *)arg)->dom, &d);

    if (rc)
        return rc;
    rc = d == v->domain ? evtchn_reset(d) : refuse(-EINVAL, R_RESET_RUNNING, d->domid, 0);
    put_domain(d);
    return rc;
}

static long op_set_priority(struct vcpu *v, uint32_t cmd, void *arg)
{
    struct evtchn_status port = { .port = ((struct evtchn_set_priority *)arg)->port };

    return evtchn_status(v->domain, &port) ?: refuse(-ENOSYS, R_NOT_TWO_LEVEL, port.port, 0);
}

static const struct sub_op ops[] = {
    [EVTCHNOP_bind_interdomain] = { .fn = op_bind_interdomain, IN_OUT(struct evtchn_bind_interdomain) },
    [EVTCHNOP_bind_virq] = { .fn = op_bind_virq, IN_OUT(struct evtchn_bind_virq) },
    [EVTCHNOP_bind_pirq] = { .fn = op_bind_pirq, IN_OUT(struct evtchn_bind_pirq) },
    [EVTCHNOP_close] = { .fn = op_close, IN(struct evtchn_close) },
    [EVTCHNOP_status] = { .fn = op_status, IN_OUT(struct evtchn_status) },
    [EVTCHNOP_alloc_unbound] = { .fn = op_alloc_unbound, IN_OUT(struct evtchn_alloc_unbound) },
    [EVTCHNOP_bind_ipi] = { .fn = op_bind_ipi, IN_OUT(struct evtchn_bind_ipi) },
    [EVTCHNOP_bind_vcpu] = { .fn = op_bind_vcpu, IN(struct evtchn_bind_vcpu) },
    [EVTCHNOP_unmask] = { .fn = op_unmask, IN(struct evtchn_unmask) },
    [EVTCHNOP_reset] = { .fn = op_reset, IN(struct evtchn_reset) },
    [EVTCHNOP_set_priority] = { .fn = op_set_priority, IN(struct evtchn_set_priority) },
};

long do_event_channel_op(uint64_t cmd, uint64_t guest, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint32_t port;

    if (likely((uint32_t)cmd == EVTCHNOP_send))
        return copy_from_guest(&port, guest, sizeof(port)) ? refuse(-EFAULT, R_BAD_POINTER, guest, 0)
                                                           : evtchn_send(current->domain, port);
    return sub_op(CALL_NR, ops, ARRAY_SIZE(ops), current, (uint32_t)cmd, guest);
}

/* The form of old guests: the command stands before its argument in memory. */
long do_event_channel_op_compat(uint64_t guest, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    struct evtchn_op op;

    if (copy_from_guest(&op, guest, sizeof(op)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    if (op.cmd > EVTCHNOP_unmask)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_event_channel_op_compat, op.cmd);
    return do_event_channel_op(op.cmd, guest + offsetof(struct evtchn_op, u), 0, 0, 0);
}
