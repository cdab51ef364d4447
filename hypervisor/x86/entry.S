/* SPDX-License-Identifier: MIT
 *
 * The ways in and out of ring 0.
 *
 * In: SYSCALL by the CPU's own stub, exceptions and interrupts by the gates. Both push the guest's registers straight into
 * current->regs (the CPU's entry stack ends at &regs.es), then go over to the CPU's stack, which always begins empty at its struct
 * cpu; so nothing is ever copied at a switch of vcpus. Out: by exit_to_guest, the only place where work (timers, scheduler) is
 * done and events are delivered. Interrupts stay off in ring 0 but for cpu_window() and cpu_halt().
 *
 * Entries from ring 0 itself (faults in copies, our own iretq, interrupts in a window) stay on the stack they find. NMI,
 * #DB, #MC and #DF have stacks of their own (IST), as a guest can make #DB arrive anywhere (mov ss).
 *
 * Read next: traps.c (what each vector does), domain/bounce.c, docs/hypercalls.md.
 */
#include <xen/arch-x86/xen-x86_64.h>
#include "mm/layout.h"
#include "x86/percpu.h"
#include "x86/descriptor.h"
#include "x86/trap.h"
#include "offsets.h"

    .text

/* Offsets of the registers in a vcpu: words in the order of struct cpu_user_regs (asserted in offsets.c). */
    at = VCPU_regs
    .irp reg, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, code, rip, cs, rflags, rsp, ss
    VCPU_\reg = at
    at = at + 8
    .endr
    VCPU_vector = VCPU_code + 4

/* Where one lies in struct cpu_user_regs. */
#define V(field) (VCPU_##field - VCPU_regs)

/* Pushes the general ones below error_code. */
    .macro push_registers
    .irp reg, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
    push %\reg
    .endr
    .endm

/* Loads from the vcpu in rbx all that SYSRET leaves alone but rbx itself. */
    .macro load_registers
    .irp reg, r15, r14, r13, r12, rbp, r10, r9, r8, rax, rdx, rsi, rdi
    mov VCPU_\reg(%rbx), %\reg
    .endr
    .endm

/* Debug builds: a stretch without interrupts begins (latency.c). In: rsp = the CPU's stack. Keeps all registers. */
    .macro latency_begin
#ifdef DEBUG
    push %rax
    push %rdx
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, CPU_latency_start + 16(%rsp)
    pop %rdx
    pop %rax
#endif
    .endm

/* It ends. Loses the registers that C may lose. */
    .macro latency_end
#ifdef DEBUG
    call latency_end
#endif
    .endm

/* --- SYSCALL -------------------------------------------------------------------------------------------------------------- */

/*
 * A page of this text is copied to the start of each CPU's area, so that `stub + offset` below is that CPU's own datum.
 * In: as SYSCALL leaves it: rcx = guest RIP, r11 = guest RFLAGS, rsp = guest RSP, flags cleared by SFMASK.
 */
#define CPU_STRUCT (PERCPU_STACKS + STACKS_SIZE - CPU_sizeof)
    .macro save_syscall cs, ss
    mov %rsp, stub + CPU_STRUCT + CPU_guest_rsp(%rip)
    mov stub + CPU_STRUCT + CPU_entry_stack(%rip), %rsp
    push $\ss
    push stub + CPU_STRUCT + CPU_guest_rsp(%rip)
    push %r11
    push $\cs
    push %rcx
    push $-1 /* entry_vector: VEC_SYSCALL */
    push_registers
    .endm

    .balign 64
    .globl stub, stub_end, stub_cstar, stub_sysenter
stub:
    save_syscall FLAT_RING3_CS64, FLAT_RING3_SS64
    mov %rsp, %r11 /* the vcpu, plus VCPU_regs */
    lea stub + CPU_STRUCT(%rip), %rsp
    jmp *stub_entry(%rip)

    .balign 16
stub_cstar: /* SYSCALL in compatibility mode */
    save_syscall FLAT_RING3_CS32, FLAT_RING3_SS32
    lea -VCPU_regs(%rsp), %rdi
    lea stub + CPU_STRUCT(%rip), %rsp
    jmp *stub_cstar_entry(%rip)

    .balign 16
