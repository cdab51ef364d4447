/* SPDX-License-Identifier: MIT
 *
 * Event channels within one domain: unbound, interdomain to oneself, IPI, VIRQ; send, mask, unmask, upcall,
 * status, close, reset, poll, and the errno of each refusal. xen/event_channel.h; docs/safety.md "Event
 * channels".
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/test.h"

TEST("events");
ROLE(dom0, domU);

#define NOWHERE 0x7000000000UL

static unsigned int calls, last_port;

static void count(unsigned int port, void *data)
{
    calls++;
    last_port = port;
    check(data == &calls, "the handler's own data");
    expect_eq(pv_vcpu_info()->evtchn_upcall_mask, 1);
}

static long op(int cmd, void *arg)
{
    return HYPERVISOR_event_channel_op(cmd, arg);
}

static bool pending(unsigned int port)
{
    return pv_shared_info.evtchn_pending[port / 64] >> (port % 64) & 1;
}

static struct evtchn_status status_of(unsigned int port)
{
    struct evtchn_status s = { .dom = DOMID_SELF, .port = port };

    expect_eq(op(EVTCHNOP_status, &s), 0);
    return s;
}

/* An IPI port: masked, pending, upcall. */
static void delivery(void)
{
    int port = pv_event_bind_ipi(NULL, NULL);

    check(port > 0 && port < PV_NR_PORTS, "port %d", port);
    expect_eq(status_of((unsigned int)port).status, EVTCHNSTAT_ipi);
    pv_events_on();
    expect_eq(pv_event_send((unsigned int)port), 0);
    check(pending((unsigned int)port), "a masked port becomes pending");
    expect_eq(calls, 0);
    pv_events_off();

    pv_event_set_handler((unsigned int)port, count, &calls); /* unmasks, with upcalls off */
    expect_eq(calls, 0);
    expect_eq(pv_vcpu_info()->evtchn_upcall_pending, 1);
    expect_eq(pv_vcpu_info()->evtchn_pending_sel, 1UL << (port / 64));
    pv_events_on();
    expect_eq(calls, 1);
    expect_eq(last_port, port);
    check(!pending((unsigned int)port), "handled");
    expect_eq(pv_vcpu_info()->evtchn_upcall_mask, 0);

    expect_eq(pv_event_send((unsigned int)port), 0);
    expect_eq(calls, 2);
    pv_event_mask((unsigned int)port);
    pv_event_send((unsigned int)port);
    pv_event_send((unsigned int)port);
    expect_eq(calls, 2);
    pv_event_unmask((unsigned int)port);
    expect_eq(calls, 3);
    pv_events_off();
    expect_eq(pv_event_close((unsigned int)port), 0);
    expect_eq(pv_event_send((unsigned int)port), -EINVAL);
    expect_eq(status_of((unsigned int)port).status, EVTCHNSTAT_closed);
}

/* Both ends in one domain. */
static void interdomain(void)
{
    int a = pv_event_alloc_unbound(DOMID_SELF, NULL, NULL), b;
    struct evtchn_status s = status_of((unsigned int)a);

    expect_eq(s.status, EVTCHNSTAT_unbound);
    expect_eq(s.u.unbound.dom, pv_domid());
    expect_eq(pv_event_send((unsigned int)a), 0); /* nobody there: no error, nothing happens */
    b = pv_event_bind_interdomain(DOMID_SELF, (unsigned int)a, NULL, NULL);
    check(b > 0 && b != a, "second end %d", b);
    check(pending((unsigned int)b), "a new interdomain port is pending at once");
    pv_event_test((unsigned int)b);
    s = status_of((unsigned int)a);
    expect_eq(s.status, EVTCHNSTAT_interdomain);
    expect_eq(s.u.interdomain.dom, pv_domid());
    expect_eq(s.u.interdomain.port, b);
    expect_eq(pv_event_send((unsigned int)a), 0);
    check(pending((unsigned int)b) && !pending((unsigned int)a), "the event is at the other end");
    expect_eq(pv_event_bind_interdomain(DOMID_SELF, (unsigned int)a, NULL, NULL), -EINVAL); /* taken */
    expect_eq(pv_event_close((unsigned int)a), 0);
    s = status_of((unsigned int)b);
    expect_eq(s.status, EVTCHNSTAT_unbound);
    expect_eq(pv_event_close((unsigned int)b), 0);
}

