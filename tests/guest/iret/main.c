/* SPDX-License-Identifier: MIT
 *
 * HYPERVISOR_iret: what it loads, what it cleans, and how it refuses frames that are not to be loaded. abi.md
 * 12, 13; security.md XSA-7 (RIP canonical before SYSRET) and XSA-8/339 (NT, VM, IOPL).
 */
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "tests/guest/test.h"
#include "tests/guest/user.h"

TEST("iret");
ROLE(dom0, domU);

USER_CODE(code_ud2, "ud2");

#define KERNEL_CS 0xe030 /* RPL 0: back to kernel mode */
#define USER_CS   0xe033

static char stack[4096] __attribute__((aligned(16)));
#define STACK_TOP ((unsigned long)stack + sizeof(stack))

/* Executes the hypercall on a frame, with known values in the registers that it doesn't load. */
static void __attribute__((noreturn)) do_iret(const struct iret_context *frame)
{
    __asm__ volatile("mov %0, %%rsp; mov $0x77, %%ebx; mov $0x78, %%r15d; mov $23, %%eax; syscall"
                     :
                     : "r"(frame)
                     : "memory");
    __builtin_unreachable();
}

static void __attribute__((naked)) landing(void)
{
    __asm__ volatile("ud2");
}

static struct iret_context kernel_frame(void)
{
    return (struct iret_context){ .rax = 1,
                                  .r11 = 2,
                                  .rcx = 3,
                                  .rip = (unsigned long)landing,
                                  .cs = KERNEL_CS,
                                  .rflags = 2,
                                  .rsp = STACK_TOP,
                                  .ss = PV_SS };
}

static struct iret_context user_frame(void)
{
    test_user_regs(code_ud2);
    return (struct iret_context){ .rax = 1,
                                  .r11 = 2,
                                  .rcx = 3,
                                  .rip = USER_CODE_VA,
                                  .cs = USER_CS,
                                  .rflags = 0x202,
                                  .rsp = USER_STACK_TOP,
                                  .ss = PV_SS };
}

static long go(struct iret_context f)
{
    static struct iret_context frame;

    frame = f;
    return FAULT(do_iret(&frame));
}

static void to_kernel(void)
{
    const struct pv_regs *r = &test_trap.regs;
    struct iret_context f = kernel_frame();

    expect_eq(go(f), UD);
    check(r->rax == 1 && r->r11 == 2 && r->rcx == 3 && r->rbx == 0x77 && r->r15 == 0x78,
          "registers are loaded or kept");
    expect_eq(r->rip, f.rip);
    expect_eq(r->cs, KERNEL_CS);
    expect_eq(r->rsp, f.rsp);
    expect_eq(r->saved_upcall_mask, 1); /* IF was 0 in the frame */
    f.rflags = 0x202 | 0x8d5;           /* OF SF ZF AF PF CF */
    expect_eq(go(f), UD);
    expect_eq(r->saved_upcall_mask, 0);
    expect_eq(r->rflags & 0xad5, 0xad5);
}

static void to_user(void)
{
    const struct pv_regs *r = &test_trap.regs;
    struct iret_context f = user_frame();

    expect_eq(go(f), UD);
    check(r->rax == 1 && r->r11 == 2 && r->rcx == 3 && r->rbx == 0x77 && r->r15 == 0x78,
          "registers are loaded or kept");
    expect_eq(r->cs, USER_CS);
    f.flags = VGCF_in_syscall; /* by SYSRET: rcx and r11 hold what it loads */
    expect_eq(go(f), UD);
    expect_eq(r->rcx, USER_CODE_VA);
    expect_eq(r->r11 & ~0x10000UL, 0x202);
    f.flags = 0;
    f.cs = FLAT_USER_CS32;
    expect_eq(go(f), UD);
    expect_eq(r->cs, FLAT_USER_CS32);
}

/* VM and IOPL never get into the real flags. NT may (stock Xen lets it through), and the hypervisor's own
 * iretq must survive it. */
static void flags(void)
{
    struct iret_context f = kernel_frame();

    f.rflags = 2 | 0x27000;
    expect_eq(go(f), UD);
    expect_eq(test_trap.regs.rflags & 0x23000, 0);
    f = user_frame();
    f.rflags |= 0x27000;
    expect_eq(go(f), UD);
    expect_eq(test_trap.regs.rflags & 0x23000, 0);
    f.flags = VGCF_in_syscall;
    expect_eq(go(f), UD);
    expect_eq(test_trap.regs.rflags & 0x23000, 0);
}

static void refusal(const char *what, struct iret_context f, long vector, unsigned long error)
{
    long got = go(f);

    check(got == vector && test_trap.error == error, "%s: vector %ld error %lx rip %lx cs %x", what, got,
          test_trap.error, test_trap.regs.rip, test_trap.regs.cs);
}

static void refusals(void)
{
    struct iret_context f;

    f = user_frame();
    f.cs = 0x0b;
    refusal("user, cs 0b", f, GP, 0x08);
    f = user_frame();
    f.ss = 0x1b;
    refusal("user, ss 1b", f, GP, 0x18);
    f = user_frame();
    f.rip = 1UL << 47;
    refusal("user, rip not canonical", f, GP, 0);
    f.flags = VGCF_in_syscall;
    refusal("user, rip not canonical, by SYSRET", f, GP, 0);
    f = kernel_frame();
    f.cs = 0x08;
    refusal("kernel, cs 08", f, GP, 0x08);
    f = kernel_frame();
    f.ss = 0x18;
    refusal("kernel, ss 18", f, GP, 0x18);
    f = kernel_frame();
    f.rip = 1UL << 47;
    refusal("kernel, rip not canonical", f, GP, 0);
    f = user_frame();
    f.cs = 0xe00b; /* the hypervisor's own code segment, or what lies near it */
    refusal("user, cs e00b", f, GP, 0xe008);
}

void test_main(void)
{
    test_user_init();
    to_kernel();
    to_user();
    flags();
    refusals();
}
