/* SPDX-License-Identifier: MIT
 *
 * Where the other CPUs begin: in real mode, at a page below 1 MiB that boot/cpus.c copies this to. Straight to long mode, on
 * tables that still map the page at its own address (trampoline_l4), then onto the tables, the stack and the struct cpu that
 * the boot CPU has made.
 */
#include "mm/layout.h"
#include "x86/percpu.h"
#include "boot/trampoline.h"

#define PA(sym) ((sym) - IMAGE_VIRT)
#define AT(sym) (TRAMPOLINE_MADDR + (sym) - trampoline)

    .section .rodata
    .globl trampoline, trampoline_end
    .balign 16
trampoline:
    .code16
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl gdtr - trampoline
    mov $CR4_AT_START, %eax
    mov %eax, %cr4
    mov $PA(trampoline_l4), %eax
    mov %eax, %cr3
    mov $MSR_EFER_NR, %ecx
    mov $EFER_AT_START, %eax
    xor %edx, %edx
    wrmsr
    mov $CR0_AT_START, %eax /* protected mode and paging at once: long mode */
    mov %eax, %cr0
    ljmpl $8, $AT(1f)

    .code64
1:  movabs $cpu_start, %rax
    jmp *%rax

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* ring 0 code, 64 bits */
gdtr:
    .short . - gdt - 1
    .long AT(gdt)
trampoline_end:

    .text
cpu_start:
    mov $PA(hv_l4), %eax
    mov %rax, %cr3
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov starting_cpu(%rip), %rdi
    mov %rdi, %rsp
    xor %ebp, %ebp
    call cpu_main
    ud2

    .section .note.GNU-stack, "", @progbits
