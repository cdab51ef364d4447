/* SPDX-License-Identifier: MIT
 *
 * vcpu_op on the only vcpu: is_up, run state and its shared area, the time area, register_vcpu_info, and the
 * refusals for a vcpu that doesn't exist. xen/vcpu.h; docs/abi.md "Start of day" 8.
 */
#include "libpv/event.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"
#include "libpv/string.h"

TEST("vcpu");
ROLE(dom0, domU);

static struct vcpu_runstate_info area __attribute__((aligned(64)));
static struct vcpu_time_info time_area __attribute__((aligned(64)));

static long op(int cmd, unsigned int vcpu, void *arg)
{
    return HYPERVISOR_vcpu_op(cmd, vcpu, arg);
}

static void is_up(void)
{
    static struct vcpu_guest_context context;
    struct vcpu_get_physid id;

    expect_eq(op(VCPUOP_is_up, 0, NULL), 1);
    expect_eq(op(VCPUOP_is_up, 9999, NULL), -ENOENT);
    expect_eq(op(VCPUOP_up, 9999, NULL), -ENOENT);
    expect_eq(op(VCPUOP_down, 9999, NULL), -ENOENT);
    expect_eq(op(VCPUOP_up, 0, NULL), 0);
    expect_eq(op(VCPUOP_initialise, 0, &context), -EEXIST);
    expect_eq(op(VCPUOP_initialise, 9999, &context), -ENOENT);
    expect_eq(op(99, 0, NULL), -ENOSYS);
    expect_eq(op(VCPUOP_get_physid, 0, &id), pv_is_dom0() ? 0 : -EINVAL);
}

static void run_state(void)
{
    struct vcpu_runstate_info info;
    struct vcpu_register_runstate_memory_area r = { .addr.v = &area };
    uint64_t total = 0;

    expect_eq(op(VCPUOP_get_runstate_info, 0, &info), 0);
    expect_eq(info.state, RUNSTATE_running);
    check(info.time[RUNSTATE_running] > 0 && info.state_entry_time > 0, "it has run");
    expect_eq(op(VCPUOP_register_runstate_memory_area, 0, &r), 0);
    expect_eq(area.state, RUNSTATE_running);
    for (int i = 0; i < 4; i++)
        total += area.time[i];
    check(total > 0 && total < 600000000000UL, "%lu ns in all states", total);
    struct sched_poll poll;
    uint64_t slept = 0;

    /* On a busy host most of the time may pass before the vcpu blocks: a few tries. */
    for (int i = 0; i < 20 && slept < 4000000; i++) {
        uint64_t before = area.time[RUNSTATE_blocked];

        poll = (struct sched_poll){ .timeout = pv_time_ns() + 5000000 };
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
        slept = area.time[RUNSTATE_blocked] - before;
    }
    check(slept >= 4000000, "blocked for %lu ns of 5 ms", slept);
    expect_eq(area.state, RUNSTATE_running);
    /* An area that isn't mapped is skipped, not an error. */
    r.addr.p = NOWHERE;
    expect_eq(op(VCPUOP_register_runstate_memory_area, 0, &r), 0);
    poll.timeout = pv_time_ns() + 1000000;
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_poll, &poll), 0);
    r.addr.p = 0xffff820000000000UL;
    expect_eq(op(VCPUOP_register_runstate_memory_area, 0, &r), -EFAULT);
    expect_eq(op(VCPUOP_get_runstate_info, 0, (void *)NOWHERE), -EFAULT);
}

static void time(void)
{
    struct vcpu_register_time_memory_area r = { .addr.v = &time_area };
    struct sched_poll poll = { .timeout = pv_time_ns() + 1000000 };

    expect_eq(op(VCPUOP_register_vcpu_time_memory_area, 0, &r), 0);
    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    check(!(time_area.version & 1) && time_area.tsc_to_system_mul, "the area is filled in");
    expect_eq(time_area.tsc_to_system_mul, pv_vcpu_info()->time.tsc_to_system_mul);
}

/* vcpu_info moves into a page of the guest's own; pending events and the mask move with it. */
static void info_page(void)
{
    uint64_t *page = test_page();
    struct vcpu_info *moved = (void *)((char *)page + 128);
    struct vcpu_register_vcpu_info r = { .mfn = pv_virt_to_mfn(page).v, .offset = PAGE_SIZE - 8 };
    int port = pv_event_bind_ipi(NULL, NULL);

    expect_eq(op(VCPUOP_register_vcpu_info, 0, &r), -ENXIO); /* over the page's end */
    r.offset = 128;
    r.mfn = test_foreign_mfn();
    expect_eq(op(VCPUOP_register_vcpu_info, 0, &r), -EINVAL);
    r.mfn = pv_virt_to_mfn(page).v;
    expect_eq(op(VCPUOP_register_vcpu_info, 0, &r), 0);
    expect_eq(moved->evtchn_upcall_mask, 1);
    check(moved->time.tsc_to_system_mul, "the time is there");
    moved->evtchn_upcall_pending = 0;
    moved->evtchn_pending_sel = 0;
    pv_shared_info.evtchn_mask[port / 64] &= ~(1UL << (port % 64));
    expect_eq(pv_event_send((unsigned int)port), 0);
    expect_eq(moved->evtchn_upcall_pending, 1);
    expect_eq(moved->evtchn_pending_sel, 1UL << (port / 64));
    expect_eq(op(VCPUOP_register_vcpu_info, 0, &r), -EINVAL); /* only once */
    expect_eq(test_pin(1, page), -EINVAL);
}

void test_main(void)
{
    is_up();
    run_state();
    time();
    info_page();
}
