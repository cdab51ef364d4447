/* SPDX-License-Identifier: MIT
 *
 * System time and wall clock.
 *
 * System time is nanoseconds since boot, by the TSC and a scale that never changes, so one publication in
 * vcpu_info is enough for a vcpu's whole life. The wall clock is the moment of the epoch of system time, in
 * shared_info. Both follow the version protocol of xen.h: odd while the fields change.
 *
 * Next: timer.c.
 */
#include "domain/domain.h"
#include "x86/cpu.h"

static struct { /* constant after time_init() */
    uint64_t tsc_at_0;
    uint32_t mul;
    int8_t shift;
} scale;

static struct {
    struct lock lock; /* LOCK_TIMER */
    uint64_t sec;     /* since 1970, when system time was 0 */
    uint32_t nsec;
} wallclock = { .lock = LOCK_INIT(LOCK_TIMER) };

uint64_t now_ns(void)
{
    uint64_t delta = rdtsc() - scale.tsc_at_0;

    delta = scale.shift >= 0 ? delta << scale.shift : delta >> -scale.shift;
    return (uint64_t)((unsigned __int128)delta * scale.mul >> 32);
}

/* The scale for a TSC of khz: mul gets its top bit set, so that 31 bits or more are significant. */
static void set_scale(uint32_t khz)
{
    uint64_t freq = khz;
    int shift = 0;

    while (freq > 1000000) {
        freq >>= 1;
        shift--;
    }
    while (freq <= 500000) {
        freq <<= 1;
        shift++;
    }
    /* ns per count is 10^6 / khz, in [1, 2) now; halve it so that it fits 32 bits after the point. */
    scale.shift = (int8_t)(shift + 1);
    scale.mul = (uint32_t)((1000000ULL << (31 - shift)) / khz);
}

void time_init(void)
{
    set_scale(cpu_features.tsc_khz);
    scale.tsc_at_0 = rdtsc();
    wallclock.sec = cmos_seconds();
}

void time_fill(struct vcpu_time_info *t)
{
    t->tsc_timestamp = scale.tsc_at_0;
    t->system_time = 0;
    t->tsc_to_system_mul = scale.mul;
    t->tsc_shift = scale.shift;
    t->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
}

void time_update_vcpu(struct vcpu *v)
{
    struct vcpu_time_info *t = &v->info->time;
    uint32_t version = READ_ONCE(t->version) | 1;

    WRITE_ONCE(t->version, version);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* pairs with the guest's read of version before the fields */
    time_fill(t);
    __atomic_store_n(&t->version, version + 1, __ATOMIC_RELEASE); /* ... and with the one after them */
}

void time_update_wallclock(struct domain *d)
{
    struct shared_info *s = d->shared;
    uint32_t version;

    lock_take(&wallclock.lock);
    version = READ_ONCE(s->wc_version) | 1;
    WRITE_ONCE(s->wc_version, version);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    s->wc_sec = (uint32_t)wallclock.sec;
    s->wc_sec_hi = (uint32_t)(wallclock.sec >> 32);
    s->wc_nsec = wallclock.nsec;
    __atomic_store_n(&s->wc_version, version + 1, __ATOMIC_RELEASE);
    lock_drop(&wallclock.lock);
}

void time_set_wallclock(uint64_t sec, uint32_t nsec, uint64_t system_ns)
{
    struct domain *d;
    uint64_t ago = system_ns - nsec;

    lock_take(&wallclock.lock);
    if (nsec >= system_ns) {
        wallclock.sec = sec;
        wallclock.nsec = (uint32_t)(nsec - system_ns);
    } else {
        wallclock.sec = sec - DIV_ROUND_UP(ago, 1000000000);
        wallclock.nsec = (uint32_t)(DIV_ROUND_UP(ago, 1000000000) * 1000000000 - ago);
    }
    lock_drop(&wallclock.lock);
    for (unsigned int i = 0; (d = get_domain_by_index(i)); i++) {
        time_update_wallclock(d);
        put_domain(d);
    }
}
