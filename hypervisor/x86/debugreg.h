/* SPDX-License-Identifier: MIT
 *
 * Debug registers at a switch and at #DB; setting and reading them is in x86/switch.h.
 */
#ifndef X86_DEBUGREG_H
#define X86_DEBUGREG_H

#include "lib/types.h"

struct vcpu;

void debugreg_reset(struct vcpu *v);
void debugreg_load(const struct vcpu *v);
/* What DR6 says of the #DB that just came; cleared for the next one. */
uint64_t debugreg_take_dr6(void);

#endif