stub_sysenter: /* RIP and RSP of the guest are lost; only IF was cleared */
    mov stub + CPU_STRUCT + CPU_entry_stack(%rip), %rsp
    push $FLAT_RING3_SS64
    push $0
    pushfq
    orl $0x200, (%rsp) /* IF, as it was in ring 3 */
    push $FLAT_RING3_CS64
    push $0
    push $0
    push_registers
    lea -VCPU_regs(%rsp), %rdi
    lea stub + CPU_STRUCT(%rip), %rsp
    push $2
    popfq
    jmp *stub_sysenter_entry(%rip)

    .balign 8
stub_entry:
    .quad syscall_entry
stub_cstar_entry:
    .quad cstar_entry
stub_sysenter_entry:
    .quad sysenter_entry
stub_end:

/* In: r11 = &vcpu->regs, rsp = the CPU's stack; all other registers as the guest left them. */
    .balign 64
syscall_entry:
    latency_begin
    cmpb $0, V(kernel_mode)(%r11)
    je user_syscall
    mov V(history_end)(%r11), %r9d
    and $HISTORY_mask, %r9d
    mov %rax, V(history) + HISTORY_nr(%r11, %r9)
    mov %rdi, V(history) + HISTORY_a1(%r11, %r9)
    mov %rsi, V(history) + HISTORY_a2(%r11, %r9)
    mov %rcx, V(history) + HISTORY_rip(%r11, %r9)
    addq $HISTORY_sizeof, V(history_end)(%r11)
    cmp $NR_HYPERCALLS, %rax
    jae no_hypercall
    mov %r10, %rcx /* the fourth argument */
    shl $5, %eax
    lea hypercall_table(%rip), %r9
    call *(%r9, %rax)

/* rax = result. The callee-saved registers are still the guest's. */
hypercall_done:
    mov CPU_current(%rsp), %r11
    mov %rax, VCPU_rax(%r11)
#ifdef DEBUG
    call latency_end
    mov CPU_current(%rsp), %r11
    mov VCPU_rax(%r11), %rax
#endif
    cmpl $0, CPU_work(%rsp)
    jne exit_to_guest
    mov VCPU_info(%r11), %rcx
    cmpb $0, INFO_pending(%rcx)
    jne hypercall_pending
hypercall_masked:
    mov VCPU_rip(%r11), %rcx
    cmp kernel_half(%rip), %rcx
    jb exit_to_guest
    .irp reg, r10, r9, r8, rdx, rsi, rdi
    mov VCPU_\reg(%r11), %\reg
    .endr
    mov VCPU_rsp(%r11), %rsp
    mov VCPU_rflags(%r11), %r11
    sysretq

hypercall_pending: /* rcx = its vcpu_info */
    cmpb $0, INFO_mask(%rcx)
    jne hypercall_masked
    mov %r11, %rbx
    jmp exit_event

no_hypercall:
    mov %rax, %rdi
    call hypercall_unknown
    jmp hypercall_done

cstar_entry: /* rdi = the vcpu */
    call bounce_syscall32
    jmp exit_to_guest

sysenter_entry:
    call bounce_sysenter
    jmp exit_to_guest

/* --- Out ------------------------------------------------------------------------------------------------------------------ */

    .globl exit_to_guest, enter_guests
enter_guests:
    or $(STACKS_SIZE - 1), %rsp
    sub $(CPU_sizeof - 1), %rsp
    jmp exit_to_guest

    .balign 64
user_syscall:
    lea -VCPU_regs(%r11), %rdi
    call bounce_syscall

/* In: rsp = the CPU's empty stack. Everything that the guest gets is in current->regs. */
exit_to_guest:
    latency_end
    mov CPU_current(%rsp), %rbx
    cmpl $0, CPU_work(%rsp)
    jne exit_work
    mov VCPU_info(%rbx), %rcx
    cmpb $0, INFO_pending(%rcx)
    jne exit_pending
