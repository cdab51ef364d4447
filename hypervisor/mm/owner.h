/* SPDX-License-Identifier: MIT
 *
 * Inside mm/: from a frame's owner number to its domain, and the end of a frame's last reference.
 */
#ifndef MM_OWNER_H
#define MM_OWNER_H

#include "mm/frame.h"

/* The domain that owns f, which has a reference (so that the domain can't go away). NULL: no domain does. */
struct domain *frame_domain(const struct frame *f);

/* The last reference was dropped (word's count is 0): off the owner's list and back to the heap. */
void frame_unreferenced(mfn_t m) __attribute__((cold));

/* d's page-list lock held: moves m, which is on one of d's lists, to the front of another of them. */
void frame_list_move(struct domain *d, mfn_t m, uint32_t *to);

#endif
