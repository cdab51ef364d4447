/* SPDX-License-Identifier: MIT
 *
 * vcpu_op on a second vcpu that was never up: what cannot be done to it yet, the states that it cannot be
 * given, and what only a vcpu itself may do. xen/vcpu.h; docs/safety.md XSA-20 (deadlines), 296.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include "tests/guest/vcpus.h"

TEST("two_vcpus");
ROLE(dom0, domU);
// vcpus: 2

#define NON_CANONICAL 0x0000800000000000UL

static struct vcpu_guest_context context;

static long op(int cmd, void *arg)
{
    return HYPERVISOR_vcpu_op(cmd, 1, arg);
}

static void not_yet(void)
{
    struct vcpu_set_singleshot_timer once = { .timeout_abs_ns = 1 };

    expect_eq(op(VCPUOP_is_up, NULL), 0);
    expect_eq(op(VCPUOP_up, NULL), -EINVAL); /* it has no state */
    expect_eq(op(VCPUOP_set_singleshot_timer, &once), -EINVAL);
    expect_eq(op(VCPUOP_stop_singleshot_timer, NULL), -EINVAL);
    expect_eq(op(VCPUOP_initialise, (void *)NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_is_up, 2, NULL), -ENOENT);
}

/* A state that would do but for what the caller breaks in it. */
static void good_context(void)
{
    test_context(&context, good_context, (char *)test_page() + PAGE_SIZE);
}

static void bad_contexts(void)
{
    good_context();
    context.user_regs.rip = NON_CANONICAL;
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    good_context();
    context.event_callback_eip = NON_CANONICAL;
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    good_context();
    context.gs_base_kernel = NON_CANONICAL;
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    good_context();
    context.gdt_ents = 1UL << 20;
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    good_context();
    context.ldt_base = 8; /* not on a page */
    context.ldt_ents = 16;
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    good_context();
    context.ctrlreg[3] = pv_virt_to_mfn(test_page()).v << PAGE_SHIFT; /* mapped writable: no table */
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    good_context();
    context.ctrlreg[3] = test_foreign_mfn() << PAGE_SHIFT;
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    good_context();
    context.flags = 0; /* user mode, without tables for it */
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    context.ctrlreg[1] = 0xfff;
    expect_eq(op(VCPUOP_initialise, &context), -EINVAL);
    expect_eq(op(VCPUOP_is_up, NULL), 0);
}

static volatile unsigned int level;

static void go_down(void)
{
    for (;;)
        op(VCPUOP_down, NULL);
}

/* With a virtual IOPL of 1 a kernel may do that. */
static void at_level_1(void)
{
    __asm__ volatile("cli");
    level = 1;
    go_down();
}

static void at_level_0(void)
{
    level = 2;
    go_down();
}

/* The flags of its first state say which IOPL it has: Linux does its I/O on any vcpu, and sets only vcpu 0's
 * by a call. */
static void once(void)
{
    good_context();
    context.user_regs.rip = (unsigned long)at_level_1;
    context.user_regs.rflags |= 1UL << 12;
    context.trap_ctxt[GP] = (struct trap_info){ GP, 0, PV_CS, (unsigned long)at_level_0 };
    pv_shared_info.vcpu_info[1].evtchn_upcall_mask = 1;
    expect_eq(op(VCPUOP_initialise, &context), 0);
    expect_eq(op(VCPUOP_initialise, &context), -EEXIST);
    expect_eq(op(VCPUOP_is_up, NULL), 0); /* ready, and down */
    expect_eq(op(VCPUOP_down, NULL), 0);
    expect_eq(op(VCPUOP_up, NULL), 0);
    while (!level || op(VCPUOP_is_up, NULL))
        test_let_others();
    expect_eq(level, 1);
}

void test_main(void)
{
    not_yet();
    bad_contexts();
    once();
}
