/* SPDX-License-Identifier: MIT
 *
 * Event channels: the life of a port of each kind, delivery by pending, mask, selector and flag, who is
 * woken, refusals, and random walks after which the two ends of every pair still fit (docs/safety.md "Event
 * channels").
 */
// sources: hypervisor/domain/evtchn.c hypervisor/lib/lock.c tests/host/fake_domains.c
#include <criterion/criterion.h>
#include <stdlib.h>
#include "lib/bits.h"
#include "tests/host/fake_domains.h"

static struct domain *a, *b;

void vcpu_wake(struct vcpu *v)
{
    fake_wakes[v->domain->domid][v->id]++;
}

static void begin(void)
{
    fake_domains_begin();
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++)
        cr_assert_eq(evtchn_init(domains.by_id[i]), 0);
    a = domains.by_id[1];
    b = domains.by_id[2];
}

static void end(void)
{
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++) {
        while (evtchn_relinquish(domains.by_id[i]) == -ERESTART)
            ;
        cr_assert_eq(domains.by_id[i]->evtchn.in_use, 0);
        cr_assert_eq(domains.by_id[i]->refs, 1);
        evtchn_free(domains.by_id[i]);
    }
    fake_domains_end();
}

TestSuite(evtchn, .init = begin, .fini = end);

static bool pending(struct domain *d, uint32_t port)
{
    return test_bit(port, d->shared->evtchn_pending);
}

/* As a guest's upcall handler takes an event. */
static void consume(struct vcpu *v, uint32_t port)
{
    v->info->evtchn_upcall_pending = 0;
    v->info->evtchn_pending_sel = 0;
    clear_bit(port, v->domain->shared->evtchn_pending);
}

/* A bound pair; pa in a, pb in b. */
static void pair(uint32_t *pa, uint32_t *pb)
{
    cr_assert_eq(evtchn_alloc_unbound(a, b->domid, pa), 0);
    cr_assert_eq(evtchn_bind_interdomain(b, a->domid, *pa, pb), 0);
    consume(b->vcpu[0], *pb);
}

Test(evtchn, port_0_is_never_given)
{
    uint32_t port;

    cr_assert_eq(evtchn_alloc_unbound(a, 0, &port), 0);
    cr_assert_eq(port, 1);
    cr_assert_eq(evtchn_close(a, 0), -EINVAL);
    cr_assert_eq(evtchn_send(a, 0), -EINVAL);
}

Test(evtchn, the_lowest_free_port_is_given)
{
    uint32_t p[5], again;

    for (unsigned int i = 0; i < 5; i++)
        cr_assert_eq(evtchn_bind_ipi(a, 0, &p[i]), 0);
    cr_assert_eq(evtchn_close(a, p[3]), 0);
    cr_assert_eq(evtchn_close(a, p[1]), 0);
    cr_assert_eq(evtchn_bind_ipi(a, 0, &again), 0);
    cr_assert_eq(again, p[1]);
    cr_assert_eq(evtchn_bind_ipi(a, 0, &again), 0);
    cr_assert_eq(again, p[3]);
    cr_assert_eq(evtchn_bind_ipi(a, 0, &again), 0);
    cr_assert_eq(again, p[4] + 1);
}

Test(evtchn, all_ports_and_no_more)
{
    uint32_t port;

    for (unsigned int i = 1; i < EVTCHN_MAX_PORTS; i++) {
        cr_assert_eq(evtchn_bind_ipi(a, 1, &port), 0);
        cr_assert_eq(port, i);
    }
    cr_assert_eq(evtchn_bind_ipi(a, 1, &port), -ENOSPC);
    cr_assert_eq(evtchn_close(a, 4095), 0);
    cr_assert_eq(evtchn_bind_ipi(a, 1, &port), 0);
    cr_assert_eq(port, 4095);
    cr_assert_eq(evtchn_send(a, 4096), -EINVAL);
    cr_assert_eq(fake_rule, R_PORT_RANGE);
}

Test(evtchn, no_memory_for_more_ports)
{
    uint32_t port;

    for (unsigned int i = 1; i < EVTCHN_BUCKET; i++)
        cr_assert_eq(evtchn_bind_ipi(a, 0, &port), 0);
    fake_page_budget = 0;
    cr_assert_eq(evtchn_bind_ipi(a, 0, &port), -ENOMEM);
    cr_assert_eq(fake_rule, R_PORTS_NO_MEMORY);
    fake_page_budget = 1;
    cr_assert_eq(evtchn_bind_ipi(a, 0, &port), 0);
}

