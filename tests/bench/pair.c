/* SPDX-License-Identifier: MIT
 *
 * Rows between two domains on one CPU: events there and back, and requests through a ring there and responses
 * back. Domain a measures, domain b answers; each sleeps (SCHEDOP_poll) until the other's event. What a sees
 * between two readings of the clock is all work of both domains and of the hypervisor's two switches.
 */
#include "tests/bench/bench.h"
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "ring/ring.h"
#include "tests/guest/pair.h"

#define RING_REF (PAIR_REF + 1)
#define ROUNDS   100U

struct request {
    uint64_t id, grant, length;
};
struct response {
    uint64_t id, status;
};
RING_TYPES(bench, struct request, struct response);

static void wait_for_peer(void)
{
    pv_event_wait(pair.port, 0);
}

static uint64_t ping(uint64_t arg)
{
    (void)arg;
    return TIMED({
        pv_event_send(pair.port);
        wait_for_peer();
    });
}

static void pong(unsigned int rounds)
{
    while (rounds--) {
        wait_for_peer();
        pv_event_send(pair.port);
    }
}

static struct bench_front front;
static struct bench_back back;

static void exchange(uint64_t n)
{
    struct request req = { .grant = RING_REF, .length = 4096 };
    struct response rsp;
    uint64_t got = 0;

    for (req.id = 0; req.id < n; req.id++)
        bench_front_put(&front, &req);
    if (ring_front_push(&front.ring))
        pv_event_send(pair.port);
    for (;;) {
        while (bench_front_take(&front, &rsp))
            got++;
        if (got == n)
            return;
        if (ring_front_idle(&front.ring))
            wait_for_peer();
    }
}

static uint64_t requests(uint64_t n)
{
    uint64_t t = TIMED(exchange(n));

    /* The next round starts when b sleeps again. */
    HYPERVISOR_sched_op(SCHEDOP_yield, 0);
    return t;
}

static void serve(uint64_t total)
{
    struct request req;
    struct response rsp = { .status = 0 };

    while (total) {
        while (bench_back_take(&back, &req)) {
            rsp.id = req.id;
            bench_back_put(&back, &rsp);
            total--;
        }
        if (ring_back_push(&back.ring))
            pv_event_send(pair.port);
        if (total && ring_back_idle(&back.ring))
            wait_for_peer();
    }
}

static const struct {
    const char *name;
    unsigned int n;
} rows[] = {
    { "ring_latency", 1 }, { "ring_batch_2", 2 },   { "ring_batch_4", 4 },
    { "ring_batch_8", 8 }, { "ring_batch_16", 16 }, { "ring_batch_32", 32 },
};

void bench_pair(void)
{
    void *page = pair.is_a ? test_page() : pv_vaddr_reserve(1);
    grant_handle_t handle;

    if (pair.is_a) {
        bench_front_init(&front, page, PAGE_SIZE);
        pv_grant_set(RING_REF, pair.peer, pv_virt_to_mfn(page), false);
    }
    pair_sync();
    if (!pair.is_a) {
        bench_must(pv_grant_map(pair.peer, RING_REF, page, false, &handle), "map the ring");
        bench_back_attach(&back, page, PAGE_SIZE);
    }
    pair_sync();
    pv_event_test(pair.port);
    if (pair.is_a)
        bench_row("event_ping_pong", ping, 0, ROUNDS, 1);
    else
        pong(ROUNDS + BENCH_WARM_UP);
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pair_sync();
        if (pair.is_a)
            bench_row(rows[i].name, requests, rows[i].n, ROUNDS, rows[i].n);
        else
            serve((uint64_t)rows[i].n * (ROUNDS + BENCH_WARM_UP));
    }
    pair_sync();
}
