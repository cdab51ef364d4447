/* SPDX-License-Identifier: MIT
 *
 * Event channels: the states of ports, and delivery.
 *
 * A port's fields change under its domain's lock only; an interdomain pair under both. So whoever holds one
 * domain's lock sees its ports' other ends stay: a domain that ends closes its ports first, and takes both
 * locks for that. Ports are indexed without the lock: a bucket is published before nr_ports says so, and
 * neither goes away while the domain lives (XSA-221, 338).
 *
 * Delivery is one atomic bit each in the shared page: pending, then the vcpu's selector, then the flag, each
 * only if the one before was clear. The mask belongs to the guest.
 *
 * Leaves to others: numbers of domains and privileges (hypercall/event_channel.c), waking (sched.c), the
 * upcall (bounce.c). Next: hypercall/event_channel.c.
 */
#include "domain/domain.h"
#include "lib/bits.h"
#include "lib/print.h"
#include "x86/percpu.h"

#define CLOSES_A_STEP 64 /* ports that a preemptible step looks at */

static int __must_check grow_locked(struct domain *d)
{
    struct evtchn_domain *e = &d->evtchn;

    if (e->nr_ports % EVTCHN_BUCKET == 0) {
        struct evtchn *bucket = page_alloc();

        if (!bucket)
            return -ENOMEM;
        e->buckets[e->nr_ports / EVTCHN_BUCKET] = bucket;
        __atomic_add_fetch(&d->heap_pages, 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&e->nr_ports, e->nr_ports + EVTCHN_STEP, __ATOMIC_RELEASE);
    return 0;
}

int evtchn_init(struct domain *d)
{
    lock_init(&d->evtchn.lock, LOCK_EVTCHN);
    if (grow_locked(d))
        return -ENOMEM;
    d->evtchn.buckets[0][0].state = ECS_RESERVED; /* port 0 means "no port" */
    d->evtchn.lowest_free = 1;
    return 0;
}

void evtchn_free(struct domain *d)
{
    for (unsigned int i = 0; i < DIV_ROUND_UP(d->evtchn.nr_ports, EVTCHN_BUCKET); i++)
        page_free(d->evtchn.buckets[i]);
    d->evtchn.nr_ports = 0;
}

/* The lowest free port becomes `as`. 0 or a negative errno. */
static int __must_check bind_locked(struct domain *d, struct evtchn as, uint32_t *port)
{
    struct evtchn_domain *e = &d->evtchn;

    for (uint32_t p = e->lowest_free; p < EVTCHN_MAX_PORTS && !e->closed; p++) {
        if (p == e->nr_ports && grow_locked(d))
            return refuse(-ENOMEM, R_PORTS_NO_MEMORY, p, 0);
        if (evtchn_port(&d->evtchn, p)->state == ECS_FREE) {
            e->lowest_free = p + 1;
            e->in_use++;
            *evtchn_port(&d->evtchn, p) = as;
            *port = p;
            return 0;
        }
    }
    return refuse(-ENOSPC, R_PORTS_ALL_USED, EVTCHN_MAX_PORTS, 0);
}

static void port_free_locked(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_port(&d->evtchn, port);

    clear_bit(port, d->shared->evtchn_pending); /* nothing is left for who gets the port next */
    *chn = (struct evtchn){ .state = ECS_FREE };
    d->evtchn.lowest_free = MIN(d->evtchn.lowest_free, port);
    d->evtchn.in_use--;
}

/* Somebody has allocated it. Without the lock: a hint, for who only looks. */
static bool is_open(const struct evtchn *chn)
{
    return READ_ONCE(chn->state) > ECS_RESERVED;
}

/* Wakes the vcpus of d that poll for port. */
static void wake_pollers(struct domain *d, uint32_t port)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (test_bit(i, &d->evtchn.pollers) && (!v->sched.poll_port || v->sched.poll_port == port) &&
            test_and_clear_bit(i, &d->evtchn.pollers))
            vcpu_wake(v);
    }
}

