/* SPDX-License-Identifier: MIT
 *
 * Model-specific registers, Intel SDM vol. 4.
 */
#pragma once

#define MSR_APIC_BASE    0x1b
#define MSR_UCODE_REV    0x8b /* of the microcode */
#define MSR_SYSENTER_CS  0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT          0x277
#define MSR_EFER         0xc0000080
#define MSR_STAR         0xc0000081
#define MSR_LSTAR        0xc0000082
#define MSR_CSTAR        0xc0000083
#define MSR_SFMASK       0xc0000084
#define MSR_FS_BASE      0xc0000100
#define MSR_GS_BASE      0xc0000101

/* What the PAT, PCD and PWT bits of a guest's entry mean: WB, WT, UC-, UC, WC, WP, UC, UC, as every PV guest
 * of Xen finds it. */
#define PAT_OF_XEN     0x050100070406

#define EFER_SCE       0x1
#define EFER_LME       0x100
#define EFER_LMA       0x400
#define EFER_NXE       0x800

#define CR0_TS         0x8

#define CR4_DE         0x8
#define CR4_PAE        0x20
#define CR4_MCE        0x40
#define CR4_OSFXSR     0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_FSGSBASE   0x10000
#define CR4_OSXSAVE    0x40000
#define CR4_SMEP       0x100000
