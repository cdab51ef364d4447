/* SPDX-License-Identifier: MIT
 *
 * The registers that every CPU begins long mode with (boot/head.S, boot/trampoline.S), and where the other
 * CPUs begin.
 */
#pragma once

#define CR0_AT_START     0x80050033 /* PG AM WP NE ET MP PE */
#define CR4_AT_START     0x20       /* PAE */
#define MSR_EFER_NR      0xc0000080
#define EFER_AT_START    0x901 /* NXE LME SCE */

#define TRAMPOLINE_MADDR 0x8000 /* a page below 1 MiB, Parador's like all memory there */
