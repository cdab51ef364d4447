/* SPDX-License-Identifier: MIT
 *
 * The first instructions of a guest, its ELF notes and its hypercall page.
 *
 * The notes tell the domain builder (Xen's, libxenguest's, Parador's) where the image wants to lie and where to enter it:
 * xen/elfnote.h. Physical addresses in the program headers equal the virtual ones (toolchain/guest.lds), therefore
 * PADDR_OFFSET = VIRT_BASE. The hypervisor fills the hypercall page before the guest starts. Read next: start.c.
 */
#include <xen/elfnote.h>
#include <xen/arch-x86/xen-x86_64.h>

#define VIRT_BASE 0xffffffff80000000

#define NOTE(type, ...) .balign 4; .long 4, 2f - 1f, type; .asciz "Xen"; 1: __VA_ARGS__; 2: .balign 4

    .section .note.Xen, "a", @note
    NOTE(XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0")
    NOTE(XEN_ELFNOTE_GUEST_OS, .asciz "parador-libpv")
    NOTE(XEN_ELFNOTE_GUEST_VERSION, .asciz "1")
    NOTE(XEN_ELFNOTE_LOADER, .asciz "generic")
    NOTE(XEN_ELFNOTE_VIRT_BASE, .quad VIRT_BASE)
    NOTE(XEN_ELFNOTE_PADDR_OFFSET, .quad VIRT_BASE)
    NOTE(XEN_ELFNOTE_ENTRY, .quad _start)
    NOTE(XEN_ELFNOTE_HYPERCALL_PAGE, .quad pv_hypercall_page)
    NOTE(XEN_ELFNOTE_FEATURES, .asciz "!writable_page_tables|pae_pgdir_above_4gb")
    NOTE(XEN_ELFNOTE_PAE_MODE, .asciz "yes")
    NOTE(XEN_ELFNOTE_L1_MFN_VALID, .quad 1, 1) /* mask and value by which a present L1 entry is known */
    NOTE(XEN_ELFNOTE_HV_START_LOW, .quad 0xffff800000000000)

    .section .text.hypercall_page, "ax", @progbits
    .balign 4096
    .globl pv_hypercall_page
pv_hypercall_page:
    .fill 4096, 1, 0xcc

/* In: rsi = start_info, rsp = end of the boot stack page. Flags and other registers as docs/abi.md "Start of day" has them. */
    .section .text.start, "ax", @progbits
    .globl _start
_start:
    mov %rsp, pv_boot_rsp(%rip)
    mov %rsi, pv_start_info(%rip)
    push %rcx /* there is a page of boot stack, of which nothing else is used */
    push %rdx
    push %rdi
    push %rbp
    push %rbx
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    pushfq
    mov %cs, %rcx
    push %rcx
    mov %ss, %rcx
    push %rcx
    mov %ds, %rcx
    push %rcx
    mov %es, %rcx
    push %rcx
    mov %fs, %rcx
    push %rcx
    mov %gs, %rcx
    push %rcx
    push %rax
    cld
    mov $pv_stack_top, %rsp
    xor %ebp, %ebp
    push %rbp /* ends a backtrace, and keeps the alignment that a function expects */
    jmp pv_start

    .section .bss, "aw", @nobits
    .balign 4096
    .fill 32768
    .globl pv_stack_top
pv_stack_top:
    .section .note.GNU-stack, "", @progbits
