/* SPDX-License-Identifier: MIT
 *
 * The virtual IOPL under vm_assist 4 (architectural_iopl): it stands in bounce frames, is set by iret frames,
 * and the kernel counts as level 0. xen.h; docs/abi.md 18.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("iopl");
ROLE(dom0, domU);

#define IOPL(n) ((uint64_t)(n) << 12)

USER_CODE(code_cli, "cli; ud2");
USER_CODE(code_ud2, "ud2");
USER_CODE(code_flags, "pushfq; pop %rax; ud2");

static long run(const char *code, const char *end, uint64_t iopl)
{
    static struct pv_regs r;

    r = test_user_load(code, end);
    r.rflags |= iopl;
    return FAULT(pv_resume(&r));
}

#define user(name, iopl) run(name, name##_end, iopl)

void test_main(void)
{
    struct physdev_set_iopl set = { .iopl = 3 };

    test_user_init();
    expect_eq(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_architectural_iopl), 0);
    /* of the user: by the frame of iret */
    expect_eq(user(code_cli, IOPL(0)), GP);
    expect_eq(user(code_cli, IOPL(3)), UD); /* cli did nothing and went on */
    expect_eq(test_trap.regs.rflags & IOPL(3), IOPL(3));
    expect_eq(test_trap.regs.rip, USER_CODE_VA + 1);
    expect_eq(user(code_cli, IOPL(2)), GP);
    expect_eq(test_trap.regs.rflags & IOPL(3), IOPL(2));
    expect_eq(user(code_ud2, IOPL(1)), UD);
    expect_eq(test_trap.regs.rflags & IOPL(3), IOPL(1));
    /* the real flags never have it */
    expect_eq(user(code_flags, IOPL(3)), UD);
    expect_eq(test_trap.regs.rax & IOPL(3), 0);
    /* of the kernel: level 0, so any IOPL will do */
    set.iopl = 0;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &set), 0);
    expect_no_fault(__asm__ volatile("cli"));
    set.iopl = 3;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &set), 0);
    expect_fault(UD, 0, __asm__ volatile("ud2"));
    expect_eq(test_trap.regs.rflags & IOPL(3), IOPL(3));

    expect_eq(HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl), 0);
    expect_fault(UD, 0, __asm__ volatile("ud2"));
    expect_eq(test_trap.regs.rflags & IOPL(3), 0);
}
