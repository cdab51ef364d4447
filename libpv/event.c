/* SPDX-License-Identifier: MIT
 *
 * Event channels: the scan of the two-level bitmap, the handlers, and the virtual interrupt flag.
 *
 * A pending bit is set by the hypervisor and cleared here before the handler runs, so that an event during
 * the handler makes another call. Locked bit operations, because the hypervisor writes the same words.
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/lock.h"
#include "libpv/start.h"
#include "libpv/time.h"

/* By port; written with the port masked, fn last. fn NULL: nobody wants it, the scan masks it. */
static struct {
    pv_event_fn fn;
    void *data;
} table[PV_NR_PORTS];

/* The ports that are bound to a vcpu; vcpu 0 has all that no other has, and of it are kept those that it has
 * not (so the words may start as zeros). Bits, because a scan meets pending ports of other vcpus in its
 * words. */
static xen_ulong_t bound[PV_MAX_VCPUS][PV_NR_PORTS / 64];

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

static void deliver(struct pv_vcpu *v, unsigned int port)
{
    pv_event_fn fn;

    clear_bit(pv_shared_info.evtchn_pending, port);
    if (pv_several) /* said before the look at fn; pairs with wait_for_handler() */
        __atomic_store_n(&v->handling, port, __ATOMIC_SEQ_CST);
    fn = __atomic_load_n(&table[port].fn, __ATOMIC_ACQUIRE);
    if (fn)
        fn(port, table[port].data);
    else
        set_bit(pv_shared_info.evtchn_mask, port);
    __atomic_store_n(&v->handling, 0, __ATOMIC_RELEASE);
}

/* Those of word w that are pending, not masked, and this vcpu's. */
static xen_ulong_t deliverable(const struct pv_vcpu *v, unsigned int w)
{
    xen_ulong_t bits = __atomic_load_n(&pv_shared_info.evtchn_pending[w], __ATOMIC_ACQUIRE) &
                       ~__atomic_load_n(&pv_shared_info.evtchn_mask[w], __ATOMIC_ACQUIRE);

    if (!pv_several)
        return bits;
    return bits & (__atomic_load_n(&bound[v->id][w], __ATOMIC_RELAXED) ^ (v->id ? 0 : ~0UL));
}

void pv_event_upcall(struct pv_regs *r)
{
    struct vcpu_info *vi = pv_vcpu_info();
    struct pv_vcpu *v = pv_vcpu_self();

    (void)r;
    v->upcalls++;
    while (__atomic_exchange_n(&vi->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST)) {
        xen_ulong_t words = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

        while (words) {
            unsigned int w = (unsigned int)__builtin_ctzl(words);
            xen_ulong_t bits;

            words &= words - 1;
            while ((bits = deliverable(v, w)) != 0)
                deliver(v, w * 64 + (unsigned int)__builtin_ctzl(bits));
        }
    }
}

/* Until no other vcpu is in the port's handler. */
static void wait_for_handler(unsigned int port)
{
    unsigned int self = pv_vcpu_id();

    for (unsigned int i = 0; pv_several && i < PV_MAX_VCPUS; i++)
        for (unsigned int n = 0;
             i != self && __atomic_load_n(&pv_vcpus[i].handling, __ATOMIC_SEQ_CST) == port; n++)
            pv_spin(n);
}

void pv_event_set_handler(unsigned int port, pv_event_fn fn, void *data)
{
    set_bit(pv_shared_info.evtchn_mask, port);
    __atomic_store_n(&table[port].fn, NULL, __ATOMIC_SEQ_CST);
    wait_for_handler(port);
    table[port].data = data;
    __atomic_store_n(&table[port].fn, fn, __ATOMIC_RELEASE);
    if (fn)
        pv_event_unmask(port);
}

/* Where the port's events are delivered, for the scan. */
static void belongs_to(unsigned int port, unsigned int vcpu)
{
    for (unsigned int i = 1; i < PV_MAX_VCPUS; i++)
        if (i != vcpu && test_bit(bound[i], port))
            clear_bit(bound[i], port);
    if (vcpu) {
        set_bit(bound[0], port);
        set_bit(bound[vcpu], port);
    } else {
        clear_bit(bound[0], port);
    }
}

/* A new port, or the errno of the call that should have made one. */
/* By pointer: the arguments of a call are evaluated in any order, the port after the hypercall. */
static int new_port(long err, const evtchn_port_t *port, unsigned int vcpu, pv_event_fn fn, void *data)
{
    if (err)
        return (int)err;
    if (pv_several)
        belongs_to(*port, vcpu);
    pv_event_set_handler(*port, fn, data);
    return (int)*port;
}

int pv_event_bind_virq(unsigned int virq, pv_event_fn fn, void *data)
{
    bool own = virq == VIRQ_TIMER || virq == VIRQ_DEBUG; /* all others are the domain's, first vcpu 0's */
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = own ? pv_vcpu_id() : 0 };

    return new_port(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &op), &op.port, op.vcpu, fn, data);
}

int pv_event_bind_ipi(pv_event_fn fn, void *data)
{
    struct evtchn_bind_ipi op = { .vcpu = pv_vcpu_id() };

    return new_port(HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &op), &op.port, op.vcpu, fn, data);
}

int pv_event_alloc_unbound(domid_t remote, pv_event_fn fn, void *data)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = remote };

    return new_port(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op), &op.port, 0, fn, data);
}

int pv_event_bind_interdomain(domid_t remote, unsigned int remote_port, pv_event_fn fn, void *data)
{
    struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };

    return new_port(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &op), &op.local_port, 0, fn, data);
}

int pv_event_bind_vcpu(unsigned int port, unsigned int vcpu)
{
    struct evtchn_bind_vcpu op = { .port = port, .vcpu = vcpu };
    int err = (int)HYPERVISOR_event_channel_op(EVTCHNOP_bind_vcpu, &op);

    if (err)
        return err;
    pv_event_mask(port);
    belongs_to(port, vcpu);
    pv_event_unmask(port); /* one that came meanwhile is raised again, where it belongs now */
    return 0;
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
    volatile struct vcpu_info *vi = &pv_shared_info.vcpu_info[0];
    bool pending;

    barrier();
    if (pv_several) {
        __asm__ volatile("movb $0, %%gs:%c1\n\tcmpb $0, %%gs:%c2"
                         : "=@ccne"(pending)
                         : "i"(offsetof(struct vcpu_info, evtchn_upcall_mask)),
                           "i"(offsetof(struct vcpu_info, evtchn_upcall_pending))
                         : "memory");
    } else {
        vi->evtchn_upcall_mask = 0;
        pending = vi->evtchn_upcall_pending;
    }
    /* Pending before the unmasking: any hypercall delivers it on its way back. */
    if (pending)
        HYPERVISOR_xen_version(XENVER_version, NULL);
}

/* With several vcpus each access is one instruction: who is moved to another vcpu in between had events on,
 * and has them on there. */
bool pv_events_off(void)
{
    volatile struct vcpu_info *vi = &pv_shared_info.vcpu_info[0];
    uint8_t mask;

    if (pv_several) {
        __asm__ volatile("movb %%gs:%c1, %0\n\tmovb $1, %%gs:%c1"
                         : "=&r"(mask)
                         : "i"(offsetof(struct vcpu_info, evtchn_upcall_mask))
                         : "memory");
    } else {
        mask = vi->evtchn_upcall_mask;
        vi->evtchn_upcall_mask = 1;
    }
    barrier();
    return !mask;
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
