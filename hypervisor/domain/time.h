/* SPDX-License-Identifier: MIT
 *
 * Time for guests: system time in nanoseconds since boot by TSC and scale, wall clock, single-shot and
 * periodic timers.
 */
#pragma once

#include "lib/list.h"

struct domain;
struct vcpu;
struct vcpu_time_info;

/* A timer of Parador's, on the list of the CPU that armed it (lock: LOCK_TIMER of that CPU). fn runs with no
 * lock held, and maybe while another CPU sets or stops the timer. */
struct timer {
    struct list node;
    uint64_t deadline; /* system time, ns */
    void (*fn)(void *arg);
    void *arg;
    uint32_t cpu;
    bool armed;
};

/* System time now, ns since boot. */
uint64_t now_ns(void);

/* Boot: the CPU's timer list. */
void timer_init_cpu(unsigned int cpu);

void timer_init(struct timer *t, void (*fn)(void *), void *arg);
void timer_set(struct timer *t, uint64_t deadline);
void timer_stop(struct timer *t);
/* Stops it for good: fn doesn't run any more, nor on another CPU. Before the timer's memory goes; fn is no
 * longer to set it when it was stopped, nor does the caller hold a lock that fn takes. */
void timer_finish(struct timer *t);
/* Runs what is due on this CPU and programs the local APIC for the next deadline. Called for WORK_TIMER. */
void timer_run(void);

/* Boot, after TSC calibration: epoch of system time and wall clock (CMOS). */
void time_init(void);

/* Writes v's vcpu_time_info when the scale changed, and on vcpu start (version protocol of xen.h). */
void time_update_vcpu(struct vcpu *v);
void time_update_wallclock(struct domain *d);
/* XENPF_settime64: it was sec, nsec since 1970 when system time was system_ns. Tells all domains. */
void time_set_wallclock(uint64_t sec, uint32_t nsec, uint64_t system_ns);
/* A vcpu_time_info as v's in shared_info, for the secondary time area. */
void time_fill(struct vcpu_time_info *t);
