/* SPDX-License-Identifier: MIT
 *
 * raw_entry: an entry that changes nothing: it notes where the bounce frame lies, its words and the upcall mask, and then comes out of
 * test_try_begin with 1, as FAULT does.
 */
    .text
    .globl raw_entry
raw_entry:
    mov %rsp, raw_rsp(%rip)
    mov %rsp, %rsi
    mov $raw_frame, %rdi
    mov $8, %ecx
    cld
    rep movsq
    mov pv_shared_info + 1(%rip), %al
    mov %al, raw_mask(%rip)
    mov test_try_state(%rip), %rbx
    mov test_try_state + 8(%rip), %rbp
    mov test_try_state + 16(%rip), %r12
    mov test_try_state + 24(%rip), %r13
    mov test_try_state + 32(%rip), %r14
    mov test_try_state + 40(%rip), %r15
    mov test_try_state + 48(%rip), %rsp
    movb $0, test_trying(%rip)
    mov $1, %eax
    jmp *test_try_state + 56(%rip)
    .section .note.GNU-stack, "", @progbits
