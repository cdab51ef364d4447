/* SPDX-License-Identifier: MIT
 *
 * sched_op on one vcpu: yield, block, poll without ports, the refusals; and set_timer's neighbours that
 * change the run state. xen/sched.h.
 */
#include "libpv/event.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"

TEST("sched");
ROLE(dom0, domU);

static unsigned int calls;

static void count(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    calls++;
}

void test_main(void)
{
    struct sched_shutdown down = { .reason = SHUTDOWN_poweroff };
    struct sched_poll poll = { .timeout = 0 };
    int port = pv_event_bind_ipi(count, NULL);
    uint64_t start;

    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_yield, NULL), 0);
    expect_eq(HYPERVISOR_sched_op(99, NULL), -ENOSYS);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_shutdown, (void *)NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, (void *)NOWHERE), -EFAULT);

    /* block with an event pending comes back at once; the mask is clear and the event delivered */
    pv_events_off();
    pv_event_send((unsigned int)port);
    expect_eq(calls, 0);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_block, NULL), 0);
    expect_eq(calls, 1);
    expect_eq(pv_vcpu_info()->evtchn_upcall_mask, 0);
    pv_events_off();

    /* poll on no port is a sleep, and leaves the mask alone */
    start = pv_time_ns();
    poll.timeout = start + 3000000;
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), 0);
    check(pv_time_ns() >= start + 3000000, "slept %lu ns", pv_time_ns() - start);
    expect_eq(pv_vcpu_info()->evtchn_upcall_mask, 1);
    poll.timeout = 1; /* long ago */
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), 0);
    expect_eq(
        HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &(struct sched_remote_shutdown){ .domain_id = 77 }),
        -ESRCH);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_shutdown_code, &down), 0);
    expect_eq(pv_event_close((unsigned int)port), 0);
}
