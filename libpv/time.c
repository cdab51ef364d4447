/* SPDX-License-Identifier: MIT
 *
 * Time from vcpu_time_info: the hypervisor publishes a base and a factor, and the TSC gives the rest, without
 * a hypercall. The version is odd while it writes; a copy is good when the version was even and the same
 * before and after (xen.h).
 */
#include "libpv/time.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"

static struct vcpu_time_info snapshot(void)
{
    const volatile struct vcpu_time_info *t = &pv_vcpu_info()->time;
    struct vcpu_time_info copy;

    do {
        copy.version = t->version & ~1U;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        copy.tsc_timestamp = t->tsc_timestamp;
        copy.system_time = t->system_time;
        copy.tsc_to_system_mul = t->tsc_to_system_mul;
        copy.tsc_shift = t->tsc_shift;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (copy.version != t->version);
    return copy;
}

uint64_t pv_time_ns(void)
{
    static uint64_t last; /* a new base may lie a little behind what the old one gave */
    struct vcpu_time_info t = snapshot();
    uint64_t delta = pv_rdtsc() - t.tsc_timestamp, now;

    delta = t.tsc_shift >= 0 ? delta << t.tsc_shift : delta >> -t.tsc_shift;
    now = t.system_time + (uint64_t)(((unsigned __int128)delta * t.tsc_to_system_mul) >> 32);
    if (!pv_several) {
        if (now > last)
            last = now;
        return last;
    }
    for (uint64_t before = __atomic_load_n(&last, __ATOMIC_RELAXED);;) {
        if (now <= before)
            return before;
        if (__atomic_compare_exchange_n(&last, &before, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return now;
    }
}

uint64_t pv_wallclock_ns(void)
{
    const volatile struct shared_info *s = &pv_shared_info;
    uint32_t version;
    uint64_t sec, nsec;

    do {
        version = s->wc_version & ~1U;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        sec = ((uint64_t)s->wc_sec_hi << 32) | s->wc_sec;
        nsec = s->wc_nsec;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (version != s->wc_version);
    return sec * 1000000000 + nsec + pv_time_ns();
}

uint64_t pv_tsc_khz(void)
{
    struct vcpu_time_info t = snapshot();
    uint64_t khz;

    if (!t.tsc_to_system_mul)
        return 0;
    khz = (1000000ULL << 32) / t.tsc_to_system_mul;
    return t.tsc_shift >= 0 ? khz >> t.tsc_shift : khz << -t.tsc_shift;
}

int pv_timer_set(uint64_t when)
{
    return (int)HYPERVISOR_set_timer_op(when);
}

void pv_udelay(unsigned int us)
{
    uint64_t until = pv_time_ns() + us * 1000ULL;

    while (pv_time_ns() < until)
        __asm__ volatile("pause");
}
