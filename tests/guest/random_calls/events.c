/* SPDX-License-Identifier: MIT
 *
 * Event channels, all ends of which are this domain's. Ports are numbers that may or may not exist; those of
 * console and store are left alone.
 */
#include "tests/guest/random_calls/calls.h"

static bool reserved(uint32_t port)
{
    return !pv_is_dom0() && port &&
           (port == pv_start_info->console.domU.evtchn || port == pv_start_info->store_evtchn);
}

static uint32_t some_port(struct call *c)
{
    static const uint32_t wrong[] = { 0, 4095, 4096, 1U << 20, ~0U };
    uint32_t port = odd(5) ? PICK(wrong) : 1 + random(PORTS);

    if (reserved(port))
        port = PORTS + 1;
    say(c, "port %u ", port);
    return port;
}

static uint32_t some_vcpu(struct call *c)
{
    uint32_t v = odd(5) ? 2 + random(2) * 5000 : random(2);

    say(c, "vcpu %u ", v);
    return v;
}

static void op(struct call *c, unsigned int cmd, size_t size)
{
    call(c, __HYPERVISOR_event_channel_op, some_op(c, cmd, EVTCHNOP_set_priority + 1), some_pointer(c, size),
         0, 0);
    say(c, "event op %u", cmd);
}

/* Ports come in the same order everywhere. */
static void after_port(struct call *c)
{
    if (FINE(c->result) && c->x && c->a[1] == (uint64_t)c->data)
        random_mix(((uint32_t *)c->data)[c->x - 1]);
}

static void gen_unbound(struct call *c)
{
    struct evtchn_alloc_unbound *o = (void *)c->data;

    o->dom = some_domain(c);
    o->remote_dom = random(4) ? DOMID_SELF : random(2) ? 0 : 77;
    op(c, EVTCHNOP_alloc_unbound, sizeof(*o));
    c->x = 2; /* the word that holds the port, from 1 */
    c->after = after_port;
}

static void gen_interdomain(struct call *c)
{
    struct evtchn_bind_interdomain *o = (void *)c->data;

    o->remote_dom = odd(8) ? some_domain(c) : DOMID_SELF;
    o->remote_port = some_port(c);
    op(c, EVTCHNOP_bind_interdomain, sizeof(*o));
    c->x = 3;
    c->after = after_port;
}

static void gen_virq(struct call *c)
{
    static const uint32_t virqs[] = { VIRQ_DEBUG, VIRQ_XENOPROF, VIRQ_ARCH_1, VIRQ_ARCH_4 };
    static const uint32_t wrong[] = { 24, 25, 1000, ~0U };
    struct evtchn_bind_virq *o = (void *)c->data;

    o->virq = odd(4) ? PICK(wrong) : PICK(virqs);
    o->vcpu = some_vcpu(c);
    say(c, "virq %u ", o->virq);
    op(c, EVTCHNOP_bind_virq, sizeof(*o));
    c->x = 3;
    c->after = after_port;
}

static void gen_ipi(struct call *c)
{
    struct evtchn_bind_ipi *o = (void *)c->data;

    o->vcpu = some_vcpu(c);
    op(c, EVTCHNOP_bind_ipi, sizeof(*o));
    c->x = 2;
    c->after = after_port;
}

/* close, send, unmask: a port and nothing else. */
static void gen_port(struct call *c)
{
    static const uint8_t cmds[] = { EVTCHNOP_close, EVTCHNOP_close, EVTCHNOP_send,
                                    EVTCHNOP_send,  EVTCHNOP_send,  EVTCHNOP_unmask };

    *(uint32_t *)c->data = some_port(c);
    op(c, PICK(cmds), sizeof(uint32_t));
}

static void gen_bind_vcpu(struct call *c)
{
    struct evtchn_bind_vcpu *o = (void *)c->data;

    o->port = some_port(c);
    o->vcpu = some_vcpu(c);
    op(c, EVTCHNOP_bind_vcpu, sizeof(*o));
}

static void after_status(struct call *c)
{
    if (FINE(c->result) && c->a[1] == (uint64_t)c->data)
        random_mix(((struct evtchn_status *)(void *)c->data)->status);
}

static void gen_status(struct call *c)
{
    struct evtchn_status *o = (void *)c->data;

    o->dom = odd(4) ? some_domain(c) : DOMID_SELF;
    o->port = o->dom == 0 && !pv_is_dom0() ? 4096 : some_port(c);
    op(c, EVTCHNOP_status, sizeof(*o));
    c->after = after_status;
}

static void gen_priority(struct call *c)
{
    struct evtchn_set_priority *o = (void *)c->data;

    o->port = some_port(c);
    o->priority = random(20);
    op(c, EVTCHNOP_set_priority, sizeof(*o));
}

/* Of oneself only where no port is needed any more. */
static void gen_reset(struct call *c)
{
    struct evtchn_reset *o = (void *)c->data;

    o->dom = pv_is_dom0() && random(4) == 0 ? DOMID_SELF : 77;
    op(c, EVTCHNOP_reset, sizeof(*o));
}

static void gen_compat(struct call *c)
{
    struct evtchn_op *o = (void *)c->data;

    o->cmd = odd(3) ? EVTCHNOP_reset : EVTCHNOP_send;
    o->u.send.port = some_port(c);
    call(c, __HYPERVISOR_event_channel_op_compat, some_pointer(c, sizeof(*o)), 0, 0, 0);
    say(c, "compat op %u", o->cmd);
}

generator *const event_calls[] = { gen_unbound, gen_interdomain, gen_interdomain, gen_virq,
                                   gen_ipi,     gen_port,        gen_port,        gen_port,
                                   gen_port,    gen_port,        gen_bind_vcpu,   gen_status,
                                   gen_status,  gen_priority,    gen_reset,       gen_compat,
                                   NULL };

void events_end(void)
{
    for (uint32_t port = 1; port < 2 * PORTS + 64; port++)
        if (!reserved(port))
            HYPERVISOR_event_channel_op(EVTCHNOP_close, &(struct evtchn_close){ .port = port });
    for (unsigned int i = 0; i < 64; i++) {
        unsigned long keep = 0;

        for (unsigned int bit = 0; i < 2 && bit < 64; bit++)
            if (reserved(i * 64 + bit))
                keep |= 1UL << bit;
        __atomic_and_fetch(&pv_shared_info.evtchn_pending[i], keep, __ATOMIC_SEQ_CST);
        __atomic_or_fetch(&pv_shared_info.evtchn_mask[i], ~keep, __ATOMIC_SEQ_CST);
    }
}
