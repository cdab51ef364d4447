/* SPDX-License-Identifier: MIT
 *
 * A machine of 64 MiB in one process, for host tests of the hypervisor's mm/: memory, frame table, domains,
 * and what else mm/ asks of the rest of Parador (refusals, pre-emption, flushes), each of which a test can
 * steer or look at.
 *
 * fake_machine() begins anew, with two chunks of frames: 16 MiB RAM, a hole of 32 MiB, 16 MiB RAM whose last
 * 16 frames are device registers. So frame numbers 0x10..0xfff and 0x3000..0x3fef are free RAM.
 */
#pragma once

#include "domain/domain.h"
#include "domain/grant.h"
#include "mm/frame.h"
#include "mm/page_type.h"

#define FAKE_MAX_MFN 0x4000u
#define FAKE_DEVICE  0x3ff8u /* a frame number of device registers inside a chunk of the table */
#define FAKE_HOLE    0x1800u /* one between the chunks */
#define FAKE_RAM     (0xff0u + 0xff0u - 64) /* free frames of a new machine; 64 are the checker's */

void fake_machine(void);

/* Domains of one vcpu; 0 is privileged. */
struct domain *fake_domain(uint16_t domid, uint64_t max_pages);
/* Takes all of a domain's memory down, as its end does; false: frames are left. */
bool fake_domain_end(struct domain *d);
extern unsigned int fake_domains_nr;

/* A frame of d (aborts if there is none), and its contents. */
mfn_t fake_frame(struct domain *d);
uint64_t *fake_words(mfn_t m);
static inline uint64_t fake_word(mfn_t m)
{
    return frame_of(m)->word;
}
static inline uint64_t fake_uses(mfn_t m)
{
    return (fake_word(m) & FRAME_COUNT_MASK) >> FRAME_COUNT_SHIFT;
}
static inline uint64_t fake_refs(mfn_t m)
{
    return fake_word(m) & FRAME_REF_MASK;
}
static inline uint64_t fake_entry(mfn_t m, uint64_t flags)
{
    return mfn_to_maddr(m) | flags;
}

/* One grant operation of v's, and its status. */
static inline int fake_grant_map(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
    return (int)grant_map(v, (uint64_t)op, 1) ?: op->status;
}
static inline int fake_grant_copy(struct vcpu *v, struct gnttab_copy *op)
{
    return (int)grant_copy(v, (uint64_t)op, 1) ?: op->status;
}

#define E_RW    (PTE_P | PTE_RW | PTE_US)
#define E_RO    (PTE_P | PTE_US)
#define E_TABLE (PTE_P | PTE_RW | PTE_US)

/* preempt_pending(): false n times, then true once, and again n times false; ~0: never true. */
extern unsigned long fake_preempt_every;
extern bool fake_racy; /* give way to other threads often: at locks, and before a frame is handed out */
extern void (*fake_meanwhile)(void); /* called there, as if it were another CPU */
extern unsigned int fake_preempted;  /* how often it was true */
extern unsigned int fake_flushes;    /* full flushes that tlb_filter_flush() found necessary */
extern uint32_t fake_cpu_flushed;    /* the TLB clock at the fake CPU's last flush */
void fake_flush(void);               /* the CPU flushes */
extern enum rule fake_rule;          /* the last refusal's */
extern char fake_said[8192];         /* what was printed; tests empty it */
