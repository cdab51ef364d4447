/* SPDX-License-Identifier: MIT
 *
 * Segment descriptors that a guest may have, and its tables of them: a GDT is named frame by frame, an LDT by
 * address, so that its frames are found when the processor first needs them.
 */
#pragma once

#include "lib/types.h"

struct vcpu;

/* Whether a guest may have this descriptor; its DPL is set to 3 (*desc changes). False: not allowed. */
bool descriptor_check(uint64_t *desc) __must_check;

/* Checks and mends a whole frame that becomes a descriptor table (FT_DESC): 512 entries, at most as many
 * writes. */
bool descriptor_check_frame(uint64_t *entries) __must_check;

/* hypercall/descriptor.c. Gives v a GDT of these frames, each of which gets the type FT_DESC; the frames
 * before are put. 0, -EINVAL (nothing changed) or -ERESTART. */
int gdt_set(struct vcpu *v, const uint64_t *mfns, uint32_t entries) __must_check;
/* Destruction: puts the frames of v's GDT. */
void gdt_release(struct vcpu *v);

/* v's LDT (mm/ldt.c): base is page-aligned and the guest's, or 0 with no entries. The caller reloads a
 * running vcpu's (ldt_load()). */
void ldt_set(struct vcpu *v, uint64_t base, unsigned int entries);

/* Forgets the LDT's frames (they come back on use): the addresses may mean others now. */
void ldt_drop(struct vcpu *v);

/* A #PF of the running vcpu in this CPU's LDT window: maps the guest's page there if it is in order. */
bool ldt_fault(struct vcpu *v, uint64_t cr2);

/* The guest's own address of what was touched in the LDT window; other addresses as they are. For a #PF that
 * is passed on. */
uint64_t ldt_guest_address(const struct vcpu *v, uint64_t cr2);
