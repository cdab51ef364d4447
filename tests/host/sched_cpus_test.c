/* SPDX-License-Identifier: MIT
 *
 * The scheduler on several CPUs, played one after the other: who idles takes who waits, who is loaded stays,
 * affinity, and which CPU is told of what.
 */
// sources: hypervisor/domain/sched.c hypervisor/domain/sched_rr.c hypervisor/domain/timer.c
// sources: hypervisor/domain/evtchn.c hypervisor/lib/lock.c tests/host/fake_domains.c
#include <criterion/criterion.h>
#include <stdlib.h>
#include "tests/host/fake_domains.h"
#include "x86/cpu.h"

static struct vcpu *a, *b, *c; /* of domains 0, 1, 2: begin on CPUs 0, 1 and, of two, 0 */

void cpu_serve_work(void)
{
    uint32_t work =
        __atomic_fetch_and(&this_cpu()->work, ~(uint32_t)(WORK_TIMER | WORK_EVENT), __ATOMIC_RELAXED);

    if (work & WORK_TIMER)
        timer_run();
}

void time_fill(struct vcpu_time_info *t)
{
    (void)t;
}

static void begin(void)
{
    fake_domains_begin();
    nr_cpus = 2;
    for (fake_cpu = 0; fake_cpu < nr_cpus; fake_cpu++)
        sched_init();
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++)
        for (unsigned int k = 0; k < FAKE_VCPUS; k++) {
            sched_init_vcpu(domains.by_id[i]->vcpu[k]);
            vcpu_unpause(domains.by_id[i]->vcpu[k], PAUSE_DOMAIN);
        }
    a = domains.by_id[0]->vcpu[0];
    b = domains.by_id[1]->vcpu[0];
    c = domains.by_id[2]->vcpu[0];
    fake_cpu = 0;
}

static void end(void)
{
    fake_pages -= 2; /* the idle vcpus', which stay for ever */
    fake_domains_end();
}

TestSuite(sched_cpus, .init = begin, .fini = end);

static struct vcpu *schedule_on(uint32_t cpu)
{
    fake_cpu = cpu;
    return schedule();
}

/* Happens in the CPU's idle loop, once. */
static void (*meanwhile)(void);
static bool over;
static bool step(void)
{
    if (over)
        return false;
    meanwhile();
    over = true;
    return true;
}

Test(sched_cpus, they_begin_on_different_ones)
{
    cr_assert(a->sched.cpu == 0 && b->sched.cpu == 1 && c->sched.cpu == 0);
    cr_assert_eq(domains.by_id[0]->vcpu[1]->sched.cpu, 1);
    vcpu_up(a);
    fake_kicks[1] = 0;
    vcpu_up(b);
    cr_assert_eq(fake_kicks[1], 1, "its CPU is told");
    cr_assert_eq(schedule_on(0), a);
    cr_assert_eq(schedule_on(1), b);
}

Test(sched_cpus, who_idles_takes_who_waits)
{
    vcpu_up(a);
    vcpu_up(c); /* behind a on CPU 0 */
    cr_assert_eq(schedule_on(0), a);
    cr_assert_eq(schedule_on(1), c);
    cr_assert_eq(c->sched.cpu, 1);
    cr_assert(c->sched.on_cpu && a->sched.on_cpu);
}

static void leave_one_waiting(void)
{
    fake_cpu = 0;
    vcpu_up(c);
    fake_cpu = 1;
}

Test(sched_cpus, who_leaves_one_waiting_tells_an_idle_one)
{
    vcpu_up(a);
    schedule_on(0);
    fake_teardown = step;
    meanwhile = leave_one_waiting;
    cr_assert_eq(schedule_on(1), c);
    cr_assert_eq(fake_kicks[1], 1);
}

Test(sched_cpus, who_is_loaded_is_not_taken)
{
    vcpu_up(a);
    vcpu_up(c);
    schedule_on(0);
    vcpu_block(a); /* nobody takes it: it did not leave the CPU yet, and it waits for nothing */
    a->info->evtchn_upcall_pending = 1;
    vcpu_wake(a);
    cr_assert_eq(a->sched.state, VS_RUNNABLE);
    cr_assert_eq(schedule_on(1), c);
    cr_assert_eq(schedule_on(0), a);
}

Test(sched_cpus, an_event_for_who_runs_elsewhere_interrupts_that_cpu)
{
    vcpu_up(b);
    schedule_on(1);
    fake_cpu = 0;
    fake_kicks[1] = 0;
    b->info->evtchn_upcall_pending = 1;
    vcpu_wake(b);
    cr_assert_eq(fake_kicks[1], 1);
    cr_assert(cpus[1]->work & WORK_EVENT);
    vcpu_wake(b);
    cr_assert_eq(fake_kicks[1], 1, "it knows");
    fake_cpu = 1;
    vcpu_wake(b);
    cr_assert_eq(fake_kicks[1], 1, "its own CPU looks anyway");
}

Test(sched_cpus, a_wake_from_elsewhere_bounds_the_slice_there)
{
    vcpu_up(b);
    schedule_on(1);
    vcpu_up(domains.by_id[3]->vcpu[0]); /* also CPU 1's */
    cr_assert(domains.by_id[3]->vcpu[0]->sched.cpu == 1);
    fake_apic = ~0ULL;
    fake_cpu = 0;
    vcpu_up(domains.by_id[0]->vcpu[1]); /* CPU 1's as well */
    cr_assert(cpus[1]->work & WORK_SLICE);
    cr_assert_eq(fake_apic, ~0ULL, "not this CPU's timer");
}

