/* SPDX-License-Identifier: MIT
 *
 * What the tests of grants share: domains of the fake machine that grant, map and look on.
 */
#pragma once

#include "domain/grant_table.h"
#include "mm/paging.h"
#include "tests/host/fake_hv.h"

extern struct domain *g, *u, *other; /* granter, user, a third */
extern mfn_t frame;                  /* g's */
extern mfn_t l1;                     /* an L1 of u, for mappings by entry */

void grants_begin(void);
/* All goes back, and the checker finds nothing wrong. */
void grants_end(void);
/* The end of a domain as teardown.c has it. */
void relinquish(struct domain *d);

/* g's entry ref: for whom, which frame; what it says. */
void offer(uint32_t ref, struct domain *to, mfn_t m, uint16_t flags);
uint16_t flags_of(uint32_t ref);

/* The machine address of the i-th entry of l1. */
uint64_t entry_addr(unsigned int i);
int map_as(struct domain *d, uint32_t ref, uint64_t addr, uint32_t flags, uint32_t *handle);
/* u maps entry ref of g by the i-th entry of l1, and ends that. */
int map(uint32_t ref, unsigned int i, uint32_t flags, uint32_t *handle);
int unmap(uint32_t handle, unsigned int i);
