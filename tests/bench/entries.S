/* SPDX-License-Identifier: MIT
 *
 * Trap handlers as short as they can be, so that a row shows the hypervisor's work and not libpv's.
 *
 * A bounce frame is, low to high: rcx, r11, [error code], rip, cs, rflags, rsp, ss. Returns are the iret hypercall (slot 23
 * pushes rcx, r11 and rax itself).
 */
#define IRET_SLOT (pv_hypercall_page + 23 * 32)
#define VGCF_IN_SYSCALL 0x100

#include "tests/bench/mark.h"

        .text
/* #BP of the kernel: back to the next instruction. */
        .globl bench_breakpoint
bench_breakpoint:
        pop     %rcx
        pop     %r11
        pushq   $0
        jmp     IRET_SLOT

/* #PF of the kernel: goes on at the address in rbx. */
        .globl bench_kernel_fault
bench_kernel_fault:
        pop     %rcx
        pop     %r11
        add     $8, %rsp
        mov     %rbx, (%rsp)
        pushq   $0
        jmp     IRET_SLOT

/* #PF of the user program: goes on at the address in rbx. */
        .globl bench_user_fault
bench_user_fault:
        pop     %rcx
        pop     %r11
        add     $8, %rsp
        mov     %rbx, (%rsp)
        pushq   $0
        jmp     IRET_SLOT

/* A user program's SYSCALL: rax 0 returns at once, else the program has ended: back into bench_enter_user. */
        .globl bench_syscall
bench_syscall:
        pop     %rcx
        pop     %r11
        test    %eax, %eax
        jnz     1f
        pushq   $VGCF_IN_SYSCALL
        jmp     IRET_SLOT
1:      mov     kernel_rsp(%rip), %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

/* bench_enter_user(rip, rsp, rdi): runs the user program until its SYSCALL with rax != 0. */
        .globl bench_enter_user
bench_enter_user:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, kernel_rsp(%rip)
        pushq   $0xe02b
        push    %rsi
        pushq   $0x202
        pushq   $0xe033
        push    %rdi
        pushq   $0
        mov     %rdx, %rdi
        jmp     IRET_SLOT

/* Event upcall: notes the time, takes the event away, returns (the iret unmasks). r12: vcpu_info, r13: pending word, r14: its bit mask
 * inverted, set by the row. rax and rdx are the row's to lose. bench_upcall_end is the same, but the sample ends in it. */
        .globl bench_upcall, bench_upcall_end
bench_upcall_end:
        pop     %rcx
        pop     %r11
        rdtsc
        MARK(MARK_END)
        jmp     1f
bench_upcall:
        pop     %rcx
        pop     %r11
        rdtsc
1:      mov     %eax, bench_upcall_tsc(%rip)
        mov     %edx, 4 + bench_upcall_tsc(%rip)
        movb    $0, (%r12)
        movq    $0, 8(%r12)
        and     %r14, (%r13)
        pushq   $0
        jmp     IRET_SLOT

/* bench_iret(): the iret hypercall from kernel to kernel, ticks in rax. The frame is built before the clock starts. */
        .globl bench_iret
bench_iret:
        mov     %rsp, %r8
        pushq   $0xe02b
        push    %r8
        pushq   $0x002
        pushq   $0xe030
        lea     1f(%rip), %r9
        push    %r9
        pushq   $0
        MARK(MARK_START)
        rdtsc
        shl     $32, %rdx
        lea     (%rax, %rdx), %r10
        jmp     IRET_SLOT
1:      rdtsc
        MARK(MARK_END)
        shl     $32, %rdx
        add     %rdx, %rax
        sub     %r10, %rax
        ret

/* The user program, copied into a page of its own: rdi points at { number of system calls, number of faults, samples[] }. */
        .globl bench_user_code, bench_user_code_end
bench_user_code:
        mov     (%rdi), %r12
        lea     16(%rdi), %r13
        test    %r12, %r12
        jz      2f
1:      xor     %eax, %eax
        MARK(MARK_START)
        rdtsc
        shl     $32, %rdx
        lea     (%rax, %rdx), %r14
        xor     %eax, %eax
        syscall
        rdtsc
        MARK(MARK_END)
        shl     $32, %rdx
        add     %rdx, %rax
        sub     %r14, %rax
        mov     %rax, (%r13)
        add     $8, %r13
        dec     %r12
        jnz     1b
2:      mov     8(%rdi), %r12
        test    %r12, %r12
        jz      5f
4:      lea     3f(%rip), %rbx
        xor     %esi, %esi
        MARK(MARK_START)
        rdtsc
        shl     $32, %rdx
        lea     (%rax, %rdx), %r14
        movb    (%rsi), %al
3:      rdtsc
        MARK(MARK_END)
        shl     $32, %rdx
        add     %rdx, %rax
        sub     %r14, %rax
        mov     %rax, (%r13)
        add     $8, %r13
        dec     %r12
        jnz     4b
5:      mov     $1, %eax
        syscall
bench_user_code_end:

        .bss
        .balign 8
kernel_rsp:
        .quad   0
        .globl bench_upcall_tsc
bench_upcall_tsc:
        .quad   0
        .section .note.GNU-stack, "", @progbits
