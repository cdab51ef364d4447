/* SPDX-License-Identifier: MIT
 *
 * SYSCALL in the last two bytes of the lower half: the address behind it isn't canonical, and a SYSRET there
 * would fault in ring 0 (on some CPUs) with the guest's stack. The guest must get the fault instead.
 * docs/safety.md XSA-7.
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("end_of_space");
ROLE(dom0, domU);

#define LAST_PAGE 0x00007ffffffff000UL
#define EDGE      0x0000800000000000UL

/* Maps a page there for kernel and user. */
static void make_edge(void)
{
    uint64_t *l3 = test_page(), *l2 = test_page(), *l1 = test_page();
    uint8_t *code = (uint8_t *)test_page();

    code[PAGE_SIZE - 2] = 0x0f;
    code[PAGE_SIZE - 1] = 0x05;
    l1[511] = test_pte(code, PTE_USER);
    l2[511] = test_pte(l1, PTE_TABLE);
    l3[511] = test_pte(l2, PTE_TABLE);
    test_readonly(l1, true);
    test_readonly(l2, true);
    test_readonly(l3, true);
    require(!test_update(MMU_NORMAL_PT_UPDATE, &pv_kernel_l4()[255], test_pte(l3, PTE_TABLE)),
            "for the kernel");
    require(!test_update(MMU_NORMAL_PT_UPDATE, &test_user.l4[255], test_pte(l3, PTE_TABLE)), "for the user");
}

static void __attribute__((noreturn)) jump(unsigned long to, unsigned long nr)
{
    __asm__ volatile("jmp *%0" : : "r"(to), "a"(nr), "D"(0), "S"(0) : "memory");
    __builtin_unreachable();
}

void test_main(void)
{
    static struct pv_regs r;

    test_user_init();
    make_edge();
    expect_fault(GP, 0, jump(EDGE, 0));

    /* a hypercall */
    expect_fault(GP, 0, jump(EDGE - 2, __HYPERVISOR_xen_version));
    expect_eq(test_trap.regs.rip, EDGE);
    expect_eq(test_trap.regs.cs, 0xe030);
    expect_eq(test_trap.regs.rax, 0x40011);

    /* a user's system call: the address is only a number in the frame */
    r = (struct pv_regs){ .rip = EDGE - 2, .cs = PV_CS, .rflags = 0x202, .rsp = USER_STACK_TOP, .ss = PV_SS };
    expect_eq(FAULT(pv_resume(&r)), PV_VECTOR_SYSCALL);
    expect_eq(test_trap.regs.rip, EDGE);

    /* and back from it by SYSRET */
    r = test_trap.regs;
    long vector = FAULT(pv_resume(&r));
    check(vector == GP, "back to %lx: vector %ld error %lx", r.rip, vector, test_trap.error);
}
