/* SPDX-License-Identifier: MIT
 *
 * Page-table entries are written by the hypervisor, which checks them. These batches collect requests, so
 * that one hypercall carries many. A refused request is our own bug: panic, with the hypervisor's error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "libpv/memory.h"

#define MMU_BATCH 64

struct mmu_batch {
    struct mmu_update request[MMU_BATCH];
    unsigned n;
};

/* One entry (its address in the linear mapping) shall become `value`; a full batch is carried out first. */
void mmu_set(struct mmu_batch *b, uint64_t *entry, uint64_t value);
/* Carries out what was collected. */
void mmu_commit(struct mmu_batch *b);

/* Changes n pages of the linear mapping to read-only or back, by one multicall per 32 pages. Another vcpu may
 * find a page read-only in its TLB that is writable again: a fault of the kernel, to be repeated (trap.c). */
void mmu_protect(void *const *pages, unsigned n, bool readonly);

/* Figures for the `mmu` command: hypercalls made, and entries changed by them. */
extern uint64_t mmu_calls, mmu_entries;
void mmu_count(unsigned entries);
