/* SPDX-License-Identifier: MIT
 *
 * 32-bit code: SYSCALL from compatibility mode and SYSENTER, from user and kernel, with and without a
 * callback. None of them ever becomes a hypercall or runs in the hypervisor as anything but a bounce.
 * callback.h.
 */
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "tests/guest/test.h"
#include "tests/guest/user.h"

TEST("compat");
ROLE(dom0, domU);

#define CS32 0xe023

/* 32-bit instructions by their bytes where the 64-bit assembler has other ones. */
USER_CODE(code_syscall, "mov $17, %eax; mov $5, %edi; syscall; 1: jmp 1b");
USER_CODE(code_sysenter, "mov $17, %eax; mov $5, %edi; sysenter; 1: jmp 1b");
USER_CODE(code_int3, "int3");
USER_CODE(code_inc,
          "mov $1, %eax; .byte 0x40; ud2"); /* inc eax in 32-bit code, a REX prefix of ud2 in 64-bit code */
USER_CODE(code_far, ".byte 0xea; .long 0x400010; .word 0xe033; .skip 9; ud2"); /* ljmp into 64-bit code, as
                                                                                  user programs may */

extern char pv_entry_syscall32[];

static long run(const char *code, const char *end, uint16_t cs)
{
    static struct pv_regs r;

    r = test_user_load(code, end);
    r.cs = cs;
    return FAULT(pv_resume(&r));
}

#define user32(name)   run(name, name##_end, CS32)
#define user64(name)   run(name, name##_end, PV_CS)
#define kernel32(name) run(name, name##_end, CS32 & ~3)

static bool intel(void)
{
    uint32_t a = 0, b, c, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return b == 0x756e6547; /* GenuineIntel */
}

static long callback(uint16_t type, const char *entry)
{
    struct callback_register c = { .type = type,
                                   .flags = CALLBACKF_mask_events,
                                   .address = (unsigned long)entry };

    return HYPERVISOR_callback_op(CALLBACKOP_register, &c);
}

static void plain_code(void)
{
    const struct pv_regs *r = &test_trap.regs;

    expect_eq(user32(code_inc), UD);
    expect_eq(r->rax, 2);
    expect_eq(r->cs, CS32);
    expect_eq(user32(code_int3), BP);
    expect_eq(r->rip, USER_CODE_VA + 1);
    expect_eq(kernel32(code_int3), BP);
    expect_eq(r->cs, CS32 & ~3);
    expect_eq(user32(code_far), UD);
    expect_eq(r->cs, PV_CS);
}

static void without_callbacks(void)
{
    const struct pv_regs *r = &test_trap.regs;

    expect_eq(user32(code_syscall), UD);
    expect_eq(r->rip, USER_CODE_VA + 10);
    expect_eq(r->rax, 17);
    expect_eq(kernel32(code_syscall), UD);
    expect_eq(user32(code_sysenter), GP);
    expect_eq(test_trap.error, 0);
    if (!intel())
        expect_eq(kernel32(code_sysenter), GP);
}

static void with_callbacks(void)
{
    const struct pv_regs *r = &test_trap.regs;

    pv_set_trap_handler(PV_VECTOR_SYSCALL32, test_catch);
    expect_eq(user32(code_syscall), PV_VECTOR_SYSCALL32);
    expect_eq(r->rip, USER_CODE_VA + 12);
    expect_eq(r->cs, CS32);
    expect_eq(r->ss, PV_SS);
    expect_eq(r->rax, 17);
    expect_eq(r->rdi, 5);
    expect_eq(r->rsp, USER_STACK_TOP);
    expect_eq(r->rflags & PV_RFLAGS_IF, PV_RFLAGS_IF);
    expect_eq(kernel32(code_syscall), PV_VECTOR_SYSCALL32);
    expect_eq(r->cs & 3, 0);
}

/* Only Intel's processors have SYSENTER in long mode; elsewhere the callback is accepted and never called. */
static void sysenter(void)
{
    const struct pv_regs *r = &test_trap.regs;

    expect_eq(callback(CALLBACKTYPE_sysenter, pv_entry_syscall32), 0);
    if (!intel()) {
        expect_eq(user32(code_sysenter), GP);
        expect_eq(r->rip, USER_CODE_VA + 10);
        return;
    }
    expect_eq(user32(code_sysenter), PV_VECTOR_SYSCALL32);
    expect_eq(r->rip, 0);
    expect_eq(r->cs & 3, 3);
    expect_eq(r->rsp, 0);
    expect_eq(r->rax, 17);
    expect_eq(r->rflags & PV_RFLAGS_IF, PV_RFLAGS_IF);
    expect_eq(user64(code_sysenter), PV_VECTOR_SYSCALL32);
}

void test_main(void)
{
    test_user_init();
    plain_code();
    without_callbacks();
    with_callbacks();
    sysenter();
}
