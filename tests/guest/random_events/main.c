/* SPDX-License-Identifier: MIT
 *
 * Pseudo-random event channel calls within one domain, the same for the same seed everywhere: every result,
 * the bits of shared_info and the status of the port go into a hash, so that two hypervisors can be compared.
 * The word epoch=N prints an epoch's steps.
 *
 *     seed=1 steps=20000 epoch=
 */
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/random.h"

TEST("random_events");
ROLE(dom0, domU);

#define PORTS 24 /* calls name ports below this, some of which never exist */

static void result(const char *what, long r, unsigned int a, unsigned int b)
{
    struct vcpu_info *v = pv_vcpu_info();

    random_mix((uint64_t)r);
    random_mix(pv_shared_info.evtchn_pending[0]);
    random_mix(pv_shared_info.evtchn_mask[0]);
    random_mix(v->evtchn_pending_sel);
    random_mix(v->evtchn_upcall_pending);
    if (random_shown())
        pv_printf("%lu: %s %u %u = %ld, pending %lx mask %lx sel %lx upcall %u\n", random_step, what, a, b, r,
                  pv_shared_info.evtchn_pending[0], pv_shared_info.evtchn_mask[0], v->evtchn_pending_sel,
                  v->evtchn_upcall_pending);
}

static long op(int cmd, void *arg)
{
    return HYPERVISOR_event_channel_op(cmd, arg);
}

static void unbound(void)
{
    struct evtchn_alloc_unbound o = { .dom = DOMID_SELF, .remote_dom = random(4) ? DOMID_SELF : 77 };

    if (o.remote_dom == 77 && random(2))
        o.dom = 77;
    result("alloc_unbound", op(EVTCHNOP_alloc_unbound, &o), o.port, o.dom);
}

static void interdomain(void)
{
    struct evtchn_bind_interdomain o = { .remote_dom = DOMID_SELF, .remote_port = random(PORTS) };

    result("bind_interdomain", op(EVTCHNOP_bind_interdomain, &o), o.remote_port, o.local_port);
}

static void virq(void)
{
    struct evtchn_bind_virq o = { .virq = random(2) ? VIRQ_DEBUG : VIRQ_XENOPROF + random(20),
                                  .vcpu = random(8) ? 0 : 5000 };

    result("bind_virq", op(EVTCHNOP_bind_virq, &o), o.virq, o.port);
}

static void ipi(void)
{
    struct evtchn_bind_ipi o = { .vcpu = random(8) ? 0 : 5000 };

    result("bind_ipi", op(EVTCHNOP_bind_ipi, &o), o.vcpu, o.port);
}

static void close(void)
{
    struct evtchn_close o = { .port = random(PORTS) };

    result("close", op(EVTCHNOP_close, &o), o.port, 0);
}

static void send(void)
{
    struct evtchn_send o = { .port = random(PORTS) };

    result("send", op(EVTCHNOP_send, &o), o.port, 0);
}

static void unmask(void)
{
    struct evtchn_unmask o = { .port = random(PORTS) };

    result("unmask", op(EVTCHNOP_unmask, &o), o.port, 0);
}

static void bind_vcpu(void)
{
    struct evtchn_bind_vcpu o = { .port = random(PORTS), .vcpu = random(4) ? 0 : 5000 };

    result("bind_vcpu", op(EVTCHNOP_bind_vcpu, &o), o.port, o.vcpu);
}

static void status(void)
{
    struct evtchn_status o = { .dom = DOMID_SELF, .port = random(PORTS) };
    long r = op(EVTCHNOP_status, &o);

    if (!r && o.status == EVTCHNSTAT_interdomain)
        random_mix(o.u.interdomain.port);
    if (!r && o.status == EVTCHNSTAT_virq)
        random_mix(o.u.virq);
    result("status", r, o.port, r ? 0 : o.status);
}

/* The guest's own side: a mask bit, a pending bit, all of the vcpu's flags. */
static void by_hand(void)
{
    unsigned int port = random(PORTS);

    if (random(2)) {
        pv_shared_info.evtchn_mask[0] ^= 1UL << port;
        result("mask by hand", 0, port, 0);
    } else if (random(4)) {
        pv_shared_info.evtchn_pending[0] &= ~(1UL << port);
        result("clear pending", 0, port, 0);
    } else {
        pv_vcpu_info()->evtchn_upcall_pending = 0;
        pv_vcpu_info()->evtchn_pending_sel = 0;
        result("clear upcall", 0, 0, 0);
    }
}

static void poll(void)
{
    evtchn_port_t ports[2] = { random(PORTS), random(PORTS) };
    struct sched_poll o = { .nr_ports = 2, .timeout = 1 };

    set_xen_guest_handle(o.ports, ports);
    result("poll", HYPERVISOR_sched_op(SCHEDOP_poll, &o), ports[0], ports[1]);
}

static void reset(void)
{
    struct evtchn_reset o = { .dom = DOMID_SELF };

    if (!random(40) && !pv_is_dom0() && pv_start_info->console.domU.mfn == 0)
        result("reset", op(EVTCHNOP_reset, &o), 0, 0);
}

static void (*const calls[])(void) = { unbound, interdomain, interdomain, virq, ipi,    close,
                                       close,   send,        send,        send, unmask, bind_vcpu,
                                       status,  by_hand,     by_hand,     poll, reset };

static void step(void)
{
    PICK(calls)();
}

void test_main(void)
{
    random_begin();
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    pv_shared_info.evtchn_pending[0] = 0;
    pv_vcpu_info()->evtchn_pending_sel = 0;
    pv_vcpu_info()->evtchn_upcall_pending = 0;
    random_run(step, NULL, NULL);
}
