/* SPDX-License-Identifier: MIT
 *
 * HYPERVISOR_iret: what it loads, what it cleans, and how it refuses frames that are not to be loaded.
 * docs/abi.md 12, 13; docs/safety.md XSA-7 (RIP canonical before SYSRET) and XSA-8/339 (NT, VM, IOPL).
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

/* Frames that iretq refuses, and what SYSRET makes of them instead: it looks at no selector but for the one
 * of 32-bit user mode, and RIP must be canonical. */
static const struct {
    bool user;
    uint16_t cs, ss; /* 0: the right one */
    bool bad_rip;
    uint16_t error; /* of the GP */
} bad_frames[] = {
    { .user = true, .cs = 0x0b, .error = 0x08 },
    { .user = true, .ss = 0x1b, .error = 0x18 },
    { .user = true, .bad_rip = true },
    { .user = true, .cs = 0x0b, .bad_rip = true, .error = 0x08 },
    { .user = true, .cs = 0xe00b, .error = 0xe008 }, /* the hypervisor's own, or what lies near it */
    { .user = true, .cs = FLAT_USER_CS32, .ss = 0x1b, .error = 0x18 },
    { .user = true, .ss = USER_CS, .error = KERNEL_CS },
    { .cs = 0x08, .error = 0x08 },
    { .ss = 0x18, .error = 0x18 },
    { .bad_rip = true },
    { .cs = 0x1234, .ss = 0x1234, .error = 0x1234 },
};

static void refusals(void)
{
    const struct pv_regs *r = &test_trap.regs;

    for (unsigned int i = 0; i < sizeof(bad_frames) / sizeof(bad_frames[0]); i++) {
        struct iret_context f = bad_frames[i].user ? user_frame() : kernel_frame();
        bool compat = bad_frames[i].cs == FLAT_USER_CS32;

        f.cs = bad_frames[i].cs ? bad_frames[i].cs : f.cs;
        f.ss = bad_frames[i].ss ? bad_frames[i].ss : f.ss;
        f.rip = bad_frames[i].bad_rip ? 1UL << 47 : f.rip;
        check(go(f) == GP && test_trap.error == bad_frames[i].error, "frame %u: vector %ld error %lx rip %lx",
              i, test_trap.vector, test_trap.error, r->rip);
        f.flags = VGCF_in_syscall;
        if (bad_frames[i].bad_rip) {
            check(go(f) == GP && test_trap.error == bad_frames[i].error, "frame %u, SYSRET: %ld", i,
                  test_trap.vector);
            continue;
        }
        check(go(f) == UD && r->rip == f.rip, "frame %u, SYSRET: vector %ld error %lx rip %lx", i,
              test_trap.vector, test_trap.error, r->rip);
        expect_eq(r->cs, compat ? FLAT_USER_CS32 : bad_frames[i].user ? USER_CS : KERNEL_CS);
        expect_eq(r->ss, PV_SS);
    }
}

void test_main(void)
{
    test_user_init();
    to_kernel();
    to_user();
    flags();
    refusals();
}
