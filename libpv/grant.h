/* SPDX-License-Identifier: MIT
 *
 * Grants, version 1: giving other domains the use of one's own frames, and using theirs.
 *
 * The table starts with one frame and grows, as references are taken, to what the hypervisor allows (at most
 * PV_GRANT_FRAMES). A reference is an index into it. References 0 to 7 are reserved (0: console, 1:
 * xenstore). References are taken and put back by any vcpu and in upcalls at any time (freelist.h); a single
 * reference is its owner's affair. Source: xen/grant_table.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/grant_table.h>
#include "libpv/types.h"

#define PV_GRANT_FRAMES   32
#define PV_GRANT_RESERVED 8

/* Sets up and maps the table. 0, or a negative errno. Calling it again does nothing. */
int pv_grant_init(void);

/* Takes a free reference, or -1 when none is left and the table can't grow; puts one back that is not in use
 * (flags 0). */
int pv_grant_alloc(void);
void pv_grant_free(int ref);

/* Fills entry ref: domain `to` may map `frame`, read-only or not. The entry becomes valid by its last write.
 */
void pv_grant_set(int ref, domid_t to, mfn_t frame, bool readonly);

/* alloc and set in one; the reference, or -1. */
int pv_grant_access(domid_t to, mfn_t frame, bool readonly);

/* Takes the access back by one compare-and-exchange. True: revoked; the reference may be freed. False: the
 * other side still maps or copies it; the entry is unchanged and the frame must not be reused (XSA-396). */
bool pv_grant_revoke(int ref);

/* Revokes and frees. False as above: then nothing is freed. */
bool pv_grant_end(int ref);

/* Offers to take one frame from domain `from` (GTF_accept_transfer). The reference, or -1. */
int pv_grant_accept(domid_t from, pfn_t into);
/* The frame that came by ref, or 0 frame number when none came yet. */
mfn_t pv_grant_accepted(int ref);

/* Maps frame `ref` of domain `from` at the page vaddr (whose page tables exist and which is unmapped).
 * Returns GNTST_okay (0) and the handle, or a negative GNTST_* of grant_table.h. */
int pv_grant_map(domid_t from, grant_ref_t ref, void *vaddr, bool readonly, grant_handle_t *handle);

/* Ends a mapping; the entry at vaddr becomes not present. GNTST_okay or negative GNTST_*. */
int pv_grant_unmap(grant_handle_t handle, void *vaddr);

/* Runs n map or unmap operations in one call; each has its own status in ops[i].status. 0, or a negative
 * errno of the call itself. */
int pv_grant_map_batch(struct gnttab_map_grant_ref *ops, unsigned int n);
int pv_grant_unmap_batch(struct gnttab_unmap_grant_ref *ops, unsigned int n);

/* Runs n copy operations; each has its own status in ops[i].status. 0, or a negative errno of the call
 * itself. */
int pv_grant_copy(struct gnttab_copy *ops, unsigned int n);
