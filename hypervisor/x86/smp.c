/* SPDX-License-Identifier: MIT
 *
 * What CPUs want of each other: a look at new work, a flush (mm/tlb.c), a moment of standing still.
 *
 * No message is sent beside the interrupt. Who wants something sets a bit where the other CPU looks, then
 * sends; so an interrupt that comes late, or a second one, does no harm.
 */
#include "domain/domain.h"
#include "x86/cpu.h"
#include "x86/trap.h"

struct cpu *cpus[MAX_CPUS];
uint32_t nr_cpus = 1;

void cpu_kick(struct cpu *c, uint32_t bits)
{
    uint32_t old = __atomic_fetch_or(&c->work, bits, __ATOMIC_SEQ_CST);

    if (c != this_cpu() && ~old & bits) /* else somebody has told it */
        apic_send(c->apic_id, VEC_WORK);
}

static struct {
    uint32_t wanted; /* a CPU has stopped the others, or is about to; atomic */
    uint32_t parked; /* CPUs that stand still; atomic */
} stop;

/* Who comes out looks once more: the next one to stop all may have counted it in. */
void cpus_park(void)
{
    while (__atomic_load_n(&stop.wanted, __ATOMIC_SEQ_CST)) {
        __atomic_fetch_add(&stop.parked, 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&stop.wanted, __ATOMIC_ACQUIRE))
            cpu_relax();
        __atomic_fetch_sub(&stop.parked, 1, __ATOMIC_SEQ_CST);
    }
}

void cpus_stop(void)
{
    while (__atomic_exchange_n(&stop.wanted, 1, __ATOMIC_SEQ_CST))
        cpus_park(); /* somebody else was first */
    for (uint32_t i = 0; i < nr_cpus; i++)
        if (cpus[i] != this_cpu())
            cpu_kick(cpus[i], WORK_STOP);
    while (__atomic_load_n(&stop.parked, __ATOMIC_ACQUIRE) != nr_cpus - 1)
        cpu_relax();
}

void cpus_go(void)
{
    __atomic_store_n(&stop.wanted, 0, __ATOMIC_RELEASE);
}
