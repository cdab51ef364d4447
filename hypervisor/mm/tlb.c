/* SPDX-License-Identifier: MIT
 *
 * Flushing translations: the clock of mm/tlb.h and the CPUs that a flush goes to.
 *
 * A CPU holds translations of the domain whose vcpu is loaded on it, and of no other: loading a vcpu loads
 * CR3, which flushes. One that idles has none loaded, where there are several CPUs, and is left to sleep.
 * Others are asked by a flag and an interrupt, and have flushed when their time says so. Who waits for that,
 * or for a lock, serves its own flag (cpu_relax()), so nobody waits in a circle.
 */
#include "mm/tlb.h"
#include "boot/boot.h"
#include "domain/domain.h"
#include "x86/cpu.h"
#include "x86/trap.h"

#define ROUND ((1U << 30) - 1) /* ticks after which all CPUs flush, whether they want or not */

uint32_t tlb_clock = 1; /* atomic */

static void ask(struct cpu *c)
{
    WRITE_ONCE(c->flush_wanted, true);
    apic_send(c->apic_id, VEC_FLUSH);
}

static __attribute__((cold, noinline)) void new_round(void)
{
    for (uint32_t i = 0; i < nr_cpus; i++)
        if (cpus[i] != this_cpu())
            ask(cpus[i]);
}

void tlb_load_root(uint64_t maddr)
{
    uint32_t now = __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);

    load_cr3(this_cpu(), maddr);
    __atomic_store_n(&this_cpu()->tlb_clock, now, __ATOMIC_RELEASE);
    if (unlikely(!(now & ROUND)))
        new_round();
}

__attribute__((flatten)) void tlb_flush_local(void)
{
    tlb_load_root(this_cpu()->cr3);
}

void tlb_serve(void)
{
    struct cpu *c = this_cpu();

    if (likely(!READ_ONCE(c->flush_wanted)))
        return;
    WRITE_ONCE(c->flush_wanted, false); /* before the clock ticks: who asks from now on has a later time */
    tlb_flush_local();
}

/* Whether CPU n, another one, may hold translations from before `stamp`. One that loads a guest's tables
 * after it looked quiet flushes then. */
static bool holds(unsigned int n, uint32_t stamp)
{
    const struct cpu *c = cpus[n];

    return c != this_cpu() && !__atomic_load_n(&c->quiet, __ATOMIC_ACQUIRE) &&
           tlb_stale(__atomic_load_n(&c->tlb_clock, __ATOMIC_ACQUIRE), stamp);
}

/* Other CPUs, bit n: CPU n, whose last flush was not after `stamp`, flush now. */
static void flush_others(uint64_t mask, uint32_t stamp)
{
    for (uint64_t left = mask; left; left &= left - 1)
        if (holds((unsigned int)__builtin_ctzll(left), stamp))
            ask(cpus[__builtin_ctzll(left)]);
    for (; mask; mask &= mask - 1)
        while (holds((unsigned int)__builtin_ctzll(mask), stamp))
            cpu_relax();
}

bool tlb_others_hold(uint32_t stamp)
{
    bool any = false;

    for (unsigned int i = 0; i < nr_cpus; i++)
        any |= holds(i, stamp);
    return any;
}

void tlb_filter_flush(uint32_t stamp)
{
    if (unlikely(tlb_stale(this_cpu()->tlb_clock, stamp)))
        tlb_flush_local();
    if (unlikely(nr_cpus > 1))
        flush_others(all_cpus(), stamp);
}

static __attribute__((noinline)) void flush_elsewhere(const struct domain *d, uint64_t vcpus)
{
    uint64_t mask = 0;

    /* The changed entry is in memory before we look who is loaded: who isn't yet will find it. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        if (vcpus >> i & 1 && vcpu_is_loaded(d->vcpu[i]))
            mask |= 1ULL << READ_ONCE(d->vcpu[i]->sched.cpu);
    flush_others(mask, tlb_stamp());
}

/* `here`: this CPU runs a vcpu that it is about. */
static force_inline void flush(const struct domain *d, bool here, uint64_t vcpus, uint64_t vaddr)
{
    if (likely(here)) {
        if (unlikely(vaddr == ~0ULL))
            tlb_flush_local();
        else
            invlpg(vaddr);
    }
    if (unlikely(nr_cpus > 1))
        flush_elsewhere(d, vcpus);
}

void tlb_flush_vcpus(const struct domain *d, uint64_t vcpus, uint64_t vaddr)
{
    flush(d, current->domain == d && vcpus >> current->id & 1, vcpus, vaddr);
}

void tlb_flush_domain(struct domain *d, uint64_t vaddr)
{
    flush(d, current->domain == d, ~0ULL, vaddr);
}