Test(evtchn, send_sets_pending_selector_and_flag_once)
{
    struct vcpu *v = a->vcpu[1];
    uint32_t port;

    cr_assert_eq(evtchn_bind_ipi(a, 1, &port), 0);
    cr_assert_eq(evtchn_send(a, port), 0);
    cr_assert(pending(a, port));
    cr_assert_eq(v->info->evtchn_pending_sel, 1UL << (port / 64));
    cr_assert_eq(v->info->evtchn_upcall_pending, 1);
    cr_assert_eq(a->vcpu[0]->info->evtchn_upcall_pending, 0);
    cr_assert_eq(fake_wakes[1][1], 1);
    cr_assert_eq(evtchn_send(a, port), 0);
    cr_assert_eq(fake_wakes[1][1], 1); /* still pending: nothing new */
    consume(v, port);
    cr_assert_eq(evtchn_send(a, port), 0);
    cr_assert_eq(fake_wakes[1][1], 2);
}

Test(evtchn, a_masked_port_is_pending_and_nothing_else)
{
    struct vcpu *v = a->vcpu[0];
    uint32_t port;

    cr_assert_eq(evtchn_bind_ipi(a, 0, &port), 0);
    set_bit(port, a->shared->evtchn_mask);
    cr_assert_eq(evtchn_send(a, port), 0);
    cr_assert(pending(a, port));
    cr_assert_eq(v->info->evtchn_pending_sel, 0);
    cr_assert_eq(v->info->evtchn_upcall_pending, 0);
    cr_assert_eq(fake_wakes[1][0], 0);
    cr_assert_eq(evtchn_unmask(a, port), 0);
    cr_assert_eq(v->info->evtchn_upcall_pending, 1);
    cr_assert_eq(fake_wakes[1][0], 1);
    cr_assert_eq(evtchn_unmask(a, port), 0); /* not masked: nothing */
    cr_assert_eq(fake_wakes[1][0], 1);
}

Test(evtchn, a_pair_notifies_across)
{
    uint32_t pa, pb;

    cr_assert_eq(evtchn_alloc_unbound(a, b->domid, &pa), 0);
    cr_assert_eq(evtchn_send(a, pa), 0); /* nobody there yet: dropped */
    cr_assert_eq(evtchn_bind_interdomain(b, a->domid, pa, &pb), 0);
    cr_assert(pending(b, pb), "binding leaves one event, for those that were lost");
    consume(b->vcpu[0], pb);
    cr_assert_eq(evtchn_send(a, pa), 0);
    cr_assert(pending(b, pb));
    cr_assert(!pending(a, pa));
    cr_assert_eq(evtchn_bind_vcpu(a, pa, 1), 0);
    cr_assert_eq(evtchn_send(b, pb), 0);
    cr_assert(pending(a, pa));
    cr_assert_eq(a->vcpu[1]->info->evtchn_upcall_pending, 1);
    cr_assert_eq(a->vcpu[0]->info->evtchn_upcall_pending, 0);
}

Test(evtchn, only_who_is_meant_can_bind)
{
    struct domain *c = domains.by_id[3];
    uint32_t pa, p, used;

    cr_assert_eq(evtchn_alloc_unbound(a, b->domid, &pa), 0);
    used = c->evtchn.in_use;
    cr_assert_eq(evtchn_bind_interdomain(c, a->domid, pa, &p), -EINVAL);
    cr_assert_eq(fake_rule, R_PORT_NOT_FOR_YOU);
    cr_assert_eq(evtchn_bind_interdomain(c, a->domid, 100000, &p), -EINVAL);
    cr_assert_eq(evtchn_bind_interdomain(c, 77, pa, &p), -ESRCH);
    cr_assert_eq(c->evtchn.in_use, used, "a refused bind leaves no port behind");
    cr_assert_eq(evtchn_bind_interdomain(b, a->domid, pa, &p), 0);
    cr_assert_eq(evtchn_bind_interdomain(b, a->domid, pa, &p), -EINVAL, "bound already");
}

