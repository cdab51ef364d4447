/* SPDX-License-Identifier: MIT
 *
 * The scheduler: turns, slices, blocking and waking without lost wake-ups, pausing, polling, idling, and
 * runstate accounting that adds up.
 */
// sources: hypervisor/domain/sched.c hypervisor/domain/sched_rr.c hypervisor/domain/timer.c
// sources: hypervisor/domain/evtchn.c hypervisor/lib/lock.c tests/host/fake_domains.c
#include <criterion/criterion.h>
#include <stdlib.h>
#include "lib/bits.h"
#include "tests/host/fake_domains.h"
#include "x86/cpu.h"

#define MS    1000000ULL
#define SLICE (30 * MS)
#define WAKE  sched_rr.wake_ns

static struct vcpu *a, *b, *c; /* vcpu 0 of domains 1, 2, 3 */

/* x86/traps.c's */
void cpu_serve_work(void)
{
    if (__atomic_fetch_and(&this_cpu()->work, ~(uint32_t)WORK_TIMER, __ATOMIC_RELAXED) & WORK_TIMER)
        timer_run();
}

void time_fill(struct vcpu_time_info *t)
{
    t->system_time = fake_now;
}

static void begin(void)
{
    fake_domains_begin();
    sched_init();
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++) {
        struct domain *d = domains.by_id[i];

        cr_assert_eq(evtchn_init(d), 0);
        for (unsigned int k = 0; k < FAKE_VCPUS; k++) {
            sched_init_vcpu(d->vcpu[k]);
            vcpu_unpause(d->vcpu[k], PAUSE_DOMAIN);
        }
    }
    a = domains.by_id[1]->vcpu[0];
    b = domains.by_id[2]->vcpu[0];
    c = domains.by_id[3]->vcpu[0];
}

static void end(void)
{
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++)
        evtchn_free(domains.by_id[i]);
    fake_pages--; /* the idle vcpu's, which stays for ever */
    fake_domains_end();
}

TestSuite(sched, .init = begin, .fini = end);

/* The vcpu runs for ns; interrupts come when they are due; what it is left with on the way out. */
static struct vcpu *run(uint64_t ns)
{
    uint64_t until = fake_now + ns;

    while (fake_apic <= until) {
        fake_now = MAX(fake_now, fake_apic);
        fake_apic = ~0ULL;
        timer_run();
        if (this_cpu()->work & WORK_SCHEDULE)
            return schedule();
    }
    fake_now = until;
    return this_cpu()->work & WORK_SCHEDULE ? schedule() : current;
}

/* An unmasked event, as evtchn.c leaves it. */
static void event(struct vcpu *v)
{
    v->info->evtchn_upcall_pending = 1;
    vcpu_wake(v);
}

Test(sched, one_alone_runs_without_a_timer)
{
    vcpu_up(a);
    cr_assert_eq(schedule(), a);
    cr_assert_eq(fake_apic, ~0ULL, "no slice while nobody waits");
    cr_assert_eq(run(1000 * MS), a);
    vcpu_yield(a);
    cr_assert_eq(this_cpu()->work, 0, "a yield alone costs nothing");
}

Test(sched, each_in_turn_for_a_slice)
{
    vcpu_up(a);
    vcpu_up(b);
    vcpu_up(c);
    cr_assert_eq(schedule(), a);
    cr_assert_eq(run(SLICE - 1), a);
    cr_assert_eq(run(1), b);
    cr_assert_eq(run(SLICE), c);
    cr_assert_eq(run(SLICE), a);
    cr_assert_eq(run(SLICE), b);
}

Test(sched, yield_lets_the_others_run_first)
{
    vcpu_up(a);
    vcpu_up(b);
    vcpu_up(c);
    schedule();
    vcpu_yield(a);
    cr_assert_eq(run(0), b);
    vcpu_yield(b);
    cr_assert_eq(run(0), c);
    vcpu_yield(c);
    cr_assert_eq(run(0), a);
}

