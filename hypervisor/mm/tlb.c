/* SPDX-License-Identifier: MIT
 *
 * Flushing translations: the clock of mm/tlb.h and the CPUs that a flush goes to.
 *
 * Callers name vcpus. There is one CPU now, so any vcpu means this one; with more, the CPUs that the vcpus
 * ran on are told by IPI here and nowhere else.
 */
#include "mm/tlb.h"
#include "boot/boot.h"
#include "domain/domain.h"
#include "x86/cpu.h"

uint32_t tlb_clock = 1;

void tlb_load_root(uint64_t maddr)
{
    __atomic_store_n(&this_cpu()->tlb_clock, __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST),
                     __ATOMIC_RELAXED);
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

void tlb_filter_flush(uint32_t stamp)
{
    if (unlikely(tlb_stale(this_cpu()->tlb_clock, stamp)))
        tlb_flush_local();
}

void tlb_flush_vcpus(const struct domain *d, uint64_t vcpus, uint64_t vaddr)
{
    if (unlikely(!(vcpus & ((1ULL << d->max_vcpus) - 1))))
        return;
    if (unlikely(vaddr == ~0ULL))
        tlb_flush_local();
    else
        invlpg(vaddr);
}

void tlb_flush_domain(struct domain *d, uint64_t vaddr)
{
    tlb_flush_vcpus(d, ~0ULL, vaddr);
}
