/* SPDX-License-Identifier: MIT
 *
 * Event channels, two-level ABI: one pending and one mask bit a port in shared_info, a selector word a vcpu.
 *
 * The state machine knows no `current` and no guest pointer: all arguments are typed and checked here against
 * the domain's ports.
 */
#pragma once

#include "lib/lock.h"
#include <xen/event_channel.h>
#include <xen/xen.h>

struct domain;
struct vcpu;

#define EVTCHN_MAX_PORTS 4096 /* two-level: 64 * 64 */
#define EVTCHN_BUCKET    128  /* ports allocated together: a page */
#define EVTCHN_STEP      64   /* ports that become valid together, as Xen has it */

enum evtchn_state { ECS_FREE, ECS_RESERVED, ECS_UNBOUND, ECS_INTERDOMAIN, ECS_VIRQ, ECS_PIRQ, ECS_IPI };

struct evtchn {
    uint8_t state; /* enum evtchn_state; the domain's evtchn lock, like all fields */
    uint8_t pad;
    uint16_t vcpu;         /* whom it notifies */
    uint16_t remote_domid; /* unbound: who may bind; interdomain: the other end's domain */
    uint16_t virq;         /* ECS_VIRQ, ECS_PIRQ: its number */
    uint32_t remote_port;  /* interdomain */
    struct domain *remote; /* interdomain: the other end; that domain's death closes the port first */
    uint64_t pad2;         /* 32 bytes: indexed by a shift */
};

_Static_assert(sizeof(struct evtchn) * EVTCHN_BUCKET == 4096, "a bucket is a page");

struct evtchn_domain {
    struct lock lock; /* LOCK_EVTCHN: ports of this domain; two domains by lock_pair() */
    struct evtchn *buckets[EVTCHN_MAX_PORTS / EVTCHN_BUCKET];
    uint32_t nr_ports; /* ports that can be indexed; only grows while the domain lives */
    uint32_t in_use;
    uint32_t lowest_free; /* no free port is below */
    uint32_t reset_at;    /* where EVTCHNOP_reset or the domain's end goes on */
    bool closed;          /* the domain ends: no new ports */
    uint64_t pollers;     /* bit n: vcpu n is in SCHEDOP_poll; atomic */
};

/* A port, or NULL: there is none of that number. */
static inline struct evtchn *evtchn_port(const struct evtchn_domain *e, uint32_t port)
{
    if (port >= __atomic_load_n(&e->nr_ports, __ATOMIC_ACQUIRE)) /* pairs with grow_locked() */
        return NULL;
    return &e->buckets[port / EVTCHN_BUCKET][port % EVTCHN_BUCKET];
}

/* -ENOMEM, or 0. */
int evtchn_init(struct domain *d) __must_check;
/* Destruction, preemptible: closes all ports. 0 or -ERESTART. Then evtchn_free() frees the memory. */
int evtchn_relinquish(struct domain *d) __must_check;
void evtchn_free(struct domain *d);

/* Sub-operations: 0 or Xen's negative errno; results by pointer. remote_domid is a number, never DOMID_SELF.
 */
int evtchn_alloc_unbound(struct domain *d, uint16_t remote_domid, uint32_t *port);
int evtchn_bind_interdomain(struct domain *d, uint16_t remote_domid, uint32_t remote_port, uint32_t *port);
int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port);
int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port);
int evtchn_close(struct domain *d, uint32_t port);
int evtchn_send(struct domain *d, uint32_t port);
int evtchn_status(struct domain *d, struct evtchn_status *st); /* st->port in; the rest out */
int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);
int evtchn_unmask(struct domain *d, uint32_t port);
/* Closes all ports but those of a dying domain. Preemptible: -ERESTART, call again. */
int evtchn_reset(struct domain *d);

/* SCHEDOP_poll: whether port is pending now. 1, 0 or -EINVAL. */
int evtchn_pending(struct domain *d, uint32_t port);

/* Raises a VIRQ that is the vcpu's own (timer, debug), or the domain's (console, dom_exc; vcpu is 0 then):
 * sent to the vcpu that its port is bound to. */
void evtchn_send_virq(struct domain *d, uint32_t vcpu, uint32_t virq);

/* VIRQs that belong to the domain rather than to one of its vcpus (xen.h: G.). */
static inline bool evtchn_virq_is_global(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

/* Prints the domain's ports, a line each (debug key). */
void evtchn_dump(struct domain *d);