static void b_runs_c_is_next_a_waits(void)
{
    vcpu_up(a);
    vcpu_up(b);
    vcpu_up(c);
    schedule();
    vcpu_block(a);
    cr_assert_eq(run(0), b);
}

Test(sched, who_wakes_in_its_slice_runs_soon)
{
    vcpu_up(a);
    vcpu_up(b);
    schedule();
    run(4 * MS);
    vcpu_block(a);
    cr_assert_eq(run(0), b);
    run(10 * MS);
    event(a);
    cr_assert_eq(run(WAKE - 1), b);
    cr_assert_eq(run(1), a);
    a->info->evtchn_upcall_pending = 0;
    vcpu_block(a);
    cr_assert_eq(run(0), b);
    run(500 * MS); /* b had its slice many times over */
    event(a);
    cr_assert_eq(run(0), a, "at once then");
    cr_assert_eq(run(26 * MS - 1), a);
    cr_assert_eq(run(1), b, "what was left of its slice, not more");
}

Test(sched, who_wakes_often_takes_nobodys_turn)
{
    b_runs_c_is_next_a_waits();
    for (unsigned int i = 0; i < 10; i++) { /* a works for 0.5 ms after every 2 ms of the others' time */
        run(1 * MS);
        event(a);
        cr_assert_eq(run(WAKE), a);
        run(MS / 2);
        a->info->evtchn_upcall_pending = 0;
        vcpu_block(a);
        cr_assert_eq(run(0), b, "c waits until b has had its slice");
    }
    cr_assert_eq(run(SLICE - 20 * MS), c);
    event(a);
    cr_assert_eq(run(WAKE), a);
    cr_assert_eq(run(SLICE - 5 * MS), c, "a has had its slice too");
    cr_assert_eq(run(SLICE - WAKE), b);
    cr_assert_eq(run(SLICE), a);
}

Test(sched, who_wakes_has_no_more_of_the_cpu_than_the_others)
{
    uint64_t of_c = 0;

    b_runs_c_is_next_a_waits();
    vcpu_block(b);
    cr_assert_eq(run(0), c);
    for (unsigned int i = 0; i < 1000; i++) { /* a and b want it whenever they don't have it */
        struct vcpu *v = current;
        uint64_t begin = fake_now;

        if (v == c) {
            event(a);
            event(b);
            run(SLICE);
            of_c += fake_now - begin;
        } else {
            run(2 * MS);
            v->info->evtchn_upcall_pending = 0;
            vcpu_block(v);
            run(0);
        }
    }
    cr_assert(of_c > fake_now / 2, "%lu of %lu", of_c, fake_now);
}

/* How long it ran counts, not what it gave away. */
Test(sched, who_wakes_and_yields_delays_nobody_else_who_wakes)
{
    b_runs_c_is_next_a_waits();
    cr_assert_eq(run(SLICE), c);
    vcpu_block(c);
    cr_assert_eq(run(0), b);
    event(a);
    cr_assert_eq(run(WAKE), a);
    vcpu_yield(a);
    cr_assert_eq(run(0), b);
    event(c);
    cr_assert_eq(run(WAKE), c);
    cr_assert_eq(run(SLICE), b, "with all of its slice");
}

Test(sched, a_block_that_is_none_gives_no_new_slice)
{
    vcpu_up(a);
    vcpu_up(b);
    schedule();
    run(SLICE - MS);
    vcpu_block(a);
    event(a);
    cr_assert_eq(run(0), a);
    cr_assert_eq(run(MS), b);
}

Test(sched, a_block_with_an_event_pending_is_none)
{
    vcpu_up(a);
    vcpu_up(b);
    schedule();
    a->info->evtchn_upcall_pending = 1;
    vcpu_block(a);
    cr_assert_eq(run(0), a);
    a->info->evtchn_upcall_mask = 1; /* pending but masked: it does block */
    vcpu_block(a);
    cr_assert_eq(run(0), b);
}

