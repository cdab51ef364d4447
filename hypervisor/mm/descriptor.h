/* SPDX-License-Identifier: MIT
 *
 * Segment descriptors that a guest may have in its GDT and LDT.
 */
#ifndef MM_DESCRIPTOR_H
#define MM_DESCRIPTOR_H

#include "lib/types.h"

/* Whether a guest may have this descriptor; its DPL is set to 3 (*desc changes). False: not allowed. */
bool descriptor_check(uint64_t *desc) __must_check;

/* Checks and mends a whole frame that becomes a descriptor table (FT_DESC): 512 entries, at most as many
 * writes. */
bool descriptor_check_frame(uint64_t *entries) __must_check;

struct vcpu;

/* hypercall/descriptor.c. Gives v a GDT of these frames, each of which gets the type FT_DESC; the frames
 * before are put. 0, -EINVAL (nothing changed) or -ERESTART. */
int gdt_set(struct vcpu *v, const uint64_t *mfns, uint32_t entries) __must_check;
/* Destruction: puts the frames of v's GDT. */
void gdt_release(struct vcpu *v);

#endif
