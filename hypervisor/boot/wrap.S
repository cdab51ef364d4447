/* SPDX-License-Identifier: MIT
 *
 * The flat image inside an ELF32 file: what QEMU's -kernel and GRUB load. Its first byte is the entry (boot/head.S).
 */
    .section .image, "aw", @progbits
    .globl head32
head32:
    .incbin "flat.bin"
    .section .note.GNU-stack, "", @progbits
