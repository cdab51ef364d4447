/* SPDX-License-Identifier: MIT
 *
 * Floating point and vector state of a vcpu; see also x86/switch.h (set_xcr0, set_guest_ts).
 */
#ifndef X86_FPU_H
#define X86_FPU_H

struct vcpu;

/* The state of a reset, in v's area. */
void fpu_reset(struct vcpu *v);
/* The running vcpu's registers into its area; an area's into the registers, with XCR0 and CR0.TS. */
void fpu_save(struct vcpu *v);
void fpu_load(struct vcpu *v);

#endif
