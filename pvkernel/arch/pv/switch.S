/* SPDX-License-Identifier: MIT
 *
 * The thread switch. What C calls "callee-saved" goes on the old thread's stack; the rest the caller has saved already.
 */
    .text

/* thread_switch(rdi: where to keep the old rsp, rsi: the new rsp). Returns on the new stack. */
    .globl thread_switch
thread_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

/* The first return of a new thread comes here: r12 = entry, r13 = its argument, and the stack is empty. */
    .globl thread_first
thread_first:
    mov %r13, %rdi
    xor %ebp, %ebp
    call *%r12
    ud2

    .section .note.GNU-stack, "", @progbits
