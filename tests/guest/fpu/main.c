/* SPDX-License-Identifier: MIT
 *
 * The FPU of a guest: usable from the start, fpu_taskswitch raises #NM once, and registers outlive hypercalls
 * and blocking. arch-x86/xen.h; docs/safety.md XSA-267.
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"

TEST("fpu");
ROLE(dom0, domU);

static void set_xmm(uint64_t v)
{
    __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm15" : : "r"(v));
}

static uint64_t xmm(void)
{
    uint64_t a, b;

    __asm__ volatile("movq %%xmm0, %0; movq %%xmm15, %1" : "=r"(a), "=r"(b));
    return a == b ? a : 0;
}

static void nothing(unsigned int port, void *data)
{
    (void)port;
    (void)data;
}

void test_main(void)
{
    int port = pv_event_bind_virq(VIRQ_TIMER, nothing, NULL);
    uint64_t start;

    require(port > 0, "VIRQ_TIMER");
    expect_no_fault(set_xmm(0x123456789));
    expect_eq(xmm(), 0x123456789);
    start = pv_time_ns();
    while (pv_time_ns() - start < 5000000) {
        pv_events_off(); /* or the event may be over before the block, on a slow machine */
        pv_timer_set(pv_time_ns() + 500000);
        pv_block();
    }
    pv_events_off();
    HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    expect_eq(xmm(), 0x123456789);

    expect_eq(HYPERVISOR_fpu_taskswitch(1), 0);
    expect_fault(NM, 0, xmm()); /* and the flag is clear again */
    expect_no_fault(xmm());
    expect_eq(xmm(), 0x123456789);
    expect_eq(HYPERVISOR_fpu_taskswitch(1), 0);
    expect_eq(HYPERVISOR_fpu_taskswitch(0), 0);
    expect_no_fault(xmm());
    expect_eq(HYPERVISOR_fpu_taskswitch(1), 0);
    expect_no_fault(__asm__ volatile("clts"));
    expect_no_fault(xmm());
}
