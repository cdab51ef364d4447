/* SPDX-License-Identifier: MIT
 *
 * From the boot loader to C: Multiboot headers, the tables of the first address space, long mode.
 *
 * The loader enters at the image's first byte (1 MiB) in 32-bit protected mode without paging, eax = Multiboot magic, ebx = its
 * information structure. All tables are made by the assembler, so there is nothing to do but to load CR3. They map
 *
 *     0 .. 4 GiB                   itself, until boot_main() drops it (slot 0)
 *     IMAGE_VIRT .. + 4 MiB        the image by small pages, so that boot_main() can take rights away
 *     DIRECT_VIRT .. + 4 GiB       the direct map, no execute
 *
 * and stay for good as Parador's own root (boot/boot.h: hv_l4). Read next: boot/main.c.
 */
#include "mm/layout.h"
#include "x86/percpu.h"
#include "boot/trampoline.h"
#include "offsets.h"

#define PA(sym) ((sym) - IMAGE_VIRT)

#define PTE_P  0x01
#define PTE_RW 0x02
#define PTE_PS 0x80
#define PTE_UC 0x18 /* PWT and PCD */
#define PTE_NX (1 << 63)
#define TABLE  (PTE_P | PTE_RW)
#define SLOT(virt) (((virt) >> 39) & 511)

    .section .text.head, "ax", @progbits
    .code32
    .globl head
head:
    jmp 1f

    .balign 8
multiboot1: /* flags: modules page-aligned, memory map wanted */
    .long 0x1badb002, 3, -(0x1badb002 + 3)

    .balign 8
multiboot2: /* architecture 0: i386; tags: modules page-aligned, the end */
    .long 0xe85250d6, 0, 2f - multiboot2, -(0xe85250d6 + (2f - multiboot2))
    .short 6, 0
    .long 8
    .short 0, 0
    .long 8
2:

1:  cli
    cld
    mov %eax, %edi /* boot_main's arguments */
    mov %ebx, %esi
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    and $((1 << 29) | (1 << 20)), %edx
    cmp $((1 << 29) | (1 << 20)), %edx /* long mode and NX */
    jne no_long_mode

    mov $CR4_AT_START, %eax
    mov %eax, %cr4
    mov $PA(hv_l4), %eax
    mov %eax, %cr3
    mov $MSR_EFER_NR, %ecx
    mov $EFER_AT_START, %eax
    xor %edx, %edx
    wrmsr
    mov $CR0_AT_START, %eax
    mov %eax, %cr0
    lgdt PA(boot_gdtr)
    ljmp $8, $PA(head64)

no_long_mode:
    mov $PA(no_long_mode_text), %esi
1:  lodsb
    test %al, %al
    jz 3f
    mov %al, %ah
    mov $0x3fd, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    mov %ah, %al
    mov $0x3f8, %dx
    out %al, %dx
    jmp 1b
3:  mov $5, %eax /* isa-debug-exit of QEMU: machine_exit(2) */
    mov $0xf4, %dx
    out %eax, %dx
4:  hlt
    jmp 4b
no_long_mode_text:
    .asciz "\r\nparador: this processor has no long mode or no NX bit; Parador needs both\r\nparador: exit 2\r\n"

    .code64
head64: /* still at the low address */
    movabs $1f, %rax
    jmp *%rax
1:  lea boot_stack + STACKS_SIZE - CPU_sizeof(%rip), %rsp
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    xor %ebp, %ebp
    push %rbp
    push %rbp
    call boot_main
    ud2

/* The stack of the boot, with a struct cpu at its end as on any other (x86/percpu.h). */
    .section .data.head, "aw", @progbits
    .balign STACKS_SIZE
    .globl boot_stack
boot_stack:
    .skip STACKS_SIZE

    .balign 4096
    .globl hv_l4, hv_direct_l3, percpu_l2, image_l1, identity_l3, trampoline_l4
hv_l4:
    .quad PA(identity_l3) + TABLE
    .skip (SLOT(PERCPU_VIRT) - 1) * 8
    .quad PA(percpu_l3) + TABLE
    .skip (SLOT(IMAGE_VIRT) - SLOT(PERCPU_VIRT) - 1) * 8
    .quad PA(image_l3) + TABLE
    .quad PA(hv_direct_l3) + TABLE
    .skip (511 - SLOT(DIRECT_VIRT)) * 8

/* Four GiB, by one set of second-level tables. */
    .macro four_gib flags
    .quad PA(low_l2) + TABLE + \flags
    .quad PA(low_l2) + 0x1000 + TABLE + \flags
    .quad PA(low_l2) + 0x2000 + TABLE + \flags
    .quad PA(low_l2) + 0x3000 + TABLE + \flags
    .skip 508 * 8
    .endm
identity_l3:
    four_gib 0
hv_direct_l3:
    four_gib PTE_NX
low_l2:
    maddr = 0
    .rept 2048
    .if maddr == 0xfee00000 /* the local APIC's registers */
    .quad maddr + PTE_P + PTE_RW + PTE_PS + PTE_UC
    .else
    .quad maddr + PTE_P + PTE_RW + PTE_PS
    .endif
    maddr = maddr + 0x200000
    .endr

image_l3:
    .quad PA(image_l2) + TABLE
    .skip 511 * 8
image_l2:
    .quad PA(image_l1) + TABLE
    .quad PA(image_l1) + 0x1000 + TABLE
    .skip 510 * 8
image_l1:
    maddr = 0
    .rept 1024
    .quad maddr + PTE_P + PTE_RW
    maddr = maddr + 0x1000
    .endr

trampoline_l4: /* made by boot/cpus.c */
    .skip 4096

percpu_l3:
    .quad PA(percpu_l2) + TABLE
    .skip 511 * 8
percpu_l2: /* one entry a CPU */
    .skip 4096

boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* ring 0 code, 64 bits */
boot_gdtr:
    .short . - boot_gdt - 1
    .long PA(boot_gdt)

    .section .note.GNU-stack, "", @progbits
