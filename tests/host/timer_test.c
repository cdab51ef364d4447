/* SPDX-License-Identifier: MIT
 *
 * Timers: order of firing, moving and stopping, and how rarely the hardware is programmed.
 */
// sources: hypervisor/domain/timer.c tests/host/fake_domains.c
#include <criterion/criterion.h>
#include <stdlib.h>
#include "tests/host/fake_domains.h"

#define N 64

static struct timer timers[N];
static unsigned int fired[N], nr_fired, order[1000];

static void fire(void *arg)
{
    unsigned int i = (unsigned int)((struct timer *)arg - timers);

    cr_assert(!timers[i].armed);
    cr_assert_leq(timers[i].deadline, fake_now);
    fired[i]++;
    order[nr_fired++ % 1000] = i;
}

static void begin(void)
{
    fake_domains_begin();
    timer_init_cpu(0);
    for (unsigned int i = 0; i < N; i++) {
        timer_init(&timers[i], fire, &timers[i]);
        fired[i] = 0;
    }
    nr_fired = 0;
}

TestSuite(timer, .init = begin, .fini = fake_domains_end);

static void pass(uint64_t ns)
{
    fake_now += ns;
    timer_run();
}

Test(timer, fires_once_when_it_is_due)
{
    timer_set(&timers[0], 100);
    cr_assert_eq(fake_apic, 100);
    pass(99);
    cr_assert_eq(nr_fired, 0);
    cr_assert_eq(fake_apic, 100);
    pass(1);
    cr_assert_eq(nr_fired, 1);
    cr_assert_eq(fake_apic, ~0ULL);
    pass(1000);
    cr_assert_eq(nr_fired, 1);
}

Test(timer, the_earliest_first_and_equals_in_order)
{
    timer_set(&timers[0], 300);
    timer_set(&timers[1], 100);
    timer_set(&timers[2], 200);
    timer_set(&timers[3], 100);
    cr_assert_eq(fake_apic, 100);
    pass(250);
    cr_assert_eq(nr_fired, 3);
    cr_assert(order[0] == 1 && order[1] == 3 && order[2] == 2);
    cr_assert_eq(fake_apic, 300);
}

Test(timer, a_deadline_in_the_past_fires_at_the_next_run)
{
    fake_now = 1000;
    timer_set(&timers[0], 5);
    cr_assert_eq(fake_apic, 5);
    pass(0);
    cr_assert_eq(fired[0], 1);
}

Test(timer, the_hardware_is_left_alone_when_a_deadline_moves_away)
{
    timer_set(&timers[0], 1000);
    cr_assert_eq(fake_apic_sets, 1);
    for (unsigned int i = 1; i < 50; i++)
        timer_set(&timers[0], 1000 + i * 100);
    cr_assert_eq(fake_apic_sets, 1);
    timer_set(&timers[1], 500);
    cr_assert_eq(fake_apic_sets, 2);
    timer_stop(&timers[1]);
    cr_assert_eq(fake_apic_sets, 2);
    pass(1000); /* too early: nothing fires, the real deadline is programmed */
    cr_assert_eq(nr_fired, 0);
    cr_assert_eq(fake_apic, 5900);
    pass(4900);
    cr_assert_eq(fired[0], 1);
}

Test(timer, stopped_is_stopped)
{
    timer_set(&timers[0], 100);
    timer_stop(&timers[0]);
    timer_stop(&timers[0]);
    timer_stop(&timers[1]);
    pass(200);
    cr_assert_eq(nr_fired, 0);
    timer_set(&timers[0], 300);
    pass(100);
    cr_assert_eq(fired[0], 1);
}

static void again(void *arg)
{
    fire(arg);
    timer_set(arg, fake_now + 100);
}

Test(timer, a_function_may_arm_its_own_timer)
{
    timer_init(&timers[0], again, &timers[0]);
    timer_set(&timers[0], 100);
    for (unsigned int i = 0; i < 10; i++)
        pass(100);
    cr_assert_eq(fired[0], 10);
    cr_assert_eq(fake_apic, 1100);
}

/* Against the plain rule: each timer fires in the first run at or after its deadline, in order. */
Test(timer, random_deadlines)
{
    bool armed[N] = { false };

    srand(7);
    for (unsigned int round = 0; round < 3000; round++) {
        unsigned int i = (unsigned int)rand() % N;

        if (rand() % 4) {
            timer_set(&timers[i], fake_now + 1 + (uint64_t)rand() % 1000);
            armed[i] = true;
        } else {
            timer_stop(&timers[i]);
            armed[i] = false;
        }
        if (rand() % 3)
            continue;
        nr_fired = 0;
        pass((uint64_t)rand() % 300);
        for (unsigned int k = 1; k < nr_fired; k++)
            cr_assert_leq(timers[order[k - 1]].deadline, timers[order[k]].deadline);
        for (unsigned int k = 0; k < nr_fired; k++)
            armed[order[k]] = false;
        for (unsigned int t = 0; t < N; t++) {
            cr_assert_eq(timers[t].armed, armed[t]);
            cr_assert(!armed[t] || timers[t].deadline > fake_now);
            cr_assert(!armed[t] || fake_apic <= timers[t].deadline, "it would fire too late");
        }
    }
}