static void virqs(void)
{
    struct evtchn_bind_virq v = { .virq = VIRQ_DEBUG };
    unsigned int port;

    expect_eq(op(EVTCHNOP_bind_virq, &v), 0);
    port = v.port;
    expect_eq(status_of(port).status, EVTCHNSTAT_virq);
    expect_eq(status_of(port).u.virq, VIRQ_DEBUG);
    expect_eq(op(EVTCHNOP_bind_virq, &v), -EEXIST);
    expect_eq(pv_event_send(port), -EINVAL); /* a virtual interrupt can't be sent */
    expect_eq(pv_event_close(port), 0);
    v.virq = NR_VIRQS;
    expect_eq(op(EVTCHNOP_bind_virq, &v), -EINVAL);
    v.virq = 0xffffffff;
    expect_eq(op(EVTCHNOP_bind_virq, &v), -EINVAL);
    v = (struct evtchn_bind_virq){ .virq = VIRQ_TIMER, .vcpu = 64 };
    expect_eq(op(EVTCHNOP_bind_virq, &v), -ENOENT);
    v = (struct evtchn_bind_virq){ .virq = VIRQ_DOM_EXC, .vcpu = 0 };
    if (!pv_is_dom0())
        expect_eq(op(EVTCHNOP_bind_virq, &v), 0); /* binding is allowed, it just never comes */
}

static void refusals(void)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 1000 };
    struct evtchn_alloc_unbound alloc = { .dom = 77, .remote_dom = DOMID_SELF };
    struct evtchn_bind_vcpu vcpu = { .port = 4000, .vcpu = 0 };
    struct evtchn_send send = { .port = 0 };
    struct evtchn_status st = { .dom = DOMID_SELF, .port = 0xfffffff0 };
    struct evtchn_unmask un = { .port = 0xfffffff0 };

    expect_eq(op(EVTCHNOP_bind_ipi, &ipi), -ENOENT);
    expect_eq(op(EVTCHNOP_alloc_unbound, &alloc), -ESRCH);
    expect_eq(op(EVTCHNOP_bind_vcpu, &vcpu), -EINVAL);
    expect_eq(op(EVTCHNOP_send, &send), -EINVAL);
    send.port = 4095;
    expect_eq(op(EVTCHNOP_send, &send), -EINVAL);
    send.port = 0xffffffff;
    expect_eq(op(EVTCHNOP_send, &send), -EINVAL);
    expect_eq(op(EVTCHNOP_status, &st), -EINVAL);
    expect_eq(op(EVTCHNOP_unmask, &un), -EINVAL);
    expect_eq(op(EVTCHNOP_close, &(struct evtchn_close){ .port = 3000 }), -EINVAL);
    expect_eq(op(EVTCHNOP_close, &(struct evtchn_close){ .port = 0 }), -EINVAL);
    expect_eq(pv_event_bind_interdomain(77, 1, NULL, NULL), -ESRCH);
    expect_eq(pv_event_bind_interdomain(DOMID_SELF, 4000, NULL, NULL), -EINVAL);
    expect_eq(op(EVTCHNOP_send, (void *)NOWHERE), -EFAULT);
    expect_eq(op(EVTCHNOP_send, (void *)0xffff800000000000UL), -EFAULT);
    expect_eq(op(99, &send), -ENOSYS);
}

/* bind_vcpu on a port of each kind. */
static void rebind(void)
{
    int ipi = pv_event_bind_ipi(NULL, NULL), un = pv_event_alloc_unbound(DOMID_SELF, NULL, NULL);
    struct evtchn_bind_vcpu v = { .port = (evtchn_port_t)ipi, .vcpu = 0 };

    expect_eq(op(EVTCHNOP_bind_vcpu, &v), -EINVAL); /* an IPI belongs to its vcpu */
    v.port = (evtchn_port_t)un;
    expect_eq(op(EVTCHNOP_bind_vcpu, &v), 0);
    v.vcpu = 500;
    expect_eq(op(EVTCHNOP_bind_vcpu, &v), -ENOENT);
    pv_event_close((unsigned int)ipi);
    pv_event_close((unsigned int)un);
}