Test(sched_cpus, affinity)
{
    cr_assert_eq(vcpu_set_affinity(a, 4), -EINVAL, "there is no such CPU");
    vcpu_up(a);
    schedule_on(0);
    cr_assert_eq(vcpu_set_affinity(c, 1), 0);
    vcpu_up(c);
    cr_assert_null(sched->pick(0, 1));
    cr_assert_eq(vcpu_set_affinity(c, 2), 0, "it waits: it moves at once");
    cr_assert_eq(c->sched.cpu, 1);
    cr_assert_eq(schedule_on(1), c);
}

static void up_b(void)
{
    vcpu_up(domains.by_id[2]->vcpu[1]);
}

Test(sched_cpus, affinity_of_who_runs)
{
    vcpu_up(a);
    schedule_on(0);
    cr_assert_eq(vcpu_set_affinity(a, 2), 0);
    cr_assert_eq(a->sched.cpu, 0, "not while it is loaded");
    cr_assert(cpus[0]->work & WORK_SCHEDULE);
    fake_teardown = step;
    meanwhile = up_b; /* so that CPU 0 leaves its idle loop */
    cr_assert_eq(vcpu_set_affinity(domains.by_id[2]->vcpu[1], 1), 0);
    cr_assert_eq(schedule_on(0), domains.by_id[2]->vcpu[1]);
    cr_assert_eq(a->sched.cpu, 1);
    cr_assert(!a->sched.on_cpu);
    cr_assert_eq(schedule_on(1), a);
}

/* ---- What other CPUs do in between: whenever CPU 0 is about to take a run queue's lock ---- */

static unsigned int held, taken, when; /* locks of run queues: held now, taken so far; when to come in */
static void (*others)(void);

static void watch(const struct lock *l, bool taking)
{
    if (l->order != LOCK_SCHED || fake_cpu)
        return;
    if (taking && !held && (!when || ++taken == when)) {
        fake_cpu = 1;
        others();
        fake_cpu = 0;
    }
    held += taking ? 1U : -1U;
}

/* CPU 0 schedules, and before it takes the n-th lock (0: any) the others do f. */
static struct vcpu *schedule_while(unsigned int n, void (*f)(void))
{
    struct vcpu *v;

    held = taken = 0;
    when = n;
    others = f;
    fake_lock = watch;
    v = schedule_on(0);
    fake_lock = NULL;
    return v;
}

static void block(struct vcpu *v)
{
    vcpu_block(v);
    cr_assert_eq(v->sched.state, VS_BLOCKED);
}

static void pause_c(void)
{
    vcpu_pause(c, PAUSE_DOMAIN);
}

Test(sched_cpus, who_is_chosen_hears_of_a_pause)
{
    vcpu_up(a);
    schedule_on(0);
    vcpu_up(c);
    block(a);
    cr_assert_eq(schedule_while(2, pause_c), c); /* chosen, and a still accounted for */
    cr_assert(cpus[0]->work & WORK_SCHEDULE, "it runs for ever, paused");
}

static void pin_c(void)
{
    cr_assert_eq(vcpu_set_affinity(c, 2), 0);
}

Test(sched_cpus, who_is_chosen_belongs_to_its_cpu)
{
    vcpu_up(a);
    schedule_on(0);
    vcpu_up(c);
    block(a);
    cr_assert_eq(schedule_while(2, pin_c), c);
    cr_assert_eq(c->sched.cpu, 0, "a flush of its translations goes elsewhere");
    cr_assert(cpus[0]->work & WORK_SCHEDULE);
}

static void wake_a_later(void)
{
    fake_now += 10;
    vcpu_wake(a);
}

Test(sched_cpus, no_state_lasts_less_than_nothing)
{
    vcpu_up(a);
    schedule_on(0);
    vcpu_up(c);
    block(a);
    schedule_on(0);
    block(c);
    fake_now = 100;
    cr_assert_eq(schedule_while(1, wake_a_later), a);
    cr_assert_eq(a->sched.runstate.time[RUNSTATE_runnable], 0);
    cr_assert_eq(a->sched.runstate.state_entry_time, 110);
}

/* As domain/teardown.c does, who ends a domain: its vcpu is loaded nowhere, and no lock is held that it then
 * takes. */
static void free_a(void)
{
    if (a && !a->sched.on_cpu) {
        free(a);
        domains.by_id[0]->vcpu[0] = a = NULL;
    }
}

Test(sched_cpus, nobody_looks_at_who_has_left)
{
    vcpu_up(a);
    schedule_on(0);
    vcpu_up(c);
    block(a);
    vcpu_pause(a, PAUSE_SHUTDOWN);
    cr_assert_eq(vcpu_set_affinity(a, 2), 0);
    cr_assert_eq(schedule_while(0, free_a), c);
    free_a();
    cr_assert_null(a);
}

Test(sched_cpus, a_timer_moves_to_the_cpu_that_sets_it)
{
    static struct timer t;

    timer_init(&t, reschedule, NULL);
    fake_cpu = 1;
    timer_set(&t, 5);
    fake_cpu = 0;
    timer_set(&t, 7);
    fake_cpu = 1;
    fake_now = 10;
    timer_run();
    cr_assert(t.armed, "not CPU 1's any more");
    fake_cpu = 0;
    timer_run();
    cr_assert(!t.armed);
}
