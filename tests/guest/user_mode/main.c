/* SPDX-License-Identifier: MIT
 *
 * A user program: into user mode by HYPERVISOR_iret, and back by system call, exception and software
 * interrupt. Its privileged instructions and its looks at the kernel fault; its SYSCALL is never a hypercall.
 * docs/abi.md "Hypercall page, entry and iret".
 */
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "tests/guest/test.h"
#include "tests/guest/user.h"

TEST("user_mode");
ROLE(dom0, domU);

USER_CODE(code_syscall, "mov $17, %eax; mov $5, %edi; stc; syscall; 1: jmp 1b");
USER_CODE(code_ud2, "ud2");
USER_CODE(code_int3, "int3");
USER_CODE(code_int80, "int $0x80");
USER_CODE(code_load, "mov (%rdi), %al");
USER_CODE(code_store, "mov %al, (%rdi)");
USER_CODE(code_jump, "jmp *%rdi");
USER_CODE(code_cli, "cli");
USER_CODE(code_hlt, "hlt");
USER_CODE(code_in, "in $0x80, %al");
USER_CODE(code_rdmsr, "mov $0xc0000080, %ecx; rdmsr");
USER_CODE(code_cr0, "mov %cr0, %rax");
USER_CODE(code_cr3, "mov %rax, %cr3");
USER_CODE(code_push, "pushfq; pop %rax; push %rax; ud2");

/* Runs a snippet with rdi; the vector it came back with. */
static long run(const char *code, const char *end, uint64_t rdi)
{
    static struct pv_regs r;

    r = test_user_load(code, end);
    r.rdi = rdi;
    return FAULT(pv_resume(&r));
}

#define user(name, rdi) run(name, name##_end, rdi)
#define expect_user_fault(vec, err, name, rdi) \
    test_expect_fault(user(name, rdi), vec, err, __FILE__, __LINE__, #name)

static void system_call(void)
{
    const struct pv_regs *r = &test_trap.regs;

    expect_eq(user(code_syscall, 0), PV_VECTOR_SYSCALL);
    expect_eq(r->rax, 17);
    expect_eq(r->rdi, 5);
    expect_eq(r->rip, USER_CODE_VA + 13);
    expect_eq(r->rcx, r->rip);
    expect_eq(r->r11, r->rflags);
    expect_eq(r->rflags & 0x3ff, 0x203);
    expect_eq(r->cs, PV_CS);
    expect_eq(r->ss, PV_SS);
    expect_eq(r->rsp, USER_STACK_TOP);
    expect_eq(test_trap.frame + sizeof(struct pv_regs), (unsigned long)test_user.kernel_stack_top);
}

static void exceptions(void)
{
    const struct pv_regs *r = &test_trap.regs;

    expect_user_fault(UD, 0, code_ud2, 0);
    expect_eq(r->rip, USER_CODE_VA);
    expect_eq(r->cs, PV_CS);
    expect_eq(r->saved_upcall_mask, 0);
    expect_eq(test_trap.frame + sizeof(struct pv_regs), (unsigned long)test_user.kernel_stack_top);
    expect_user_fault(BP, 0, code_int3, 0);
    expect_eq(r->rip, USER_CODE_VA + 1);
    expect_user_fault(PF, 4, code_load, 0x12345);
    expect_eq(test_trap.cr2, 0x12345);
    expect_user_fault(PF, 6, code_store, 0x12345);
    expect_user_fault(PF, 0x14, code_jump, 0x12000);
    expect_eq(r->rip, 0x12000);
    expect_user_fault(GP, 0, code_load, 1UL << 47);
    pv_set_trap_handler(0x80, test_catch);
    expect_user_fault(GP, 0x80 * 8 + 2, code_int80, 0);
    require(!pv_set_trap_dpl(0x80, 3), "int 0x80 for everyone");
    expect_user_fault(0x80, 0, code_int80, 0);
    expect_eq(r->rip, USER_CODE_VA + 2);
}

static void privileged(void)
{
    expect_user_fault(GP, 0, code_cli, 0);
    expect_user_fault(GP, 0, code_hlt, 0);
    expect_user_fault(GP, 0, code_in, 0);
    expect_user_fault(GP, 0, code_rdmsr, 0);
    expect_user_fault(GP, 0, code_cr0, 0);
    expect_user_fault(GP, 0, code_cr3, 0);
}

/* The kernel isn't in the user's tables; what belongs to the hypervisor is there, but not for reading. */
static void isolation(void)
{
    static char secret;

    expect_user_fault(PF, 4, code_load, (uint64_t)&secret);
    expect_user_fault(PF, 5, code_load, 0xffff820000000000UL);
    expect_eq(user(code_load, 0xffff800000000000UL), PF);
}

/* The upcall mask of user mode is the inverse of the iret frame's IF. */
static void mask(void)
{
    static struct pv_regs r;

    r = test_user_regs(code_ud2);
    r.rflags = 2;
    expect_fault(UD, 0, pv_resume(&r));
    expect_eq(test_trap.regs.saved_upcall_mask, 1);
    expect_eq(test_trap.regs.rflags & PV_RFLAGS_IF, 0);
    expect_eq(user(code_push, 0), UD);
    expect_eq(test_trap.regs.rax & PV_RFLAGS_IF, PV_RFLAGS_IF); /* the real flag is always 1 */
}

void test_main(void)
{
    test_user_init();
    system_call();
    exceptions();
    privileged();
    isolation();
    mask();
}
