/* SPDX-License-Identifier: MIT
 *
 * Event channels between two domains: binding, sending both ways, upcalls, closing by either side, what the
 * other domain may not touch, and the end of the other domain. xen/event_channel.h.
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/pair.h"

TEST("pair_events");
ROLE(pair);

#define ROUNDS 200

static unsigned int status_of(unsigned int port)
{
    struct evtchn_status s = { .dom = DOMID_SELF, .port = port };

    require(!HYPERVISOR_event_channel_op(EVTCHNOP_status, &s), "status");
    return s.status;
}

static void ping_pong(void)
{
    unsigned int lost = 0;

    pv_event_test(pair.port);
    pair_sync();
    for (int i = 0; i < ROUNDS; i++) {
        if (pair.is_a)
            pv_event_send(pair.port);
        lost += !pv_event_wait(pair.port, 5000000000UL);
        if (!pair.is_a)
            pv_event_send(pair.port);
        if (lost)
            break;
    }
    expect_eq(lost, 0);
}

static volatile unsigned int calls;

static void count(unsigned int port, void *data)
{
    (void)data;
    expect_eq(port, pair.port);
    calls++;
}

/* a sleeps in block, b wakes it. */
static void upcall(void)
{
    if (pair.is_a) {
        pv_event_test(pair.port);
        pv_event_set_handler(pair.port, count, NULL);
        pair_sync();
        while (!calls)
            pv_block();
        pv_events_off();
        expect_eq(calls, 1);
        pv_event_mask(pair.port);
    } else {
        struct sched_poll poll = { .timeout = 0 };

        pair_sync();
        poll.timeout = pv_time_ns() + 5000000; /* let it fall asleep */
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
        expect_eq(pv_event_send(pair.port), 0);
    }
    pair_sync();
}

/* Ports of the other domain that are no offer to this one. */
static void not_for_us(void)
{
    if (pair.is_a) {
        pair.page->words[0] = (uint64_t)pv_event_alloc_unbound(0, NULL, NULL);
        pair.page->words[1] = (uint64_t)pv_event_bind_ipi(NULL, NULL);
        pair.page->words[2] = (uint64_t)pv_event_alloc_unbound(DOMID_SELF, NULL, NULL);
        pair_sync();
    } else {
        struct evtchn_status s = { .dom = pair.peer, .port = PAIR_PORT };
        struct evtchn_alloc_unbound alloc = { .dom = pair.peer, .remote_dom = DOMID_SELF };
        struct evtchn_reset reset = { .dom = pair.peer };

        pair_sync();
        for (int i = 0; i < 3; i++)
            expect_eq(pv_event_bind_interdomain(pair.peer, (unsigned int)pair.page->words[i], NULL, NULL),
                      -EINVAL);
        expect_eq(pv_event_bind_interdomain(pair.peer, PAIR_PORT, NULL, NULL), -EINVAL); /* taken, by us */
        expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_status, &s), -EPERM);
        expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -EPERM);
        expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), -EPERM);
    }
    pair_sync();
}

/* b's end goes away: by close, and for the second channel by b's death. */
static void closing(void)
{
    if (pair.is_a) {
        uint64_t until;
        int second = pv_event_alloc_unbound(pair.peer, NULL, NULL);

        pair.page->words[0] = (uint64_t)second;
        pair_sync();
        pair_sync(); /* b has bound the second and closed the first */
        expect_eq(status_of(pair.port), EVTCHNSTAT_unbound);
        expect_eq(pv_event_send(pair.port), 0);
        expect_eq(status_of((unsigned int)second), EVTCHNSTAT_interdomain);
        check(!pv_grant_end(PAIR_REF), "b still maps the page");
        pair_sync();
        until = pv_time_ns() + 20000000000UL;
        while (status_of((unsigned int)second) != EVTCHNSTAT_unbound && pv_time_ns() < until)
            pv_udelay(1000);
        expect_eq(status_of((unsigned int)second), EVTCHNSTAT_unbound);
        while (!pv_grant_end(PAIR_REF) && pv_time_ns() < until)
            pv_udelay(1000);
        check(pv_time_ns() < until, "b's mapping ended with b");
    } else {
        pair_sync();
        expect_eq(pv_event_bind_interdomain(pair.peer, (unsigned int)pair.page->words[0], NULL, NULL) > 0,
                  true);
        expect_eq(pv_event_close(pair.port), 0);
        pair_sync();
        pair_sync();
    }
}

void test_main(void)
{
    pair_init();
    ping_pong();
    upcall();
    not_for_us();
    closing();
}