static void polling(void)
{
    int port = pv_event_bind_ipi(NULL, NULL);
    evtchn_port_t ports[130] = { (evtchn_port_t)port };
    struct sched_poll poll = { .nr_ports = 1 };
    uint64_t start = pv_time_ns();

    set_xen_guest_handle(poll.ports, ports);
    check(!pv_event_wait((unsigned int)port, 2000000), "nothing comes in 2 ms");
    check(pv_time_ns() - start >= 2000000, "poll waited");
    pv_event_send((unsigned int)port);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), 0); /* pending: at once */
    check(pv_event_test((unsigned int)port), "still pending after poll");
    poll.nr_ports = 129;
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), -EINVAL);
    poll.nr_ports = 1;
    ports[0] = 0xffffffff;
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), -EINVAL);
    set_xen_guest_handle(poll.ports, (evtchn_port_t *)NOWHERE);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), -EFAULT);
    pv_event_close((unsigned int)port);
    /* A port that nobody has: poll refuses it, unmasking leaves its bit alone. */
    set_xen_guest_handle(poll.ports, ports);
    ports[0] = (evtchn_port_t)port;
    pv_shared_info.evtchn_mask[port / 64] |= 1UL << (port % 64);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), -EINVAL);
    expect_eq(op(EVTCHNOP_unmask, &(struct evtchn_unmask){ .port = (evtchn_port_t)port }), 0);
    expect_eq(pv_shared_info.evtchn_mask[port / 64] >> (port % 64) & 1, 1);
}

/* Ports run out at a bound, nothing breaks, and all can be closed. */
static void many(void)
{
    static uint16_t ports[PV_NR_PORTS];
    unsigned int n = 0;
    long err;

    for (;; n++) {
        struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };

        err = op(EVTCHNOP_alloc_unbound, &a);
        if (err || n == PV_NR_PORTS)
            break;
        ports[n] = (uint16_t)a.port;
    }
    expect_eq(err, -ENOSPC);
    check(n > 1000 && n < PV_NR_PORTS, "%u ports", n);
    check(n && ports[n - 1] == PV_NR_PORTS - 1, "the last is %u", ports[n - 1]);
    for (unsigned int i = 0; i < n; i++)
        pv_event_close(ports[i]);
    check(pv_event_alloc_unbound(DOMID_SELF, NULL, NULL) > 0, "ports can be used again");
}

/* The call of old guests: the command stands in memory, before its argument. */
static void old_call(void)
{
    struct evtchn_op e = { .cmd = EVTCHNOP_alloc_unbound,
                           .u.alloc_unbound = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF } };

    expect_eq(pv_hypercall(__HYPERVISOR_event_channel_op_compat, (unsigned long)&e, 0, 0, 0, 0), 0);
    check(e.u.alloc_unbound.port > 0, "port %u", e.u.alloc_unbound.port);
    e = (struct evtchn_op){ .cmd = EVTCHNOP_close, .u.close = { .port = e.u.alloc_unbound.port } };
    expect_eq(pv_hypercall(__HYPERVISOR_event_channel_op_compat, (unsigned long)&e, 0, 0, 0, 0), 0);
    e.cmd = EVTCHNOP_reset;
    expect_eq(pv_hypercall(__HYPERVISOR_event_channel_op_compat, (unsigned long)&e, 0, 0, 0, 0), -ENOSYS);
    expect_eq(pv_hypercall(__HYPERVISOR_event_channel_op_compat, 0xffff820000000000UL, 0, 0, 0, 0), -EFAULT);
}

void test_main(void)
{
    old_call();
    delivery();
    interdomain();
    virqs();
    refusals();
    rebind();
    polling();
    many();
}