/* An unmasked port has become pending: the selector, the flag, and a vcpu that waits. */
static force_inline void set_selector(struct vcpu *v, uint32_t port)
{
    struct vcpu_info *info = v->info;

    if (!test_and_set_bit(port / 64, &info->evtchn_pending_sel) &&
        !__atomic_exchange_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST) &&
        unlikely(READ_ONCE(v->sched.state) == VS_BLOCKED || nr_cpus > 1)) /* else it runs here */
        vcpu_wake(v);
}

static force_inline void set_pending(struct domain *d, struct vcpu *v, uint32_t port)
{
    struct shared_info *s = d->shared;

    if (test_and_set_bit(port, s->evtchn_pending))
        return;
    if (!test_bit(port, s->evtchn_mask))
        set_selector(v, port);
    if (unlikely(READ_ONCE(d->evtchn.pollers)))
        wake_pollers(d, port);
}

int evtchn_send(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_port(&d->evtchn, port);
    int rc = 0;

    if (unlikely(!chn))
        return refuse(-EINVAL, R_PORT_RANGE, port, 0);
    lock_take(&d->evtchn.lock);
    if (chn->state == ECS_INTERDOMAIN) {
        struct domain *r = chn->remote;
        uint32_t far = chn->remote_port;

        set_pending(r, r->vcpu[READ_ONCE(evtchn_port(&r->evtchn, far)->vcpu)], far);
    } else if (chn->state == ECS_IPI) {
        set_pending(d, d->vcpu[chn->vcpu], port);
    } else if (chn->state != ECS_UNBOUND) {
        rc = refuse(-EINVAL, R_PORT_STATE, port, chn->state);
    }
    lock_drop(&d->evtchn.lock);
    return rc;
}

static int bind(struct domain *d, struct evtchn as, uint32_t *port)
{
    int rc;

    lock_take(&d->evtchn.lock);
    rc = bind_locked(d, as, port);
    lock_drop(&d->evtchn.lock);
    return rc;
}

int evtchn_alloc_unbound(struct domain *d, uint16_t remote_domid, uint32_t *port)
{
    return bind(d, (struct evtchn){ .state = ECS_UNBOUND, .remote_domid = remote_domid }, port);
}

int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port)
{
    if (!domain_vcpu(d, vcpu))
        return refuse(-ENOENT, R_NO_SUCH_VCPU, vcpu, 0);
    return bind(d, (struct evtchn){ .state = ECS_IPI, .vcpu = (uint16_t)vcpu }, port);
}

/* Both domains' locks are held. */
static int bind_interdomain_locked(struct domain *d, struct domain *r, uint32_t remote_port, uint32_t *port)
{
    const struct evtchn as = {
        .state = ECS_INTERDOMAIN, .remote = r, .remote_domid = r->domid, .remote_port = remote_port
    };
    struct evtchn *far = evtchn_port(&r->evtchn, remote_port);
    int rc;

    rc = bind_locked(d, as, port);
    if (rc)
        return rc;
    if (!far)
        rc = refuse(-EINVAL, R_PORT_RANGE, remote_port, 0);
    else if (far->state != ECS_UNBOUND || far->remote_domid != d->domid)
        rc = refuse(-EINVAL, R_PORT_NOT_FOR_YOU, remote_port, r->domid);
    if (rc) {
        port_free_locked(d, *port);
        return rc;
    }
    far->state = ECS_INTERDOMAIN;
    far->remote = d;
    far->remote_port = *port;
    /* Events sent to the far end before were dropped: one for certain, as Xen gives. */
    set_pending(d, d->vcpu[0], *port);
    return 0;
}

int evtchn_bind_interdomain(struct domain *d, uint16_t remote_domid, uint32_t remote_port, uint32_t *port)
{
    struct domain *r = get_domain(remote_domid);
    int rc;

    if (!r)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, remote_domid, 0);
    lock_pair(&d->evtchn.lock, &r->evtchn.lock);
    rc = bind_interdomain_locked(d, r, remote_port, port);
    unlock_pair(&d->evtchn.lock, &r->evtchn.lock);
    put_domain(r);
    return rc;
}

