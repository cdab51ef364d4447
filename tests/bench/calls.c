/* SPDX-License-Identifier: MIT
 *
 * Rows of hypercalls that do little: what the way in and out costs, alone and in a multicall.
 */
#include "tests/bench/bench.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"

#define CALLS 32

static uint64_t null_hypercall(uint64_t arg)
{
    return TIMED(HYPERVISOR_xen_version((int)arg, 0));
}

static uint64_t hypercall_8_bytes(uint64_t arg)
{
    struct xen_feature_info info = { .submap_idx = (unsigned int)arg };

    return TIMED(HYPERVISOR_xen_version(XENVER_get_features, &info));
}

static uint64_t multicall_null(uint64_t arg)
{
    static struct multicall_entry calls[CALLS];

    (void)arg;
    for (unsigned int i = 0; i < CALLS; i++)
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
    return TIMED(HYPERVISOR_multicall(calls, CALLS));
}

static uint64_t stack_switch(uint64_t arg)
{
    (void)arg;
    return TIMED(HYPERVISOR_stack_switch(0xe02b, (unsigned long)pv_stack_top));
}

static uint64_t set_segment_base(uint64_t arg)
{
    return TIMED(HYPERVISOR_set_segment_base(SEGBASE_FS, arg));
}

static uint64_t fpu_taskswitch(uint64_t arg)
{
    return TIMED(HYPERVISOR_fpu_taskswitch((int)arg));
}

static uint64_t set_timer_op(uint64_t arg)
{
    uint64_t when = pv_time_ns() + arg;

    return TIMED(HYPERVISOR_set_timer_op(when));
}

static uint64_t yield(uint64_t arg)
{
    (void)arg;
    return TIMED(HYPERVISOR_sched_op(SCHEDOP_yield, 0));
}

void bench_calls(void)
{
    bench_row("null_hypercall", null_hypercall, 0, 400, 1);
    bench_row("hypercall_8_bytes", hypercall_8_bytes, 0, 400, 1);
    bench_row("multicall_null_32", multicall_null, 0, 100, CALLS);
    bench_row("stack_switch", stack_switch, 0, 400, 1);
    bench_row("set_segment_base", set_segment_base, 0x1000, 400, 1);
    bench_row("fpu_taskswitch", fpu_taskswitch, 0, 400, 1);
    bench_row("set_timer_op", set_timer_op, 1000000000, 200, 1);
    HYPERVISOR_set_timer_op(0);
    bench_row("yield_alone", yield, 0, 200, 1);
}
