/* SPDX-License-Identifier: MIT
 *
 * Segment bases: set_segment_base, wrmsr of the three MSRs (emulated), the two GS bases that change with
 * kernel and user mode, and the failsafe callback. arch-x86/xen-x86_64.h; docs/abi.md 18.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("segments");
ROLE(dom0, domU);

USER_CODE(code_gs, "mov %gs:0, %rax; mov %fs:0, %rbx; syscall");
USER_CODE(code_ud2, "ud2");

#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

static uint64_t words[4] = { 0x11, 0x22, 0x33, 0x44 };

static uint64_t fs0(void)
{
    uint64_t v;

    __asm__ volatile("mov %%fs:0, %0" : "=r"(v));
    return v;
}

static uint64_t gs0(void)
{
    uint64_t v;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
    return v;
}

static uint64_t rdmsr(unsigned int msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static void wrmsr(unsigned int msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static long base(unsigned int which, const void *p)
{
    return HYPERVISOR_set_segment_base(which, (unsigned long)p);
}

static void kernel(void)
{
    expect_eq(base(SEGBASE_FS, &words[0]), 0);
    expect_eq(fs0(), 0x11);
    expect_eq(base(SEGBASE_GS_KERNEL, &words[1]), 0);
    expect_eq(gs0(), 0x22);
    expect_eq(rdmsr(MSR_FS_BASE), (uint64_t)&words[0]);
    expect_eq(rdmsr(MSR_GS_BASE), (uint64_t)&words[1]);
    wrmsr(MSR_FS_BASE, (uint64_t)&words[2]);
    expect_eq(fs0(), 0x33);
    wrmsr(MSR_GS_BASE, (uint64_t)&words[3]);
    expect_eq(gs0(), 0x44);
    wrmsr(MSR_KERNEL_GS_BASE, 0x1234000); /* that of user mode */
    expect_eq(rdmsr(MSR_KERNEL_GS_BASE), 0x1234000);
    expect_eq(gs0(), 0x44);
}

static void refusals(void)
{
    expect_eq(HYPERVISOR_set_segment_base(SEGBASE_FS, 1UL << 47), -EINVAL);
    expect_eq(HYPERVISOR_set_segment_base(SEGBASE_GS_KERNEL, 1UL << 47), -EINVAL);
    expect_eq(HYPERVISOR_set_segment_base(SEGBASE_GS_USER, 1UL << 47), -EINVAL);
    expect_eq(HYPERVISOR_set_segment_base(4, 0), -EINVAL);
    expect_fault(GP, 0, wrmsr(MSR_FS_BASE, 1UL << 47));
    expect_fault(GP, 0, wrmsr(MSR_GS_BASE, 1UL << 47));
    expect_fault(GP, 0, wrmsr(MSR_KERNEL_GS_BASE, 1UL << 47));
}

/* gs is the user's in user mode and the kernel's after every entry. */
static void user(void)
{
    static struct pv_regs r;

    test_user_init();
    ((uint64_t *)test_user.stack)[0] = 0x55;
    ((uint64_t *)test_user.stack)[1] = 0x66;
    expect_eq(base(SEGBASE_GS_KERNEL, &words[1]), 0);
    expect_eq(base(SEGBASE_GS_USER, (void *)USER_STACK_VA), 0);
    expect_eq(base(SEGBASE_FS, (void *)(USER_STACK_VA + 8)), 0);
    r = test_user_regs(code_gs);
    expect_eq(FAULT(pv_resume(&r)), PV_VECTOR_SYSCALL);
    expect_eq(test_trap.regs.rax, 0x55);
    expect_eq(test_trap.regs.rbx, 0x66);
    expect_eq(gs0(), 0x22);
    r = test_user_regs(code_ud2);
    expect_eq(FAULT(pv_resume(&r)), UD);
    expect_eq(gs0(), 0x22);
    expect_eq(rdmsr(MSR_KERNEL_GS_BASE), USER_STACK_VA);
}

/* A selector for the user's gs: loaded at once; a bad one becomes 0. */
static void user_selector(void)
{
    expect_eq(HYPERVISOR_set_segment_base(SEGBASE_GS_USER_SEL, FLAT_RING3_DS32), 0);
    expect_eq(HYPERVISOR_set_segment_base(SEGBASE_GS_USER_SEL, 0x1b), 0);
    expect_eq(HYPERVISOR_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    expect_eq(gs0(), 0x22);
}

void test_main(void)
{
    kernel();
    refusals();
    user();
    user_selector();
}
