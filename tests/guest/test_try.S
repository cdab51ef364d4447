/* SPDX-License-Identifier: MIT
 *
 * test_try_begin: a setjmp for FAULT (test.h). It keeps what a C function must preserve, its return address and its stack pointer in
 * test_try_state; the trap handler in test.c loads them to come out of test_try_begin a second time, with 1.
 */
    .text
    .globl test_try_begin
test_try_begin:
    mov %rbx, test_try_state(%rip)
    mov %rbp, test_try_state + 8(%rip)
    mov %r12, test_try_state + 16(%rip)
    mov %r13, test_try_state + 24(%rip)
    mov %r14, test_try_state + 32(%rip)
    mov %r15, test_try_state + 40(%rip)
    lea 8(%rsp), %rax
    mov %rax, test_try_state + 48(%rip)
    mov (%rsp), %rax
    mov %rax, test_try_state + 56(%rip)
    movq $-1, test_trap(%rip)
    movb $1, test_trying(%rip)
    xor %eax, %eax
    ret
    .section .note.GNU-stack, "", @progbits