exit_restore:
    cmpl $-1, VCPU_vector(%rbx)
    jne exit_iret
    mov VCPU_rip(%rbx), %rcx
    cmp kernel_half(%rip), %rcx
    jb exit_low_half
exit_sysret: /* all selectors become its own, as on Xen */
    load_registers
    mov VCPU_rflags(%rbx), %r11
    mov VCPU_rsp(%rbx), %rsp
    mov VCPU_rbx(%rbx), %rbx
    sysretq

exit_low_half:
    cmp user_end(%rip), %rcx
    jb exit_sysret /* else not canonical: SYSRET would fault in ring 0 on the guest's stack */
    jmp exit_iret

exit_work:
    call cpu_exit_work
    jmp exit_to_guest

exit_pending: /* rcx = its vcpu_info */
    cmpb $0, INFO_mask(%rcx)
    jne exit_restore
exit_event:
    mov %rbx, %rdi /* who was delivered to goes out now, even if events are pending again; an ended domain is work */
    call bounce_event
    cmpl $0, CPU_work(%rsp)
    je exit_restore
    jmp exit_to_guest

/* The frame lies on the CPU's stack: a fault of iretq leaves current->regs as they are. */
exit_iret:
    push VCPU_ss(%rbx)
    push VCPU_rsp(%rbx)
    push VCPU_rflags(%rbx)
    push VCPU_cs(%rbx)
    push VCPU_rip(%rbx)
    load_registers
    mov VCPU_rcx(%rbx), %rcx
    mov VCPU_r11(%rbx), %r11
    mov VCPU_rbx(%rbx), %rbx
1:  iretq
    .section .fixup, "ax", @progbits
2:  add $40, %rsp
    call trap_exit_fault /* the guest's own exception; its registers are all in current->regs */
    jmp exit_to_guest
    .section .extable, "a", @progbits
    .balign 4
    .long 1b - ., 2b - .
    .text

/* --- Exceptions and interrupts -------------------------------------------------------------------------------------------- */

/* 256 gates of 32 bytes; traps.c makes the IDT from them. IST vectors have another common part. */
    .balign 32
    .globl trap_gates
trap_gates:
    vector = 0
    .rept 256
    .balign 32
    .if (vector >= 32)
    push $0
    .elseif !((ERROR_CODE_VECTORS >> vector) & 1)
    push $0
    .endif
    movl $vector, 4(%rsp)
    .if (vector == VEC_DB) || (vector == VEC_NMI) || (vector == VEC_MC) || (vector == VEC_DF)
    jmp trap_own_stack
    .else
    jmp trap_entry
    .endif
    vector = vector + 1
    .endr

/* In: rsp = error_code of a frame: in current->regs if it came from the guest, on this stack if from ring 0. */
    .balign 64
trap_entry:
    push_registers
    cld
    mov V(vector)(%rsp), %eax
    lea trap_table(%rip), %rdx
    testb $3, V(cs)(%rsp)
    jz trap_from_ring0
    lea -VCPU_regs(%rsp), %rdi
    mov VCPU_cpu(%rdi), %rsp
    latency_begin
    call *(%rdx, %rax, 8)
    jmp exit_to_guest

trap_from_ring0:
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call trap_ring0
    mov %rbp, %rsp
back_to_ring0:
    .irp reg, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
    pop %\reg
    .endr
    add $8, %rsp
    iretq

/* NMI, #MC, #DF, #DB: from anywhere, back to where it was; but trap_ist() does not return with a #DB of the guest. */
trap_own_stack:
    push_registers
    cld
    mov %rsp, %rdi
    call trap_ist
    jmp back_to_ring0

/* cpu_relax(), for whoever keeps all registers (lib/lock.h). */
    .globl cpu_relax_saving
cpu_relax_saving:
    .irp reg, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
    push %\reg
    .endr
    call cpu_relax_called
    .irp reg, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
    pop %\reg
    .endr
    ret

    .section .rodata
    .balign 8
user_end: /* where the canonical addresses stop, */
    .quad 1 << 47
kernel_half: /* and go on */
    .quad HV_VIRT_START

    .section .note.GNU-stack, "", @progbits