Test(evtchn, close_leaves_the_other_end_unbound)
{
    struct evtchn_status st = { 0 };
    uint32_t pa, pb, again;

    pair(&pa, &pb);
    cr_assert_eq(evtchn_close(b, pb), 0);
    st.port = pa;
    cr_assert_eq(evtchn_status(a, &st), 0);
    cr_assert_eq(st.status, EVTCHNSTAT_unbound);
    cr_assert_eq(st.u.unbound.dom, b->domid);
    cr_assert_eq(evtchn_send(a, pa), 0);
    cr_assert_eq(evtchn_bind_interdomain(b, a->domid, pa, &again), 0);
    cr_assert_eq(evtchn_close(a, pa), 0);
    cr_assert_eq(evtchn_close(a, pa), -EINVAL);
    cr_assert_eq(evtchn_send(a, pa), -EINVAL);
    cr_assert_eq(evtchn_port(&b->evtchn, again)->state, ECS_UNBOUND);
}

Test(evtchn, a_new_port_has_nothing_pending)
{
    uint32_t port, again;

    cr_assert_eq(evtchn_bind_ipi(a, 0, &port), 0);
    cr_assert_eq(evtchn_send(a, port), 0);
    cr_assert_eq(evtchn_close(a, port), 0);
    cr_assert_eq(evtchn_bind_ipi(a, 0, &again), 0);
    cr_assert_eq(again, port);
    cr_assert(!pending(a, again));
}

Test(evtchn, a_pair_within_one_domain)
{
    uint32_t p, q;

    cr_assert_eq(evtchn_alloc_unbound(a, a->domid, &p), 0);
    cr_assert_eq(evtchn_bind_interdomain(a, a->domid, p, &q), 0);
    consume(a->vcpu[0], q);
    cr_assert_eq(evtchn_send(a, p), 0);
    cr_assert(pending(a, q) && !pending(a, p));
    cr_assert_eq(evtchn_close(a, p), 0);
    cr_assert_eq(evtchn_port(&a->evtchn, q)->state, ECS_UNBOUND);
}

Test(evtchn, virqs_of_a_vcpu)
{
    uint32_t p0, p1, p;

    cr_assert_eq(evtchn_bind_virq(a, VIRQ_TIMER, 0, &p0), 0);
    cr_assert_eq(evtchn_bind_virq(a, VIRQ_TIMER, 1, &p1), 0);
    cr_assert_eq(evtchn_bind_virq(a, VIRQ_TIMER, 1, &p), -EEXIST);
    cr_assert_eq(evtchn_bind_virq(a, VIRQ_TIMER, FAKE_VCPUS, &p), -ENOENT);
    cr_assert_eq(evtchn_bind_virq(a, NR_VIRQS, 0, &p), -EINVAL);
    evtchn_send_virq(a, 1, VIRQ_TIMER);
    cr_assert(pending(a, p1) && !pending(a, p0));
    cr_assert_eq(a->vcpu[1]->info->evtchn_upcall_pending, 1);
    evtchn_send_virq(a, 0, VIRQ_DEBUG); /* not bound */
    cr_assert_eq(a->vcpu[0]->info->evtchn_upcall_pending, 0);
    cr_assert_eq(evtchn_bind_vcpu(a, p0, 1), -EINVAL, "a vcpu's own VIRQ stays with it");
    cr_assert_eq(evtchn_close(a, p0), 0);
    evtchn_send_virq(a, 0, VIRQ_TIMER);
    cr_assert(!pending(a, p0));
    cr_assert_eq(evtchn_bind_virq(a, VIRQ_TIMER, 0, &p), 0);
}

Test(evtchn, global_virqs)
{
    uint32_t p, q;

    cr_assert_eq(evtchn_bind_virq(a, VIRQ_DOM_EXC, 1, &p), -EINVAL);
    cr_assert_eq(evtchn_bind_virq(a, VIRQ_DOM_EXC, 0, &p), 0);
    cr_assert_eq(evtchn_bind_vcpu(a, p, 1), 0);
    evtchn_send_virq(a, 0, VIRQ_DOM_EXC);
    cr_assert(pending(a, p));
    cr_assert_eq(a->vcpu[1]->info->evtchn_upcall_pending, 1);
    cr_assert_eq(evtchn_close(a, p), 0);
    cr_assert_eq(evtchn_bind_virq(a, VIRQ_DOM_EXC, 0, &q), 0, "closed where it was bound, not where it went");
}

