/* SPDX-License-Identifier: MIT
 *
 * Entry stubs of the virtual IDT and the way back.
 *
 * The hypervisor's bounce frame, low to high: rcx, r11, [error code], rip, cs, rflags, rsp, ss. Each stub turns it into a struct
 * pv_regs (traps.h), whose part from rax on is also the frame of HYPERVISOR_iret, so that both ways back need no copy:
 *
 *     r15 r14 r13 r12 rbp rbx r10 r9 r8 rdx rsi rdi | vector | rax r11 rcx error rip cs rflags rsp ss
 *
 * Register contract: all of the interrupted program's registers are in the frame; rdi = the frame for C.
 */
#include <xen/arch-x86/xen-x86_64.h>

/* Offsets in struct pv_regs: asserted in traps.c. */
#define R_VECTOR 96
#define R_ERROR  128
#define R_CS     144
#define R_RFLAGS 152
#define R_SS     168

#define VECTOR_SYSCALL  258
#define HYPERCALL_IRET  23
#define UPCALL_PENDING  pv_shared_info
#define UPCALL_MASK     pv_shared_info + 1
#define VCPU_PENDING    %gs:0 /* the same once there are several vcpus: vcpu.h */
#define VCPU_MASK       %gs:1

    .macro entry vector, error=0
    pop %rcx
    pop %r11
    .if \error == 0
    push $0
    .endif
    push %rcx
    push %r11
    push %rax
    pushq $\vector
    jmp entry_common
    .endm

/* Up to the vector, that is to the frame of HYPERVISOR_iret. */
    .macro pop_registers
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r10
    pop %r9
    pop %r8
    pop %rdx
    pop %rsi
    pop %rdi
    add $8, %rsp
    .endm

    .text
    .balign 32
    .globl pv_entry_stubs
pv_entry_stubs: /* 256 stubs of 32 bytes */
    vector = 0
    .rept 256
    .balign 32
    .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
    entry vector, 1
    .else
    entry vector
    .endif
    vector = vector + 1
    .endr

    .balign 32
    .globl pv_entry_event, pv_entry_failsafe, pv_entry_syscall, pv_entry_syscall32
pv_entry_event:
    entry 256
    .balign 16
pv_entry_syscall:
    entry 258
    .balign 16
pv_entry_syscall32:
    entry 259
    .balign 16
pv_entry_failsafe: /* its frame has ds, es, fs, gs behind r11 */
    pop %rcx
    pop %r11
    add $32, %rsp
    push $0
    push %rcx
    push %r11
    push %rax
    pushq $257

    .balign 16
entry_common:
    push %rdi
    push %rsi
    push %rdx
    push %r8
    push %r9
    push %r10
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, %rdi
    cld /* the interrupted program's may be set, and the bounce doesn't clear it */
    call pv_trap_dispatch

/* Back: rsp = struct pv_regs, events masked. */
leave_common:
    testb $3, R_CS(%rsp)
    jnz leave_to_user
    testl $0x200, R_RFLAGS(%rsp)
    jz 1f
    /* Unmask last, and look again: what became pending before the unmasking makes no upcall by itself. */
    cmpb $0, pv_several(%rip)
    jnz 3f
    movb $0, UPCALL_MASK(%rip)
    cmpb $0, UPCALL_PENDING(%rip)
    jz 1f
    movb $1, UPCALL_MASK(%rip)
2:  mov %rsp, %rdi
    call pv_trap_late_events
    jmp leave_common
1:  movzwl R_CS(%rsp), %eax
    or $3, %eax /* ring 3 can't iretq to an RPL 0 selector */
    mov %rax, R_CS(%rsp)
    orb $3, R_SS(%rsp)
    pop_registers
    pop %rax
    pop %r11
    pop %rcx
    add $8, %rsp
    iretq
3:  movb $0, VCPU_MASK /* from here on an upcall may move us to another vcpu, whose flags are as good */
    cmpb $0, VCPU_PENDING
    jz 1b
    movb $1, VCPU_MASK
    jmp 2b

leave_to_user: /* the hypercall sets the upcall mask from the frame's IF, and delivers what is pending */
    xor %eax, %eax
    cmpl $VECTOR_SYSCALL, R_VECTOR(%rsp)
    mov $VGCF_in_syscall, %ecx
    cmove %rcx, %rax
    mov %rax, R_ERROR(%rsp) /* the flags word of the iret frame */
    pop_registers
    mov $HYPERCALL_IRET, %eax
    syscall
    ud2

    .globl pv_resume
pv_resume:
    cmpb $0, pv_several(%rip)
    jnz 1f
    movb $1, UPCALL_MASK(%rip)
    jmp 2f
1:  movb $1, VCPU_MASK
2:  mov %rdi, %rsp
    jmp leave_common

    .section .note.GNU-stack, "", @progbits
