/* SPDX-License-Identifier: MIT
 *
 * Time: nanoseconds since the hypervisor started ("system time"), the wall clock, and the one-shot timer.
 * Source: xen.h (vcpu_time_info, shared_info.wc_*), set_timer_op.
 */
#pragma once

#include <stdint.h>

static inline uint64_t pv_rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}

/* System time in nanoseconds, from the TSC and vcpu_time_info; read again when its version changed meanwhile.
 * Never goes back. */
uint64_t pv_time_ns(void);

/* Nanoseconds since 1970-01-01 00:00:00 UTC. */
uint64_t pv_wallclock_ns(void);

/* TSC ticks a millisecond, from the factor of vcpu_time_info. */
uint64_t pv_tsc_khz(void);

/* Asks for VIRQ_TIMER at system time `when` (ns); 0 cancels. Bind the VIRQ with
 * pv_event_bind_virq(VIRQ_TIMER, ...). 0 or a negative errno. */
int pv_timer_set(uint64_t when);

/* Waits by reading the clock. Microseconds. */
void pv_udelay(unsigned int us);
