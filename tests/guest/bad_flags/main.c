/* SPDX-License-Identifier: MIT
 *
 * Flags that a guest sets before it enters the hypervisor: direction, nested task, alignment check, trap. The
 * hypervisor's own code must not feel them, and they must come back. docs/safety.md XSA-8, 339; Intel SDM
 * 3A 5.8.8 (SYSCALL and FMASK).
 */
#include "libpv/hypercall.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("bad_flags");
ROLE(dom0, domU);

USER_CODE(code_syscall, "syscall");
USER_CODE(code_load, "mov (%rdi), %al");

#define DF (1UL << 10)
#define NT (1UL << 14)
#define AC (1UL << 18)
#define TF (1UL << 8)

/* A hypercall with some flags set; returns its result and the flags after it. */
static long call_with(unsigned long flags, unsigned long nr, unsigned long a1, void *a2, unsigned long *after)
{
    long res = (long)nr;

    __asm__ volatile("pushfq; or %[flags], (%%rsp); popfq; syscall; pushfq; pop %%rbx; pushfq; andq "
                     "$~0x44500, (%%rsp); popfq"
                     : "+a"(res), "+D"(a1), "+S"(a2), "=&b"(*after)
                     : [flags] "r"(flags)
                     : "rcx", "r11", "memory", "cc");
    return res;
}

static void hypercalls(void)
{
    static const unsigned long flags[] = { DF, NT, AC, DF | NT | AC };
    static char text[64], want[64];
    unsigned long after = 0;

    require(HYPERVISOR_xen_version(XENVER_extraversion, want + 24) == 0, "extraversion");
    for (unsigned int i = 0; i < 4; i++) {
        memset(text, 0, sizeof(text));
        expect_eq(call_with(flags[i], __HYPERVISOR_xen_version, XENVER_extraversion, text + 24, &after), 0);
        expect_eq(memcmp(text, want, sizeof(text)), 0); /* copied forwards, nothing before it */
        check((after & flags[i]) == flags[i], "flags %lx came back as %lx", flags[i], after);
        expect_eq(call_with(flags[i], __HYPERVISOR_sched_op, SCHEDOP_yield, NULL, &after), 0);
        check((after & flags[i]) == flags[i], "flags %lx came back as %lx", flags[i], after);
    }
}

/* A text that is long enough to be copied by string instructions, which would go backwards. */
static void long_copies(void)
{
    static char text[3][1024], want[3][1024];
    unsigned long after = 0;

    require(HYPERVISOR_xen_version(XENVER_capabilities, want[1]) == 0, "capabilities");
    expect_eq(call_with(DF, __HYPERVISOR_xen_version, XENVER_capabilities, text[1], &after), 0);
    expect_eq(memcmp(text, want, sizeof(text)), 0);
}

/* The hypercall iret with NT set: the hypervisor's own iretq takes that for a return to another task. */
static void landing(void)
{
    __asm__ volatile("ud2");
}

static void __attribute__((noreturn)) iret_with(unsigned long flags, const struct iret_context *frame)
{
    __asm__ volatile("pushfq; or %0, (%%rsp); popfq; mov %1, %%rsp; mov $23, %%eax; syscall"
                     :
                     : "r"(flags), "r"(frame)
                     : "memory", "cc");
    __builtin_unreachable();
}

static void nested_task(void)
{
    static struct iret_context frame;
    static char stack[4096] __attribute__((aligned(16)));

    frame = (struct iret_context){ .rip = (unsigned long)landing,
                                   .cs = PV_CS & ~3,
                                   .rflags = 2,
                                   .rsp = (unsigned long)stack + sizeof(stack),
                                   .ss = PV_SS };
    expect_fault(UD, 0, iret_with(NT, &frame));
    expect_eq(test_trap.regs.rip, (unsigned long)landing);
    check(!(test_trap.regs.rflags & NT), "rflags %lx", test_trap.regs.rflags);
}

/* Exceptions with the flags set: they are in the frame, and the handler starts without them. */
static void exceptions(void)
{
    static const unsigned long flags[] = { DF, NT, AC };

    for (unsigned int i = 0; i < 3; i++) {
        expect_fault(UD, 0,
                     __asm__ volatile("pushfq; or %0, (%%rsp); popfq; ud2"
                                      :
                                      : "r"(flags[i])
                                      : "memory", "cc"));
        check(test_trap.regs.rflags & flags[i], "flag %lx is in the frame %lx", flags[i],
              test_trap.regs.rflags);
        expect_fault(PF, 0,
                     __asm__ volatile("pushfq; or %0, (%%rsp); popfq; mov (%1), %%al"
                                      :
                                      : "r"(flags[i]), "r"(NOWHERE)
                                      : "memory", "cc", "rax"));
        __asm__ volatile("pushfq; andq $~0x44500, (%%rsp); popfq" : : : "memory", "cc");
    }
}

static void user(void)
{
    static const unsigned long flags[] = { DF, NT, AC, TF };
    static struct pv_regs r;

    test_user_init();
    for (unsigned int i = 0; i < 4; i++) {
        long vector;

        r = test_user_regs(code_syscall);
        r.rflags |= flags[i];
        vector = FAULT(pv_resume(&r));
        check(vector == PV_VECTOR_SYSCALL || (flags[i] == TF && vector == DB), "SYSCALL with %lx: %ld",
              flags[i], vector);
        if (flags[i] != TF)
            check(test_trap.regs.rflags & flags[i], "flag %lx is in the frame", flags[i]);
        r = test_user_regs(code_load);
        r.rdi = NOWHERE;
        r.rflags |= flags[i];
        expect_eq(FAULT(pv_resume(&r)), PF);
    }
}

/* A single step over a hypercall: the trap comes in the guest, behind it. */
static void stepping(void)
{
    static unsigned long at;

    expect_fault(
        DB, 0,
        __asm__ volatile("lea 1f(%%rip), %%rbx; mov %%rbx, %0; mov $17, %%eax; xor %%edi, %%edi; pushfq;"
                         "orq $0x100, (%%rsp); popfq; syscall; 1: nop; nop"
                         : "=m"(at)
                         :
                         : "rax", "rbx", "rcx", "r11", "rdi", "memory", "cc"));
    check(test_trap.regs.rip == at || test_trap.regs.rip == at + 1, "stopped at %lx, behind the call is %lx",
          test_trap.regs.rip, at);
}

void test_main(void)
{
    hypercalls();
    long_copies();
    nested_task();
    exceptions();
    user();
    stepping();
}
