/* SPDX-License-Identifier: MIT
 *
 * The begin of a domain's end, on several CPUs played one after the other: nothing is taken from a domain
 * while one of its vcpus is loaded, or can still be, or somebody has a reference to it.
 */
// sources: hypervisor/domain/teardown.c hypervisor/domain/sched.c hypervisor/domain/sched_rr.c
// sources: hypervisor/domain/timer.c hypervisor/domain/evtchn.c hypervisor/lib/lock.c
// sources: tests/host/fake_domains.c
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "domain/console.h"
#include "domain/grant.h"
#include "mm/paging.h"
#include "tests/host/fake_domains.h"
#include "x86/cpu.h"

static struct domain *d;                    /* the one that ends */
static struct vcpu *v;                      /* its second one */
static unsigned int stripped[FAKE_DOMAINS]; /* how often something was taken from it */

static bool let_go; /* others map nothing of it: else it stays until the test is over */
static struct domain *off_list, *freed;
static bool all_stood_still; /* since then */

/* ---- What the end is made of, and what surrounds it ---- */

void cpu_serve_work(void)
{
}

void time_fill(struct vcpu_time_info *t)
{
    (void)t;
}

void vcpu_stop(struct vcpu *of)
{
    vcpu_down(of);
}

void vcpu_drop_info(struct vcpu *of)
{
    (void)of;
}

int paging_relinquish(struct domain *of)
{
    for (unsigned int i = 0; i < of->max_vcpus; i++)
        cr_assert(!of->vcpu[i]->sched.on_cpu, "the tables that vcpu %u runs on", i);
    stripped[of->domid]++;
    return 0;
}

int grant_relinquish(struct domain *of)
{
    (void)of;
    return 0;
}

int domain_frames_relinquish(struct domain *of)
{
    (void)of;
    return 0;
}

bool shared_page_idle(const void *page)
{
    (void)page;
    return let_go;
}

bool grant_idle(struct domain *of)
{
    (void)of;
    return let_go;
}

bool domain_list_remove(struct domain *of)
{
    all_stood_still = false;
    off_list = of;
    return true;
}

void domain_free(struct domain *of)
{
    cr_assert_eq(off_list, of);
    cr_assert(all_stood_still, "who has it from find_domain() may be at work");
    freed = of;
}

struct domain *get_domain_by_index(unsigned int idx)
{
    domain_ref(domains.by_id[idx]);
    return domains.by_id[idx];
}

uint64_t frames_free(void)
{
    return 0;
}

void cpus_stop(void)
{
    all_stood_still = true;
}

void cpus_go(void)
{
}

void console_domain_ends(struct domain *of)
{
    (void)of;
}

void machine_exit(int status)
{
    (void)status;
    abort();
}

void domain_crash_as(struct domain *of, uint8_t reason, const char *why, ...)
{
    (void)why;
    domain_shutdown(of, reason);
}

/* ---- */

static void choose_domain(unsigned int id)
{
    d = domains.by_id[id];
    v = d->vcpu[1];
}

/* All vcpus are up and wait for events, the second ones on CPU 2. */
static void begin(void)
{
    fake_domains_begin();
    nr_cpus = 3;
    for (fake_cpu = 0; fake_cpu < nr_cpus; fake_cpu++)
        sched_init();
    fake_cpu = 0;
    for (unsigned int id = 0; id < FAKE_DOMAINS; id++) {
        choose_domain(id);
        cr_assert_eq(evtchn_init(d), 0);
        for (unsigned int i = 0; i < FAKE_VCPUS; i++) {
            sched_init_vcpu(d->vcpu[i]);
            d->vcpu[i]->sched.state = VS_BLOCKED;
            d->vcpu[i]->sched.cpu = i * 2;
            vcpu_unpause(d->vcpu[i], PAUSE_DOMAIN | PAUSE_DOWN);
        }
    }
    choose_domain(1);
    memset(stripped, 0, sizeof(stripped));
}

static void end(void)
{
    for (unsigned int id = 0; id < FAKE_DOMAINS; id++)
        evtchn_free(domains.by_id[id]);
    fake_pages -= 3; /* the idle vcpus', which stay for ever */
    fake_domains_end();
}

TestSuite(teardown, .init = begin, .fini = end);

static struct vcpu *schedule_on(uint32_t cpu)
{
    uint32_t was = fake_cpu;
    struct vcpu *next;

    fake_cpu = cpu;
    next = schedule();
    fake_cpu = was;
    return next;
}

static void steps(uint32_t cpu)
{
    uint32_t was = fake_cpu;

    fake_cpu = cpu;
    for (unsigned int i = 0; i < 20; i++)
        domain_teardown_step(false);
    fake_cpu = was;
}

static void wake_and_load(void)
{
    vcpu_wake(v);
    if (!v->sched.pause)
        cr_assert_eq(schedule_on(2), v);
}

Test(teardown, who_is_loaded_is_waited_for)
{
    wake_and_load();
    cr_assert(v->sched.on_cpu);
    domain_destroy(d);
    steps(0);
    cr_assert_eq(stripped[1], 0);
    cr_assert(cpus[2]->work & WORK_SCHEDULE, "it is told");
    choose_domain(2);
    wake_and_load();
    steps(0);
    cr_assert_eq(stripped[1], 1);
}

Test(teardown, who_has_a_reference_is_waited_for)
{
    struct domain *ref = get_domain(1);

    domain_destroy(d);
    steps(0);
    cr_assert_eq(stripped[1], 0);
    put_domain(ref);
    steps(0);
    cr_assert_eq(stripped[1], 1);
}

Test(teardown, who_found_it_is_waited_for)
{
    let_go = true;
    domain_destroy(d);
    steps(0);
    cr_assert_eq(freed, d);
}

/* Who begins the end (a watchdog's timer, say, with no reference) has marked the domain, and not paused all
 * its vcpus yet: CPU 1 comes to take it apart, and CPU 2 has an event for a vcpu. */
static unsigned int nth, event_at; /* run queues' locks since then */

static void others(const struct lock *l, bool taking)
{
    if (!taking || fake_cpu == 2 || l->order != LOCK_SCHED || d->dying == ALIVE)
        return;
    if (++nth == 1) {
        steps(1); /* which comes back here */
    } else if (nth == event_at) {
        fake_cpu = 2;
        wake_and_load();
        fake_cpu = 1;
    }
}

Test(teardown, who_is_woken_as_it_begins_does_not_run_on)
{
    for (unsigned int id = 0; id < FAKE_DOMAINS; id++) {
        choose_domain(id);
        nth = 0;
        event_at = 2 + id;
        fake_lock = others;
        domain_destroy(d);
        fake_lock = NULL;
        steps(0);
        cr_assert_eq(stripped[id], !v->sched.on_cpu);
    }
}