Test(sched, an_event_between_block_and_schedule_is_not_lost)
{
    vcpu_up(a);
    schedule();
    vcpu_block(a);
    event(a);
    cr_assert_eq(run(0), a);
    cr_assert_eq(fake_switches, 1, "it never left the CPU");
}

Test(sched, idle_until_a_timer)
{
    static struct timer t;

    timer_init(&t, (void (*)(void *))vcpu_wake, a);
    vcpu_up(a);
    schedule();
    timer_set(&t, 7 * MS);
    vcpu_block(a);
    cr_assert_eq(schedule(), a);
    cr_assert_eq(fake_now, 7 * MS);
    cr_assert_eq(fake_halts, 1);
    cr_assert_eq(fake_switches, 1, "nobody else ran: nothing was loaded anew");
    cr_assert_eq(a->sched.runstate.time[RUNSTATE_blocked], 7 * MS);
}

Test(sched, paused_vcpus_do_not_run)
{
    vcpu_up(a);
    vcpu_up(b);
    vcpu_up(c);
    schedule();
    vcpu_pause(b, PAUSE_SHUTDOWN); /* in the queue */
    vcpu_pause(a, PAUSE_DOMAIN);   /* running */
    cr_assert_eq(run(0), c);
    cr_assert_eq(run(10 * SLICE), c);
    vcpu_unpause(a, PAUSE_DOMAIN);
    cr_assert_eq(run(0), a);
    vcpu_pause(c, PAUSE_DOMAIN);
    vcpu_pause(c, PAUSE_SHUTDOWN);
    vcpu_unpause(c, PAUSE_DOMAIN);
    cr_assert_eq(run(10 * SLICE), a, "both reasons must go");
    vcpu_unpause(c, PAUSE_SHUTDOWN);
    cr_assert_eq(run(10 * SLICE), c);
}

Test(sched, woken_while_paused)
{
    vcpu_up(a);
    vcpu_up(b);
    schedule();
    vcpu_block(a);
    run(0);
    vcpu_pause(a, PAUSE_DOMAIN);
    event(a);
    cr_assert_eq(run(10 * SLICE), b);
    vcpu_unpause(a, PAUSE_DOMAIN);
    cr_assert_eq(run(0), a);
}

Test(sched, down_and_up)
{
    vcpu_up(a);
    vcpu_up(b);
    schedule();
    cr_assert(vcpu_is_up(a) && !vcpu_is_up(c));
    vcpu_down(a);
    cr_assert_eq(run(0), b);
    event(a);
    cr_assert_eq(run(10 * SLICE), b, "an event does not bring it up");
    vcpu_up(a);
    vcpu_up(a);
    cr_assert_eq(run(SLICE), a);
    vcpu_down(b); /* in the queue */
    cr_assert_eq(run(10 * SLICE), a);
}

Test(sched, a_poll_ends_by_its_port_an_event_or_time)
{
    struct domain *d = a->domain;
    uint32_t port;

    cr_assert_eq(evtchn_bind_ipi(d, 0, &port), 0);
    set_bit(port, d->shared->evtchn_mask);
    vcpu_up(a);
    vcpu_up(b);
    schedule();
    a->sched.poll_port = port;
    set_bit(0, &d->evtchn.pollers);
    vcpu_block_polling(a);
    cr_assert_eq(run(0), b);
    cr_assert_eq(evtchn_send(d, port), 0);
    cr_assert_eq(run(SLICE), a);
    cr_assert_eq(d->evtchn.pollers, 0);

    set_bit(0, &d->evtchn.pollers);
    vcpu_block_polling(a);
    cr_assert_eq(run(0), b);
    event(a);
    cr_assert_eq(d->evtchn.pollers, 0, "whatever wakes it ends the poll");
    cr_assert_eq(run(SLICE), a);
    a->info->evtchn_upcall_pending = 0;

    vcpu_block_polling(a); /* the bit was cleared meanwhile: the port became pending */
    cr_assert_eq(run(0), a);
}

