/* SPDX-License-Identifier: MIT
 *
 * A domain's page tables, as the rest of Parador sees them. All changes go through struct paging_ops;
 * pv_direct (page tables that the processor walks, checked entry by entry) is the only kind now, shadow and
 * log-dirty would be others.
 */
#pragma once

#include "lib/types.h"

struct domain;
struct vcpu;

struct paging_ops {
    /* Makes m the kernel (user: the user) root of v. Checks its type; m.v == 0 with user: none. Reloads CR3
     * if v runs with it. 0; 1: done, and it may have been long work; or a negative errno. */
    int (*set_root)(struct vcpu *v, mfn_t m, bool user);
    /* Checks and writes one entry of a table of d; what it maps shall be owner's (NULL: a device's). ptr:
     * machine address of the entry. preserve_ad: keep A and D bits. 0; 1: done, and it may have been long
     * work; or a negative errno. */
    int (*write_entry)(struct domain *d, struct domain *owner, uint64_t ptr, uint64_t entry,
                       bool preserve_ad);
    /* The same for the L1 entry that maps vaddr in v's kernel tables, to map a frame of its own; -EINVAL too
     * if there is none. */
    int (*write_va)(struct vcpu *v, uint64_t vaddr, uint64_t entry);
    /* #PF of the current guest; true: handled (spurious, lazily mapped LDT, emulated write), run it again. */
    bool (*fault)(struct vcpu *v, uint64_t cr2, uint32_t error_code);
    /* Flushes the translations of d: one page (vaddr) or all (~0ULL), on the CPUs that may hold them. */
    void (*flush)(struct domain *d, uint64_t vaddr);
};

extern const struct paging_ops pv_direct;

/*
 * Grant mappings, for domain/grant*.c (mm implements them). `entry` is the L1 entry as the guest would write
 * it (frame, P A D NX, RW unless read-only, US for GNTMAP_application_map, the guest's available bits); mm
 * adjusts it like any other. addr: the virtual address to map at in v's kernel
 * tables, or with by_pte the machine address of the L1 entry. All give 0 or a negative GNTST_*
 * (GNTST_general_error: no L1 table there, not v's domain's, misaligned, not validated, or the entry is not
 * what `entry` says: compare frame, P and RW, XSA-234). They flush nothing; the caller does, before it
 * drops references.
 *
 * References: the caller of paging_map_grant holds one to the frame against its owner (get_frame_type
 * FT_WRITABLE for a writable mapping, else get_frame), and on success the L1 entry has it. What was mapped
 * there before is put like at any change. Unmap and replace hand the entry's reference back to the caller,
 * who puts it after the flush. A grant entry that is overwritten in another way is put by mm like any other:
 * its grant stays counted until the guest maps the frame there again and unmaps it, or ends (as stock Xen).
 */
int paging_map_grant(struct vcpu *v, uint64_t addr, uint64_t entry, bool by_pte) __must_check;
int paging_unmap_grant(struct vcpu *v, uint64_t addr, uint64_t entry, bool by_pte) __must_check;
/* Moves the entry at new_addr, which becomes empty, to addr, where `entry` was. */
int paging_replace_grant(struct vcpu *v, uint64_t addr, uint64_t entry, uint64_t new_addr) __must_check;

/* Destruction, preemptible: unpins all tables, drops all roots. 0 or -ERESTART. */
int paging_relinquish(struct domain *d) __must_check;

/* Work that a preempted put left behind (d->undo_list). 0 or -ERESTART. Every hypercall that changes frames
 * asks this first, by the inline test. */
int paging_finish(struct domain *d) __must_check;

/* Parador's own tables: maps [maddr, maddr + size) at vaddr, with 2 MiB and 1 GiB pages where they fit, flags
 * as in a page-table entry (present is added). Boot and CPU start only; slots 257 to 271. */
void hv_map(uint64_t vaddr, uint64_t maddr, uint64_t size, uint64_t flags);
#define HV_RW (PTE_RW | PTE_A | PTE_D | PTE_NX)
/* The L1 entry that maps vaddr, for who changes it often (GDT and LDT windows); NULL: no L1 there. */
uint64_t *hv_pte(uint64_t vaddr);

/* Walks v's kernel tables for vaddr: the L1 entry's (or large entry's) value with present bit, 0 if none. For
 * emulation and reports. */
uint64_t guest_walk(const struct vcpu *v, uint64_t vaddr, uint64_t *entry_maddr);
