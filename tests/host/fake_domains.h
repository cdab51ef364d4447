/* SPDX-License-Identifier: MIT
 *
 * Domains without a machine, for host tests of hypervisor/domain: vcpus with their vcpu_info, a clock and a
 * local APIC timer that the test moves, and a record of who was woken and what was refused.
 */
#pragma once

#include "domain/domain.h"

#define FAKE_DOMAINS 4
#define FAKE_VCPUS   2
#define FAKE_CPUS    4

/* Begins anew: domains 0 to 3 (0 privileged) of two vcpus each, time 0, nothing armed. */
void fake_domains_begin(void);
/* Ends them; aborts if a page of Parador's was not given back. */
void fake_domains_end(void);

extern enum rule fake_rule;           /* the last refusal's */
extern bool fake_several_cpus;        /* the test's threads; else a lock that is taken aborts */
extern unsigned int fake_pages;       /* of Parador's heap, in use */
extern unsigned int fake_page_budget; /* pages that page_alloc() still gives */
extern unsigned int fake_wakes[FAKE_DOMAINS][FAKE_VCPUS]; /* calls of vcpu_wake() (tests without sched.c) */

/* With sched.c: what a switch loads, and the idle loop. cpu_halt() lets time pass until the APIC timer fires;
 * if it is off, it aborts (nobody would ever wake). */
extern unsigned int fake_switches, fake_halts;
extern bool (*fake_teardown)(void); /* domain_teardown_step(); NULL: nothing to do */

/* Several CPUs in turn: the test sets nr_cpus (1 at the begin) and says which one it plays. */
extern uint32_t fake_cpu;
extern unsigned int fake_kicks[FAKE_CPUS]; /* interrupts that cpu_kick() sent to it */

/* What others do right before a lock is taken, or dropped. */
extern void (*fake_lock)(const struct lock *l, bool taking);

extern uint64_t fake_now;           /* system time, ns */
extern uint64_t fake_apic;          /* what the APIC timer is set for, ~0: off */
extern unsigned int fake_apic_sets; /* how often it was set */