/* The CPU leaves the tables of a domain that has ended. */
static bool step(void)
{
    return false;
}

Test(sched, an_ended_domain_is_left)
{
    static struct timer t;

    fake_teardown = step;
    timer_init(&t, (void (*)(void *))vcpu_up, b);
    vcpu_up(a);
    schedule();
    timer_set(&t, MS);
    vcpu_pause(a, PAUSE_SHUTDOWN);
    cr_assert_eq(schedule(), b);
    cr_assert(!a->sched.on_cpu);
    cr_assert_eq(fake_switches, 3, "to a, to the idle vcpu, to b");
    vcpu_down(a);
}

static unsigned int steps;

/* It has the CPU for itself until work comes, and some does. */
static bool long_step(void)
{
    cr_assert(!cpu_work_pending(), "a step that would stop at once");
    steps++;
    reschedule(NULL);
    return true;
}

Test(sched, a_step_while_guests_run)
{
    vcpu_up(a);
    schedule();
    fake_teardown = long_step;
    domains_ending = 1;
    reschedule(NULL);
    cr_assert_eq(schedule(), a);
    cr_assert_eq(steps, 1);
    cr_assert(!cpu_work_pending(), "what ended the step is done: the guest runs now");
    domains_ending = 0;
    schedule();
    cr_assert_eq(steps, 1, "none where no domain ends");
}

static uint64_t total(struct vcpu *v)
{
    struct vcpu_runstate_info info;
    uint64_t sum = 0;

    vcpu_get_runstate(v, &info);
    for (unsigned int i = 0; i < 4; i++)
        sum += info.time[i];
    return sum;
}

Test(sched, runstates_add_up)
{
    struct vcpu *all[] = { a, b, c };

    srand(5);
    for (unsigned int i = 0; i < 3; i++)
        vcpu_up(all[i]);
    schedule();
    for (unsigned int n = 0; n < 5000; n++) {
        struct vcpu *v = all[rand() % 3];

        switch (rand() % 5) {
        case 0:
            v->info->evtchn_upcall_pending = 0;
            if (v == current && vcpu_is_running(v)) {
                unsigned int others = 0;

                for (unsigned int i = 0; i < 3; i++)
                    others += all[i] != v && all[i]->sched.state == VS_RUNNABLE;
                if (others)
                    vcpu_block(v);
            }
            break;
        case 1:
            event(v);
            break;
        case 2:
            if (vcpu_is_running(v))
                vcpu_yield(v);
            break;
        default:
            break;
        }
        run((unsigned int)rand() % (2 * SLICE));
        cr_assert(vcpu_is_running(current));
        for (unsigned int i = 0; i < 3; i++) {
            cr_assert_eq(total(all[i]), fake_now);
            cr_assert_eq(all[i]->sched.runstate.state == RUNSTATE_running, all[i] == current);
        }
    }
}

Test(sched, the_registered_area_follows)
{
    struct vcpu_runstate_info area = { 0 };

    a->sched.runstate_area = (uint64_t)&area;
    vcpu_up(a);
    vcpu_up(b);
    schedule();
    cr_assert_eq(area.state, RUNSTATE_running);
    run(SLICE);
    cr_assert_eq(area.state, RUNSTATE_runnable);
    run(SLICE);
    cr_assert_eq(area.state, RUNSTATE_running);
    cr_assert_eq(area.time[RUNSTATE_runnable], SLICE);
    a->kernel_mode = false; /* its address is the kernel's: it waits */
    run(SLICE);
    run(SLICE);
    cr_assert_eq(area.time[RUNSTATE_runnable], SLICE);
    cr_assert(a->areas_due);
    a->kernel_mode = true;
    vcpu_update_areas(a);
    cr_assert_eq(area.time[RUNSTATE_runnable], 2 * SLICE);
    cr_assert(!a->areas_due);
}