int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn as = { .state = ECS_VIRQ, .vcpu = (uint16_t)vcpu, .virq = (uint16_t)virq };
    struct vcpu *v;
    int rc;

    if (virq >= NR_VIRQS)
        return refuse(-EINVAL, R_VIRQ_RANGE, virq, 0);
    if (evtchn_virq_is_global(virq) && vcpu != 0)
        return refuse(-EINVAL, R_VIRQ_GLOBAL, virq, vcpu);
    v = domain_vcpu(d, vcpu);
    if (!v)
        return refuse(-ENOENT, R_NO_SUCH_VCPU, vcpu, 0);

    lock_take(&d->evtchn.lock);
    if (v->virq_port[virq])
        rc = refuse(-EEXIST, R_VIRQ_BOUND, virq, v->virq_port[virq]);
    else
        rc = bind_locked(d, as, port);
    if (!rc)
        WRITE_ONCE(v->virq_port[virq], (uint16_t)*port);
    lock_drop(&d->evtchn.lock);
    return rc;
}

/* d's lock is held, and the other end's domain's if there is one. */
static void close_locked(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_port(&d->evtchn, port);

    if (chn->state == ECS_INTERDOMAIN) {
        struct evtchn *far = evtchn_port(&chn->remote->evtchn, chn->remote_port);

        far->state = ECS_UNBOUND; /* towards d, as before it was bound */
        far->remote = NULL;
        far->remote_port = 0;
    } else if (chn->state == ECS_VIRQ) {
        WRITE_ONCE(d->vcpu[evtchn_virq_is_global(chn->virq) ? 0 : chn->vcpu]->virq_port[chn->virq], 0);
    }
    port_free_locked(d, port);
}

/* The domain whose lock must be held beside d's to close the port. */
static struct domain *other_end(struct domain *d, const struct evtchn *chn)
{
    return chn->state == ECS_INTERDOMAIN ? chn->remote : d;
}

int evtchn_close(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_port(&d->evtchn, port);
    bool done = false;
    struct domain *r;
    int rc = 0;

    if (!chn)
        return refuse(-EINVAL, R_PORT_RANGE, port, 0);
    while (!done) {
        lock_take(&d->evtchn.lock);
        r = other_end(d, chn);
        domain_ref(r); /* alive: it would have closed this port */
        lock_drop(&d->evtchn.lock);

        lock_pair(&d->evtchn.lock, &r->evtchn.lock);
        done = other_end(d, chn) == r; /* else it changed in between: look again */
        if (done && is_open(chn))
            close_locked(d, port);
        else if (done)
            rc = refuse(-EINVAL, R_PORT_STATE, port, chn->state);
        unlock_pair(&d->evtchn.lock, &r->evtchn.lock);
        put_domain(r);
    }
    return rc;
}

int evtchn_reset(struct domain *d)
{
    struct evtchn_domain *e = &d->evtchn;
    uint32_t port = MAX(READ_ONCE(e->reset_at), 1U); /* another vcpu's too: one goes on where one stopped */

    for (unsigned int n = 0; port < e->nr_ports; port++, n++) {
        if (n == CLOSES_A_STEP) {
            WRITE_ONCE(e->reset_at, port);
            return -ERESTART;
        }
        if (READ_ONCE(evtchn_port(&d->evtchn, port)->state) != ECS_FREE && evtchn_close(d, port))
            continue; /* somebody else closed it in between */
    }
    WRITE_ONCE(e->reset_at, 0);
    return 0;
}

int evtchn_relinquish(struct domain *d)
{
    if (!d->evtchn.closed) {
        lock_take(&d->evtchn.lock);
        d->evtchn.closed = true;
        d->evtchn.reset_at = 0;
        lock_drop(&d->evtchn.lock);
    }
    return evtchn_reset(d);
}

