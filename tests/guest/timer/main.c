/* SPDX-License-Identifier: MIT
 *
 * Time: the scale of vcpu_time_info, the wall clock, set_timer_op, the single-shot and periodic timers of
 * vcpu_op, and blocking until one fires. xen.h (vcpu_time_info), xen/vcpu.h.
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/test.h"

TEST("timer");
ROLE(dom0, domU);

#define MS 1000000ULL

static volatile unsigned int ticks;
static volatile uint64_t tick_time;

static void tick(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    ticks++;
    tick_time = pv_time_ns();
}

static void clock(void)
{
    uint64_t a = pv_time_ns(), b, khz = pv_tsc_khz(), tsc = pv_rdtsc();

    check(khz > 1000 && khz < 100000000, "%lu kHz", khz);
    pv_udelay(3000);
    b = pv_time_ns();
    check(b - a >= 3 * MS && b - a < 2000 * MS, "3 ms took %lu ns", b - a);
    tsc = (pv_rdtsc() - tsc) * 1000 / khz; /* microseconds */
    check(tsc >= 2990, "%lu us by the TSC", tsc);
    for (int i = 0; i < 10000; i++) {
        a = pv_time_ns();
        if (!check(a >= b && a - b < 10000 * MS, "time goes on"))
            break;
        b = a;
    }
    check(pv_wallclock_ns() / 1000000000 > 1577836800 - 86400, "the wall clock: %lu s",
          pv_wallclock_ns() / 1000000000);
}

/* Blocks until there were `want` ticks, or for a minute: SCHEDOP_poll on no port, because a lost tick must
 * not hang the test; a second at a time, because one may come right before it. */
static void wait_for(unsigned int want)
{
    uint64_t end = pv_time_ns() + 60000 * MS, now;
    struct sched_poll poll = { 0 };

    while (ticks < want && (now = pv_time_ns()) < end) {
        poll.timeout = now + 1000 * MS;
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    }
    expect_eq(ticks, want);
}

/* Ticks since `begin` come with that period: five of them, a busy host may be late, but never more than there
 * are periods. */
static void come_every(uint64_t period_ns, uint64_t begin, unsigned int before)
{
    unsigned int came, most;

    for (int i = 0; i < 1000 && ticks - before < 5; i++)
        pv_udelay(10000);
    came = ticks - before;
    most = (unsigned int)((pv_time_ns() - begin) / period_ns) + 1;
    check(came >= 5 && came <= most, "%u ticks, not 5 to %u", came, most);
}

/* A vcpu starts with a periodic timer of 10 ms, which kernels stop at once. */
static void at_start(void)
{
    come_every(10 * MS, pv_time_ns(), ticks);
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    pv_udelay(10000);
    ticks = 0;
}

/* SCHEDOP_block returns when an event came, and leaves the mask clear. */
static void block(void)
{
    pv_events_off();
    pv_timer_set(pv_time_ns() + 5 * MS);
    pv_block();
    expect_eq(ticks, 3);
    expect_eq(pv_vcpu_info()->evtchn_upcall_mask, 0);
}

static void one_shot(void)
{
    uint64_t when = pv_time_ns() + 5 * MS;

    expect_eq(pv_timer_set(when), 0);
    wait_for(1);
    check(tick_time >= when, "fired at %lu, not before %lu", tick_time, when);
    pv_timer_set(pv_time_ns() - 1); /* in the past: at once */
    wait_for(2);
    pv_timer_set(pv_time_ns() + 5 * MS);
    pv_timer_set(0); /* cancelled */
    pv_udelay(10000);
    expect_eq(ticks, 2);
}

static void single_shot(void)
{
    struct vcpu_set_singleshot_timer t = { .timeout_abs_ns = pv_time_ns() + 5 * MS };

    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    wait_for(4);
    t.timeout_abs_ns = pv_time_ns() - 20 * MS;
    t.flags = VCPU_SSHOTTMR_future;
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0); /* 4.17 ignores the flag */
    wait_for(5);
    t.flags = 0;
    t.timeout_abs_ns = pv_time_ns() + 5 * MS;
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    pv_udelay(10000);
    expect_eq(ticks, 5);
}

static void periodic(void)
{
    struct vcpu_set_periodic_timer p = { .period_ns = 2 * MS };
    unsigned int before = ticks;
    uint64_t begin = pv_time_ns();

    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &p), 0);
    come_every(2 * MS, begin, before);
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    pv_udelay(3000);
    before = ticks;
    pv_udelay(20000);
    expect_eq(ticks, before);
    p.period_ns = MS / 2; /* shorter than a millisecond */
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &p), -EINVAL);
}

void test_main(void)
{
    int port = pv_event_bind_virq(VIRQ_TIMER, tick, NULL);

    require(port > 0, "VIRQ_TIMER gave %d", port);
    clock();
    pv_events_on();
    at_start();
    one_shot();
    block();
    single_shot();
    periodic();
    pv_events_off();
}
