/* SPDX-License-Identifier: MIT
 *
 * A vcpu's LDT, which it names by address: its frames are found when the processor first needs them.
 */
#ifndef MM_LDT_H
#define MM_LDT_H

#include "lib/types.h"

struct vcpu;

/* v's LDT: base is page-aligned and the guest's, or 0 with no entries. The caller reloads a running vcpu's
 * (ldt_load()). */
void ldt_set(struct vcpu *v, uint64_t base, unsigned int entries);

/* Forgets the LDT's frames (they come back on use): the addresses may mean others now. */
void ldt_drop(struct vcpu *v);

/* A #PF of the running vcpu in this CPU's LDT window: maps the guest's page there if it is in order. */
bool ldt_fault(struct vcpu *v, uint64_t cr2);

/* The guest's own address of what was touched in the LDT window; other addresses as they are. For a #PF that
 * is passed on. */
uint64_t ldt_guest_address(const struct vcpu *v, uint64_t cr2);

#endif
