/* SPDX-License-Identifier: MIT
 *
 * Between memory.c and memory_exchange.c.
 */
#ifndef HYPERCALL_MEMORY_H
#define HYPERCALL_MEMORY_H

#include "lib/types.h"

struct domain;

#define MEMOP_OP_BITS 6

/* The largest extents that the caller may ask for: 2 MiB; domain 0: what there is (as stock Xen's defaults).
 */
unsigned int memory_max_order(void);

/* The domain that a caller names, with a reference: itself, or for domain 0 any. 0, -ESRCH, -EPERM. */
int memory_target(uint16_t domid, struct domain **d) __must_check;

/* Ask before extents of that order are allocated. 0, or -ERESTART. */
int memory_clean(unsigned int order) __must_check;

/* XENMEM_exchange on a copied-in struct xen_memory_exchange. 0, an errno, or -ERESTART; nr_exchanged is the
 * progress in any case. */
long memory_exchange(void *arg);

#endif
