/* SPDX-License-Identifier: MIT
 *
 * callback_op and set_callbacks: which are accepted, which addresses, whether a callback masks events, and
 * what a missing one does. xen/callback.h; docs/abi.md 17.
 */
#include "libpv/event.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("callbacks");
ROLE(dom0, domU);

USER_CODE(code_syscall, "syscall");

extern char pv_entry_event[], pv_entry_failsafe[], pv_entry_syscall[], pv_entry_syscall32[];

static long reg(uint16_t type, uint16_t flags, const void *address)
{
    struct callback_register c = { .type = type, .flags = flags, .address = (unsigned long)address };

    return HYPERVISOR_callback_op(CALLBACKOP_register, &c);
}

static long unreg(uint16_t type)
{
    struct callback_unregister c = { .type = type };

    return HYPERVISOR_callback_op(CALLBACKOP_unregister, &c);
}

static void refusals(void)
{
    void *bad = (void *)(1UL << 47);

    expect_eq(reg(CALLBACKTYPE_event, 0, bad), -EINVAL);
    expect_eq(reg(CALLBACKTYPE_syscall, 0, bad), -EINVAL);
    expect_eq(reg(99, 0, pv_entry_event), -ENOSYS);
    expect_eq(unreg(CALLBACKTYPE_event), -EINVAL);
    expect_eq(unreg(CALLBACKTYPE_failsafe), -EINVAL);
    expect_eq(unreg(CALLBACKTYPE_syscall), -EINVAL);
    expect_eq(unreg(99), -ENOSYS);
    expect_eq(HYPERVISOR_callback_op(7, NULL), -ENOSYS);
    expect_eq(HYPERVISOR_callback_op(CALLBACKOP_register, (void *)NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_set_callbacks(1UL << 47, 0, 0),
              0); /* the first is ignored, the others are set: see kinds */
}

static void kinds(void)
{
    expect_eq(reg(CALLBACKTYPE_nmi, 0, pv_entry_failsafe), 0);
    expect_eq(unreg(CALLBACKTYPE_nmi), 0);
    expect_eq(reg(CALLBACKTYPE_sysenter, 0, pv_entry_syscall32), 0);
    expect_eq(reg(CALLBACKTYPE_syscall32, CALLBACKF_mask_events, pv_entry_syscall32), 0);
    expect_eq(HYPERVISOR_set_callbacks((unsigned long)pv_entry_event, (unsigned long)pv_entry_failsafe,
                                       (unsigned long)pv_entry_syscall),
              0);
}

/* A system call's callback masks events only when it was registered so; libpv's own entry masks always, so
 * the frame tells. */
static void masking(void)
{
    static struct pv_regs r;

    expect_eq(reg(CALLBACKTYPE_syscall, CALLBACKF_mask_events, pv_entry_syscall), 0);
    r = test_user_regs(code_syscall);
    expect_eq(FAULT(pv_resume(&r)), PV_VECTOR_SYSCALL);
    expect_eq(test_trap.regs.saved_upcall_mask, 0);
    expect_eq(test_trap.regs.rflags & PV_RFLAGS_IF, PV_RFLAGS_IF);
}

/* SYSCALL from compatibility mode has a callback of its own; without one it is an exception. */
static void compat(void)
{
    static struct pv_regs r;
    struct callback_register c = { .type = CALLBACKTYPE_syscall32, .address = 0 };

    pv_set_trap_handler(PV_VECTOR_SYSCALL32, test_catch);
    r = test_user_regs(code_syscall);
    r.cs = PV_CS32;
    r.rax = 20;
    expect_eq(FAULT(pv_resume(&r)), PV_VECTOR_SYSCALL32);
    expect_eq(test_trap.regs.cs, PV_CS32);
    expect_eq(test_trap.regs.rip, USER_CODE_VA + 2);
    expect_eq(test_trap.regs.rax, 20);
    expect_eq(HYPERVISOR_callback_op(CALLBACKOP_register, &c), 0);
    r = test_user_regs(code_syscall);
    r.cs = PV_CS32;
    long vector = FAULT(pv_resume(&r));
    check(vector == GP || vector == UD, "SYSCALL of compatibility mode without a callback: %ld %lx", vector,
          test_trap.error);
}

void test_main(void)
{
    test_user_init();
    refusals();
    kinds();
    masking();
    compat();
}
