/* SPDX-License-Identifier: MIT
 *
 * Debug registers: set_debugreg and get_debugreg, the instructions, what is refused, and a data breakpoint
 * that fires in the guest. arch-x86/xen.h; Intel SDM 3B 18.2; docs/safety.md XSA-260 (a #DB that a guest
 * defers into the hypervisor).
 */
#include "libpv/hypercall.h"
#include "tests/guest/pages.h"
#include "libpv/traps.h"

TEST("debugreg");
ROLE(dom0, domU);

static volatile uint64_t watched;

static void values(void)
{
    static unsigned long v;

    expect_eq(HYPERVISOR_set_debugreg(0, (unsigned long)&watched), 0);
    expect_eq(HYPERVISOR_get_debugreg(0), (long)&watched);
    expect_no_fault(__asm__ volatile("mov %%dr0, %0" : "=r"(v)));
    expect_eq(v, (long)&watched);
    expect_no_fault(__asm__ volatile("mov %0, %%dr1" : : "r"(0x1000UL)));
    expect_eq(HYPERVISOR_get_debugreg(1), 0x1000);
    expect_eq(HYPERVISOR_set_debugreg(1, 0), 0);
    expect_eq(HYPERVISOR_get_debugreg(6) & 0xffff0ff0, 0xffff0ff0);
    expect_eq(HYPERVISOR_get_debugreg(7) & 0x400, 0x400);
}

static void refusals(void)
{
    expect_eq(HYPERVISOR_set_debugreg(2, 1UL << 47), -EPERM);
    expect_eq(HYPERVISOR_set_debugreg(2, 0xffff820000000000UL), -EPERM); /* the hypervisor's memory */
    expect_eq(HYPERVISOR_set_debugreg(8, 0), -ENODEV);
    expect_eq(HYPERVISOR_get_debugreg(8), -ENODEV);
    expect_eq(HYPERVISOR_set_debugreg(7, 1UL << 32), -EINVAL);
    expect_eq(HYPERVISOR_set_debugreg(7, 0x2401), -EPERM); /* general detect */
    expect_eq(HYPERVISOR_get_debugreg(7) & 0x2000, 0);
    expect_eq(HYPERVISOR_set_debugreg(7, 0), 0);
}

static void breakpoint(void)
{
    expect_eq(HYPERVISOR_set_debugreg(6, 0), 0);
    expect_eq(HYPERVISOR_set_debugreg(7, 0xd0001 | 0x400), 0); /* register 0, local, writes of 4 bytes */
    expect_fault(DB, 0, watched = 5);
    expect_eq(HYPERVISOR_get_debugreg(6) & 0xf, 1);
    expect_no_fault((void)watched);
    expect_eq(HYPERVISOR_set_debugreg(7, 0), 0);
    expect_no_fault(watched = 6);
}

/* A breakpoint on the operand of mov ss is held back for one instruction: that is a SYSCALL into the
 * hypervisor. */
static void deferred(void)
{
    static volatile uint16_t ss;
    long vector;

    __asm__ volatile("mov %%ss, %0" : "=m"(ss));
    expect_eq(HYPERVISOR_set_debugreg(0, (unsigned long)&ss), 0);
    expect_eq(HYPERVISOR_set_debugreg(7, 0x70001 | 0x400), 0); /* reads and writes of 2 bytes */
    vector = FAULT(__asm__ volatile("mov $17, %%eax; xor %%edi, %%edi; mov %0, %%ss; syscall"
                                    :
                                    : "m"(ss)
                                    : "rax", "rdi", "rcx", "r11", "memory"));
    check(vector == DB || vector == -1, "deferred into a hypercall: %ld", vector);
    vector = FAULT(__asm__ volatile("mov %0, %%ss; int3" : : "m"(ss)));
    check(vector == DB || vector == BP, "deferred into int3: %ld", vector);
    expect_eq(HYPERVISOR_set_debugreg(7, 0), 0);
}

void test_main(void)
{
    values();
    refusals();
    breakpoint();
    deferred();
}
