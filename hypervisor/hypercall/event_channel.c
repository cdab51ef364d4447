/* SPDX-License-Identifier: MIT
 *
 * event_channel_op: the sub-operations' arguments come in, domains and privileges are checked, evtchn.c does
 * the work.
 *
 * EVTCHNOP_send, the hot one, is tested for first and copies one word. Source: xen/event_channel.h.
 */
#include "domain/evtchn.h"
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/percpu.h"

/* Numbers beyond are no interrupt lines. */
#define NR_PIRQS      256
#define NR_PIRQS_DOMU 56

static int refuse_unprivileged(uint32_t op)
{
    return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_event_channel_op, op);
}

static int refuse_no_domain(uint16_t domid)
{
    return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
}

static bool may_control(const struct domain *caller, const struct domain *d)
{
    return caller == d || caller->privileged;
}

static int op_alloc_unbound(struct domain *caller, void *arg)
{
    struct evtchn_alloc_unbound *op = arg;
    struct domain *d = get_domain_for(caller, op->dom);
    int rc;

    if (!d)
        return refuse_no_domain(op->dom);
    if (may_control(caller, d))
        rc =
            evtchn_alloc_unbound(d, op->remote_dom == DOMID_SELF ? caller->domid : op->remote_dom, &op->port);
    else
        rc = refuse_unprivileged(EVTCHNOP_alloc_unbound);
    put_domain(d);
    return rc;
}

static int op_bind_interdomain(struct domain *caller, void *arg)
{
    struct evtchn_bind_interdomain *op = arg;
    uint16_t remote = op->remote_dom == DOMID_SELF ? caller->domid : op->remote_dom;

    return evtchn_bind_interdomain(caller, remote, op->remote_port, &op->local_port);
}

static int op_bind_virq(struct domain *caller, void *arg)
{
    struct evtchn_bind_virq *op = arg;
    int rc = evtchn_bind_virq(caller, op->virq, op->vcpu, &op->port);

    if (!rc && op->virq == VIRQ_TIMER)
        vcpu_set_period(caller->vcpu[op->vcpu], caller->vcpu[op->vcpu]->period_ns);
    return rc;
}

static int op_bind_ipi(struct domain *caller, void *arg)
{
    struct evtchn_bind_ipi *op = arg;

    return evtchn_bind_ipi(caller, op->vcpu, &op->port);
}

/* No domain has interrupt lines: the devices of domain 0 are its ramdisk. */
static int op_bind_pirq(struct domain *caller, void *arg)
{
    struct evtchn_bind_pirq *op = arg;

    if (op->pirq >= (caller->privileged ? NR_PIRQS : NR_PIRQS_DOMU))
        return refuse(-EINVAL, R_PIRQ_RANGE, op->pirq, 0);
    return refuse(-EPERM, R_PIRQ_NOT_YOURS, op->pirq, 0);
}

static int op_close(struct domain *caller, void *arg)
{
    return evtchn_close(caller, ((struct evtchn_close *)arg)->port);
}

static int op_send(struct domain *caller, void *arg)
{
    return evtchn_send(caller, ((struct evtchn_send *)arg)->port);
}

static int op_status(struct domain *caller, void *arg)
{
    struct evtchn_status *op = arg;
    struct domain *d = get_domain_for(caller, op->dom);
    int rc;

    if (!d)
        return refuse_no_domain(op->dom);
    rc = evtchn_status(d, op);
    if (!rc && !may_control(caller, d))
        rc = refuse_unprivileged(EVTCHNOP_status);
    put_domain(d);
    return rc;
}

static int op_bind_vcpu(struct domain *caller, void *arg)
{
    struct evtchn_bind_vcpu *op = arg;

    return evtchn_bind_vcpu(caller, op->port, op->vcpu);
}

static int op_unmask(struct domain *caller, void *arg)
{
    return evtchn_unmask(caller, ((struct evtchn_unmask *)arg)->port);
}

