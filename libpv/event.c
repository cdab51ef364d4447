/* SPDX-License-Identifier: MIT
 *
 * Event channels: the scan of the two-level bitmap, the handlers, and the virtual interrupt flag.
 *
 * A pending bit is set by the hypervisor and cleared here before the handler runs, so that an event during
 * the handler makes another call. Locked bit operations, because the hypervisor writes the same words.
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/time.h"

/* By port; written with the port masked. fn NULL: nobody wants it, the scan masks it. */
static struct {
    pv_event_fn fn;
    void *data;
} table[PV_NR_PORTS];

#define barrier() __asm__ volatile("" ::: "memory")

static void set_bit(xen_ulong_t *words, unsigned int n)
{
    __atomic_fetch_or(&words[n / 64], 1UL << (n % 64), __ATOMIC_SEQ_CST);
}

/* Returns whether it was set. */
static bool clear_bit(xen_ulong_t *words, unsigned int n)
{
    return __atomic_fetch_and(&words[n / 64], ~(1UL << (n % 64)), __ATOMIC_SEQ_CST) >> (n % 64) & 1;
}

static bool test_bit(xen_ulong_t *words, unsigned int n)
{
    return __atomic_load_n(&words[n / 64], __ATOMIC_ACQUIRE) >> (n % 64) & 1;
}

static void deliver(unsigned int port)
{
    clear_bit(pv_shared_info.evtchn_pending, port);
    if (table[port].fn)
        table[port].fn(port, table[port].data);
    else
        set_bit(pv_shared_info.evtchn_mask, port);
}

void pv_event_upcall(struct pv_regs *r)
{
    struct vcpu_info *vi = pv_vcpu_info();

    (void)r;
    while (__atomic_exchange_n(&vi->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST)) {
        xen_ulong_t words = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

        while (words) {
            unsigned int w = (unsigned int)__builtin_ctzl(words);
            xen_ulong_t bits;

            words &= words - 1;
            while ((bits = __atomic_load_n(&pv_shared_info.evtchn_pending[w], __ATOMIC_ACQUIRE) &
                           ~__atomic_load_n(&pv_shared_info.evtchn_mask[w], __ATOMIC_ACQUIRE)) != 0)
                deliver(w * 64 + (unsigned int)__builtin_ctzl(bits));
        }
    }
}

void pv_event_set_handler(unsigned int port, pv_event_fn fn, void *data)
{
    set_bit(pv_shared_info.evtchn_mask, port);
    table[port].data = data;
    table[port].fn = fn;
    if (fn)
        pv_event_unmask(port);
}

/* A new port, or the errno of the call that should have made one. */
/* By pointer: the arguments of a call are evaluated in any order, the port after the hypercall. */
static int new_port(long err, const evtchn_port_t *port, pv_event_fn fn, void *data)
{
    if (err)
        return (int)err;
    pv_event_set_handler(*port, fn, data);
    return (int)*port;
}

int pv_event_bind_virq(unsigned int virq, pv_event_fn fn, void *data)
{
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = pv_vcpu_id() };

    return new_port(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &op), &op.port, fn, data);
}

int pv_event_bind_ipi(pv_event_fn fn, void *data)
{
    struct evtchn_bind_ipi op = { .vcpu = pv_vcpu_id() };

    return new_port(HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &op), &op.port, fn, data);
}

int pv_event_alloc_unbound(domid_t remote, pv_event_fn fn, void *data)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = remote };

    return new_port(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op), &op.port, fn, data);
}

int pv_event_bind_interdomain(domid_t remote, unsigned int remote_port, pv_event_fn fn, void *data)
{
    struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };

    return new_port(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &op), &op.local_port, fn, data);
}

int pv_event_close(unsigned int port)
{
    struct evtchn_close op = { .port = port };

    if (port >= PV_NR_PORTS)
        return (int)HYPERVISOR_event_channel_op(EVTCHNOP_close, &op);
    pv_event_set_handler(port, NULL, NULL);
    long err = HYPERVISOR_event_channel_op(EVTCHNOP_close, &op);
    if (!err)
        clear_bit(pv_shared_info.evtchn_pending, port);
    return (int)err;
}

bool pv_event_connected(unsigned int port)
{
    struct evtchn_status status = { .dom = DOMID_SELF, .port = port };

    return !HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) && status.status == EVTCHNSTAT_interdomain;
}

int pv_event_send(unsigned int port)
{
    struct evtchn_send op = { .port = port };

    return (int)HYPERVISOR_event_channel_op(EVTCHNOP_send, &op);
}

void pv_event_mask(unsigned int port)
{
    set_bit(pv_shared_info.evtchn_mask, port);
}

void pv_event_unmask(unsigned int port)
{
    struct evtchn_unmask op = { .port = port };

    clear_bit(pv_shared_info.evtchn_mask, port);
    if (!test_bit(pv_shared_info.evtchn_pending, port))
        return;
    /* The edge came while it was masked: only the hypervisor's unmasking raises it again. */
    set_bit(pv_shared_info.evtchn_mask, port);
    HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &op);
}

bool pv_event_test(unsigned int port)
{
    return clear_bit(pv_shared_info.evtchn_pending, port);
}

bool pv_event_wait(unsigned int port, uint64_t timeout_ns)
{
    evtchn_port_t ports[1] = { port };
    struct sched_poll poll = { .nr_ports = 1, .timeout = timeout_ns ? pv_time_ns() + timeout_ns : 0 };

    set_xen_guest_handle(poll.ports, ports);
    while (!pv_event_test(port)) {
        if (timeout_ns && pv_time_ns() >= poll.timeout)
            return false;
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    }
    return true;
}

void pv_events_on(void)
{
    struct vcpu_info *vi = pv_vcpu_info();

    barrier();
    vi->evtchn_upcall_mask = 0;
    barrier();
    /* Pending before the unmasking: any hypercall delivers it on its way back. */
    if (*(volatile uint8_t *)&vi->evtchn_upcall_pending)
        HYPERVISOR_xen_version(XENVER_version, NULL);
}

bool pv_events_off(void)
{
    struct vcpu_info *vi = pv_vcpu_info();
    bool on = !*(volatile uint8_t *)&vi->evtchn_upcall_mask;

    vi->evtchn_upcall_mask = 1;
    barrier();
    return on;
}

void pv_events_restore(bool on)
{
    if (on)
        pv_events_on();
}

void pv_block(void)
{
    HYPERVISOR_sched_op(SCHEDOP_block, NULL);
}
