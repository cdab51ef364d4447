/* SPDX-License-Identifier: MIT
 *
 * Flushing translations: the clock of mm/tlb.h and the CPUs that a flush goes to.
 *
 * Callers name CPUs by mask. There is one CPU now, so a mask decides only whether this CPU flushes; with
 * more, the others are told by IPI here and nowhere else.
 */
#include "mm/tlb.h"
#include "boot/boot.h"
#include "domain/domain.h"
#include "x86/cpu.h"
#include "x86/percpu.h"

uint32_t tlb_clock = 1;

/* A full flush of this CPU is about to happen. */
static void tick(struct cpu *c)
{
    __atomic_store_n(&c->tlb_clock, __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST), __ATOMIC_RELAXED);
}

static uint64_t this_cpu_bit(void)
{
    return 1ULL << this_cpu()->id;
}

void tlb_load_root(uint64_t maddr)
{
    tick(this_cpu());
    load_cr3(maddr);
}

void tlb_leave_root(uint64_t maddr)
{
    if (this_cpu()->cr3 == maddr)
        tlb_load_root(hv_l4_maddr());
}

void tlb_flush_local(void)
{
    tlb_load_root(this_cpu()->cr3);
}

void tlb_flush_mask(uint64_t mask)
{
    if (mask & this_cpu_bit())
        tlb_flush_local();
}

void tlb_flush_page_mask(uint64_t vaddr, uint64_t mask)
{
    if (mask & this_cpu_bit())
        invlpg(vaddr);
}

void tlb_filter_flush(uint32_t stamp)
{
    if (unlikely(tlb_stale(this_cpu()->tlb_clock, stamp)))
        tlb_flush_local();
}

uint64_t tlb_vcpu_mask(const struct domain *d, unsigned int vcpu)
{
    (void)d, (void)vcpu;
    return this_cpu_bit();
}

uint64_t tlb_domain_mask(const struct domain *d)
{
    (void)d;
    return this_cpu_bit();
}

void tlb_flush_domain(struct domain *d, uint64_t vaddr)
{
    if (unlikely(vaddr == ~0ULL))
        tlb_flush_mask(tlb_domain_mask(d));
    else
        tlb_flush_page_mask(vaddr, tlb_domain_mask(d));
}
