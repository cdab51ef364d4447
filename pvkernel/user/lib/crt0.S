/* SPDX-License-Identifier: MIT
 *
 * A program's first instructions: the stack holds argc, argv[0..], 0 (System V ABI, 3.4.1). And the system call itself.
 */
#include "pvkernel/core/syscall.h"

    .text
    .globl _start
_start:
    xor %ebp, %ebp
    mov (%rsp), %rdi
    lea 8(%rsp), %rsi
    call main
    mov %eax, %edi
    mov $SYS_exit, %eax
    syscall
    ud2

/* long syscall(long number, long a, long b, long c): number in rax, arguments one register down. */
    .globl syscall
syscall:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    syscall
    ret

    .section .note.GNU-stack, "", @progbits
