/* SPDX-License-Identifier: MIT
 *
 * Debug builds: how long Parador runs before it lets interrupts in or goes back to a guest.
 *
 * The rule: at most 30,000 instructions between an entry or a window and the next window or exit. The time
 * stamp counter counts instructions under -icount only (boot/boot.h says so); there each new worst case
 * above the rule is told.
 */
#include "x86/cpu.h"
#ifdef DEBUG
#include "boot/boot.h"
#include "domain/domain.h"
#include "lib/print.h"

#define RULE 30000 /* instructions */

static bool counting; /* the TSC counts instructions; constant after boot */

void latency_init(void)
{
    counting = nr_cpus == 1 && screen_unit()[0] == 'i'; /* all CPUs' instructions are in it */
    latency_begin();
}

void latency_begin(void)
{
    this_cpu()->latency_start = rdtsc();
}

void latency_end(void)
{
    struct cpu *c = this_cpu();
    uint64_t ran = rdtsc() - c->latency_start;

    if (!counting || !c->vcpu || ran <= RULE || ran <= c->latency_worst)
        return;
    c->latency_worst = ran;
    warn("latency: %llu instructions without a window; last hypercall %llu, vector %x\n",
         (unsigned long long)ran,
         (unsigned long long)c->vcpu->history[(c->vcpu->hypercalls - 1) % HISTORY].nr,
         c->vcpu->regs.entry_vector);
    c->latency_start = rdtsc();
}
#endif
