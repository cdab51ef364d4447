/* SPDX-License-Identifier: MIT
 *
 * Grant tables, version 1: a domain offers frames in a table that it shares with Parador; others map, copy or
 * take them.
 */
#pragma once

#include "lib/types.h"
#include <xen/grant_table.h>

struct domain;
struct vcpu;
struct grant_table; /* domain/grant_table.h */

int grant_init(struct domain *d) __must_check;
/* Destruction, preemptible: ends what d maps of others; its page tables are gone already. 0 or -ERESTART. */
int grant_relinquish(struct domain *d) __must_check;
/* Nobody maps d's frames or its grant table any more. */
bool grant_idle(struct domain *d);
void grant_destroy(struct domain *d);

/* Builder: fills entry ref of d for `to`, read-write, without the guest. */
void grant_fill(struct domain *d, uint32_t ref, uint16_t to, uint64_t gmfn);

/* The table gets nr_frames frames, if it has less; grant_frame(d, i) is the i-th. GNTST_*. */
int grant_setup(struct domain *d, uint32_t nr_frames) __must_check;
mfn_t grant_frame(struct domain *d, uint32_t i);
void grant_size(struct domain *d, uint32_t *nr_frames, uint32_t *max_frames);

/* The three of every request: arrays of a guest's, for the running vcpu v (grant_batch.h). */
long grant_map(struct vcpu *v, uint64_t guest, uint32_t count) __must_check;
long grant_unmap_batch(struct vcpu *v, uint64_t guest, uint32_t count) __must_check;
long grant_copy(struct vcpu *v, uint64_t guest, uint32_t count) __must_check;

/* Other sub-operations, for the running vcpu v (or its domain d). GNTST_okay or a negative GNTST_*. */
/* An address of 0: that kind of mapping stays; new_addr 0: nothing comes in its place. */
int grant_unmap(struct vcpu *v, uint64_t host_addr, uint64_t dev_bus_addr, uint64_t new_addr,
                uint32_t handle) __must_check;
int grant_transfer(struct domain *d, const struct gnttab_transfer *op) __must_check;
int grant_swap(struct domain *d, uint32_t a, uint32_t b) __must_check;

uint32_t grant_nr_mapped(struct domain *d); /* grants of others that d maps now */
void grant_dump(struct domain *d);          /* a line each (debug key) */
