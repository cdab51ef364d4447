/* SPDX-License-Identifier: MIT
 *
 * A domain's page tables, as the rest of Parador sees them. All changes go through struct paging_ops;
 * pv_direct (page tables that the processor walks, checked entry by entry) is the only kind now, shadow and
 * log-dirty would be others.
 */
#ifndef MM_PAGING_H
#define MM_PAGING_H

#include "lib/types.h"

struct domain;
struct vcpu;

struct paging_ops {
    /* Makes m the kernel (user: the user) root of v. Checks its type; m.v == 0 with user: none. Reloads CR3
     * if v runs with it. */
    int (*set_root)(struct vcpu *v, mfn_t m, bool user);
    /* Checks and writes one entry of a table of d. ptr: machine address of the entry. preserve_ad: keep A and
     * D bits. */
    int (*write_entry)(struct domain *d, struct domain *owner, uint64_t ptr, uint64_t entry,
                       bool preserve_ad);
    /* #PF of the current guest; true: handled (spurious, lazily mapped LDT, emulated write), run it again. */
    bool (*fault)(struct vcpu *v, uint64_t cr2, uint32_t error_code);
    /* Flushes the translations of d: one page (vaddr) or all (~0ULL), on the CPUs that may hold them. */
    void (*flush)(struct domain *d, uint64_t vaddr);
};

extern const struct paging_ops pv_direct;

/* Boot: the builder's way to give a new domain its first tables. The L4 must be filled with ordinary entries
 * already; pins nothing. */
int paging_init_vcpu_root(struct vcpu *v, mfn_t l4) __must_check;

/* Destruction, preemptible: unpins all tables, drops all roots. 0 or -ERESTART. */
int paging_relinquish(struct domain *d) __must_check;

/* Walks v's kernel tables for vaddr: the L1 entry's (or large entry's) value with present bit, 0 if none. For
 * emulation and reports. */
uint64_t guest_walk(const struct vcpu *v, uint64_t vaddr, uint64_t *entry_maddr);

#endif
