/* SPDX-License-Identifier: MIT
 *
 * A hostile domain that sends events without a pause: the other one must get on with its work and keep its
 * time. docs/safety.md XSA-331, 332, and the threat model (nobody is stopped for longer than its share).
 */
#include "libpv/event.h"
#include "libpv/time.h"
#include "tests/guest/pair.h"

TEST("pair_storm");
ROLE(pair);

static volatile unsigned int calls, ticks;

static void count(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    calls++;
}

static void tick(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    ticks++;
    pv_timer_set(pv_time_ns() + 20000000);
}

static void victim(void)
{
    uint64_t start, work = 0;

    require(pv_event_bind_virq(VIRQ_TIMER, tick, NULL) > 0, "VIRQ_TIMER");
    pv_event_set_handler(pair.port, count, NULL);
    pair_sync();
    start = pv_time_ns();
    pv_timer_set(start + 20000000);
    pv_events_on();
    while (pv_time_ns() - start < 1000000000)
        work++;
    pv_events_off();
    pv_timer_set(0);
    pair.page->words[0] = 1; /* enough */
    check(calls > 0, "%u events came", calls);
    check(ticks >= 5, "%u ticks in a second", ticks);
    check(work > 1000, "%lu rounds of work", work);
}

static void attacker(void)
{
    unsigned long sent = 0;

    pair_sync();
    while (!pair.page->words[0]) {
        pv_event_send(pair.port);
        sent++;
    }
    check(sent > 1000, "%lu events sent", sent);
}

void test_main(void)
{
    pair_init();
    if (pair.is_a)
        victim();
    else
        attacker();
    pair_sync();
}
