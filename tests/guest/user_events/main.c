/* SPDX-License-Identifier: MIT
 *
 * A user program that is interrupted all the time: its registers, its flags and its FPU come through upcalls
 * and system calls unchanged, and events reach the kernel while the program runs. docs/abi.md "Bounce frame".
 */
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("user_events");
ROLE(dom0, domU);

#define PATIENCE 2000 /* system calls to wait for the ticks */

/* rbx counts; r12 to r15, rbp, rsi, rdi, r8 to r10 hold constants, xmm0 a copy of the count. Each 65,536
 * rounds a system call. Ends by ud2 with rax = 0 when all is well, or the number of the check that failed. */
USER_CODE(code_loop,
          "mov $12, %r12d; mov $13, %r13d; mov $14, %r14d; mov $15, %r15d; mov $16, %ebp;"
          "mov $3, %esi; mov $4, %edi; mov $5, %r8d; mov $6, %r9d; mov $7, %r10d; xor %ebx, %ebx;"
          "1: inc %rbx; movq %rbx, %xmm0;"
          "lea (%r12, %r13), %rax; add %r14, %rax; add %r15, %rax; add %rbp, %rax; add %rsi, %rax;"
          "add %rdi, %rax; add %r8, %rax; add %r9, %rax; add %r10, %rax; cmp $95, %rax; mov $1, %eax; jne 9f;"
          "movq %xmm0, %rax; cmp %rbx, %rax; mov $2, %eax; jne 9f;"
          "cmp $0x402000, %rsp; mov $3, %eax; jne 9f;"
          "stc; mov $4, %eax; jnc 9f; std; cld;"
          "test $0xffff, %ebx; jnz 1b;"
          "mov %rbx, %rax; syscall; test %rax, %rax; jnz 1b;"
          "9: ud2");

static volatile unsigned int ticks, from_user, calls, rounds;

static void tick(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    ticks++;
    pv_timer_set(pv_time_ns() + 200000);
}

/* Just before each return. */
static void leaving(struct pv_regs *r)
{
    if (r->vector == PV_VECTOR_EVENT)
        from_user += pv_from_user(r);
}

static void system_call(struct pv_regs *r)
{
    calls++;
    rounds = (unsigned int)r->rax;
    expect_eq(r->rax, r->rbx);
    r->rax =
        calls < 20 || (calls < PATIENCE && (ticks < 6 || from_user < 3)); /* a busy machine ticks seldom */
}

void test_main(void)
{
    static struct pv_regs r;

    require(pv_event_bind_virq(VIRQ_TIMER, tick, NULL) > 0, "VIRQ_TIMER");
    test_user_init();
    pv_set_trap_handler(PV_VECTOR_SYSCALL, system_call);
    pv_exit_hook = leaving;
    r = test_user_regs(code_loop);
    pv_timer_set(pv_time_ns() + 200000);
    expect_eq(FAULT(pv_resume(&r)), UD);
    pv_exit_hook = NULL;
    pv_timer_set(0);
    expect_eq(test_trap.regs.rax, 0);
    check(calls >= 20, "%u calls", calls);
    expect_eq(rounds, calls * 65536);
    check(ticks > 5 && from_user > 2, "%u ticks, %u of them in user mode", ticks, from_user);
}