int evtchn_status(struct domain *d, struct evtchn_status *st)
{
    static const uint8_t status[] = {
        [ECS_FREE] = EVTCHNSTAT_closed,     [ECS_RESERVED] = EVTCHNSTAT_closed,
        [ECS_UNBOUND] = EVTCHNSTAT_unbound, [ECS_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [ECS_VIRQ] = EVTCHNSTAT_virq,       [ECS_PIRQ] = EVTCHNSTAT_pirq,
        [ECS_IPI] = EVTCHNSTAT_ipi,
    };
    struct evtchn *chn = evtchn_port(&d->evtchn, st->port);

    if (!chn)
        return refuse(-EINVAL, R_PORT_RANGE, st->port, 0);
    lock_take(&d->evtchn.lock);
    st->status = status[chn->state];
    st->vcpu = chn->vcpu;
    if (chn->state == ECS_UNBOUND) {
        st->u.unbound.dom = chn->remote_domid;
    } else if (chn->state == ECS_INTERDOMAIN) {
        st->u.interdomain.dom = chn->remote_domid;
        st->u.interdomain.port = chn->remote_port;
    } else if (chn->state == ECS_VIRQ) {
        st->u.virq = chn->virq;
    }
    lock_drop(&d->evtchn.lock);
    return 0;
}

int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
    struct evtchn *chn = evtchn_port(&d->evtchn, port);
    int rc = 0;

    if (!domain_vcpu(d, vcpu))
        return refuse(-ENOENT, R_NO_SUCH_VCPU, vcpu, 0);
    if (!chn)
        return refuse(-EINVAL, R_PORT_RANGE, port, 0);
    lock_take(&d->evtchn.lock);
    if (chn->state == ECS_UNBOUND || chn->state == ECS_INTERDOMAIN ||
        (chn->state == ECS_VIRQ && evtchn_virq_is_global(chn->virq)))
        WRITE_ONCE(chn->vcpu, (uint16_t)vcpu);
    else
        rc = refuse(-EINVAL, R_PORT_STATE, port, chn->state);
    lock_drop(&d->evtchn.lock);
    return rc;
}

int evtchn_unmask(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_port(&d->evtchn, port);

    if (!chn)
        return refuse(-EINVAL, R_PORT_RANGE, port, 0);
    lock_take(&d->evtchn.lock);
    if (is_open(chn) && test_and_clear_bit(port, d->shared->evtchn_mask) &&
        test_bit(port, d->shared->evtchn_pending))
        set_selector(d->vcpu[chn->vcpu], port);
    lock_drop(&d->evtchn.lock);
    return 0;
}

int evtchn_pending(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_port(&d->evtchn, port);

    if (!chn)
        return refuse(-EINVAL, R_PORT_RANGE, port, 0);
    if (!is_open(chn))
        return refuse(-EINVAL, R_PORT_STATE, port, READ_ONCE(chn->state));
    return test_bit(port, d->shared->evtchn_pending);
}

void evtchn_send_virq(struct domain *d, uint32_t vcpu, uint32_t virq)
{
    const struct vcpu *holder = d->vcpu[vcpu];
    uint32_t port;

    ASSERT(vcpu == 0 || !evtchn_virq_is_global(virq));
    if (!READ_ONCE(holder->virq_port[virq]))
        return;
    lock_take(&d->evtchn.lock);
    port = holder->virq_port[virq];
    if (port)
        set_pending(d, d->vcpu[evtchn_port(&d->evtchn, port)->vcpu], port);
    lock_drop(&d->evtchn.lock);
}

void evtchn_dump(struct domain *d)
{
    static const char *const names[] = {
        "free", "reserved", "unbound", "interdomain", "virq", "pirq", "ipi"
    };

    for (uint32_t port = 1; port < d->evtchn.nr_ports; port++) {
        const struct evtchn *chn = evtchn_port(&d->evtchn, port);

        if (chn->state == ECS_FREE)
            continue;
        say("  d%u port %u: %s", d->domid, port, names[chn->state]);
        if (chn->state == ECS_UNBOUND)
            say(" for d%u", chn->remote_domid);
        else if (chn->state == ECS_INTERDOMAIN)
            say(" with d%u port %u", chn->remote_domid, chn->remote_port);
        else if (chn->state == ECS_VIRQ)
            say(" %u", chn->virq);
        say(", vcpu %u%s%s\n", chn->vcpu, test_bit(port, d->shared->evtchn_pending) ? ", pending" : "",
            test_bit(port, d->shared->evtchn_mask) ? ", masked" : "");
    }
}