Test(evtchn, pollers_wake_by_masked_ports)
{
    uint32_t p, q;

    cr_assert_eq(evtchn_bind_ipi(a, 0, &p), 0);
    cr_assert_eq(evtchn_bind_ipi(a, 0, &q), 0);
    set_bit(p, a->shared->evtchn_mask);
    set_bit(q, a->shared->evtchn_mask);
    a->vcpu[1]->sched.poll_port = q;
    set_bit(1, &a->evtchn.pollers);
    cr_assert_eq(evtchn_send(a, p), 0);
    cr_assert_eq(fake_wakes[1][1], 0, "it polls another port");
    cr_assert_eq(evtchn_send(a, q), 0);
    cr_assert_eq(fake_wakes[1][1], 1);
    cr_assert_eq(a->evtchn.pollers, 0);
    a->vcpu[0]->sched.poll_port = 0; /* several: any event */
    set_bit(0, &a->evtchn.pollers);
    clear_bit(p, a->shared->evtchn_pending);
    cr_assert_eq(evtchn_send(a, p), 0);
    cr_assert_eq(fake_wakes[1][0], 1);
}

Test(evtchn, reset_closes_all_in_steps)
{
    uint32_t pa, pb, port;
    unsigned int steps = 1;

    pair(&pa, &pb);
    for (unsigned int i = 0; i < 600; i++)
        cr_assert_eq(evtchn_bind_ipi(b, 0, &port), 0);
    cr_assert_eq(evtchn_bind_virq(b, VIRQ_TIMER, 0, &port), 0);
    while (evtchn_reset(b) == -ERESTART)
        steps++;
    cr_assert_gt(steps, 4);
    cr_assert_eq(b->evtchn.in_use, 0);
    cr_assert_eq(evtchn_port(&a->evtchn, pa)->state, ECS_UNBOUND);
    cr_assert_eq(b->vcpu[0]->virq_port[VIRQ_TIMER], 0);
    cr_assert_eq(evtchn_bind_ipi(b, 0, &port), 0);
    cr_assert_eq(port, 1);
}

Test(evtchn, an_ending_domain_gets_no_ports)
{
    uint32_t port;

    while (evtchn_relinquish(a) == -ERESTART)
        ;
    cr_assert_lt(evtchn_alloc_unbound(a, b->domid, &port), 0);
    cr_assert_lt(evtchn_bind_ipi(a, 0, &port), 0);
}

/* Every pair fits, every count is right. */
static void check_all(void)
{
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++) {
        struct domain *d = domains.by_id[i];
        uint32_t used = 0;

        for (uint32_t p = 1; p < d->evtchn.nr_ports; p++) {
            struct evtchn *chn = evtchn_port(&d->evtchn, p);

            used += chn->state != ECS_FREE;
            cr_assert(chn->state != ECS_FREE || p >= d->evtchn.lowest_free);
            if (chn->state == ECS_INTERDOMAIN) {
                struct evtchn *far = evtchn_port(&chn->remote->evtchn, chn->remote_port);

                cr_assert(far->state == ECS_INTERDOMAIN && far->remote == d && far->remote_port == p);
                cr_assert(far->remote_domid == d->domid && chn->remote_domid == chn->remote->domid);
            } else {
                cr_assert_null(chn->remote);
            }
            if (chn->state == ECS_VIRQ)
                cr_assert_eq(d->vcpu[chn->vcpu]->virq_port[chn->virq], p);
        }
        cr_assert_eq(used, d->evtchn.in_use);
        cr_assert_eq(d->refs, 1);
    }
}

static void random_step(void)
{
    struct domain *d = domains.by_id[rand() % FAKE_DOMAINS], *r = domains.by_id[rand() % FAKE_DOMAINS];
    uint32_t port = (uint32_t)rand() % 40, out = 0;

    switch (rand() % 8) {
    case 0:
        evtchn_alloc_unbound(d, r->domid, &out);
        break;
    case 1:
    case 2:
        evtchn_bind_interdomain(d, r->domid, port, &out);
        break;
    case 3:
        evtchn_bind_virq(d, (uint32_t)rand() % 2, (uint32_t)rand() % 3, &out);
        break;
    case 4:
    case 5:
        evtchn_close(d, port);
        break;
    case 6:
        evtchn_bind_ipi(d, (uint32_t)rand() % 3, &out);
        break;
    default:
        evtchn_send(d, port);
    }
}

Test(evtchn, random_walks_keep_the_pairs_together)
{
    srand(2026);
    for (unsigned int round = 0; round < 200; round++) {
        for (unsigned int i = 0; i < 100; i++)
            random_step();
        check_all();
        if (round % 50 == 49) {
            while (evtchn_reset(domains.by_id[rand() % FAKE_DOMAINS]) == -ERESTART)
                ;
            check_all();
        }
    }
}