static int op_reset(struct domain *caller, void *arg)
{
    struct evtchn_reset *op = arg;
    struct domain *d = get_domain_for(caller, op->dom);
    int rc;

    if (!d)
        return refuse_no_domain(op->dom);
    if (!may_control(caller, d))
        rc = refuse_unprivileged(EVTCHNOP_reset);
    else if (d != caller)
        rc = refuse(-EINVAL, R_RESET_RUNNING, d->domid, 0);
    else
        rc = evtchn_reset(d);
    put_domain(d);
    return rc;
}

static int op_set_priority(struct domain *caller, void *arg)
{
    struct evtchn_set_priority *op = arg;
    int rc = evtchn_pending(caller, op->port);

    return rc < 0 ? rc : refuse(-ENOSYS, R_NOT_TWO_LEVEL, op->port, 0);
}

static const struct {
    uint16_t size;
    bool out; /* copied back on success */
    int (*fn)(struct domain *caller, void *arg);
} ops[] = {
    [EVTCHNOP_bind_interdomain] = { sizeof(struct evtchn_bind_interdomain), true, op_bind_interdomain },
    [EVTCHNOP_bind_virq] = { sizeof(struct evtchn_bind_virq), true, op_bind_virq },
    [EVTCHNOP_bind_pirq] = { sizeof(struct evtchn_bind_pirq), true, op_bind_pirq },
    [EVTCHNOP_close] = { sizeof(struct evtchn_close), false, op_close },
    [EVTCHNOP_send] = { sizeof(struct evtchn_send), false, op_send },
    [EVTCHNOP_status] = { sizeof(struct evtchn_status), true, op_status },
    [EVTCHNOP_alloc_unbound] = { sizeof(struct evtchn_alloc_unbound), true, op_alloc_unbound },
    [EVTCHNOP_bind_ipi] = { sizeof(struct evtchn_bind_ipi), true, op_bind_ipi },
    [EVTCHNOP_bind_vcpu] = { sizeof(struct evtchn_bind_vcpu), false, op_bind_vcpu },
    [EVTCHNOP_unmask] = { sizeof(struct evtchn_unmask), false, op_unmask },
    [EVTCHNOP_reset] = { sizeof(struct evtchn_reset), false, op_reset },
    [EVTCHNOP_set_priority] = { sizeof(struct evtchn_set_priority), false, op_set_priority },
};

static __attribute__((noinline)) long other_op(uint64_t cmd, uint64_t guest)
{
    uint64_t arg[4];
    long rc;

    _Static_assert(sizeof(struct evtchn_status) <= sizeof(arg), "the largest fits");
    if (cmd >= ARRAY_SIZE(ops) || !ops[cmd].fn)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_event_channel_op, cmd);
    if (copy_from_guest(arg, guest, ops[cmd].size))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    rc = ops[cmd].fn(current->domain, arg);
    if (rc == -ERESTART) {
        uint64_t args[2] = { cmd, guest };

        return hypercall_restart(__HYPERVISOR_event_channel_op, 2, args);
    }
    if (!rc && ops[cmd].out && copy_to_guest(guest, arg, ops[cmd].size))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    return rc;
}

long do_event_channel_op(uint64_t cmd, uint64_t guest, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint32_t port;

    (void)a3, (void)a4, (void)a5;
    if (unlikely((uint32_t)cmd != EVTCHNOP_send))
        return other_op((uint32_t)cmd, guest);
    if (copy_from_guest(&port, guest, sizeof(port)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    return evtchn_send(current->domain, port);
}

/* The form of old guests: the command stands before its argument in memory. */
long do_event_channel_op_compat(uint64_t guest, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint32_t cmd;

    (void)a2, (void)a3, (void)a4, (void)a5;
    if (copy_from_guest(&cmd, guest, sizeof(cmd)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    if (cmd > EVTCHNOP_unmask)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_event_channel_op_compat, cmd);
    return other_op(cmd, guest + offsetof(struct evtchn_op, u));
}
