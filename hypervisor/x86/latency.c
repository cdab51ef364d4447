/* SPDX-License-Identifier: MIT
 *
 * Debug builds: how long Parador runs before it lets interrupts in or goes back to a guest.
 *
 * The rule: at most 30,000 instructions between an entry or a window and the next window or exit. The time
 * stamp counter counts instructions under -icount only (boot/boot.h says so), and of one CPU only if there is
 * no other. There each new worst case above the rule is told, which fails the test that runs, and the longest
 * of each kind is kept: key l shows them, and the last line of the machine the longest of all. Not counted is
 * what only looks, on somebody's order: the invariant checker, and debug keys.
 */
#include "x86/cpu.h"
#ifdef DEBUG
#include "boot/boot.h"
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "lib/print.h"

#define RULE 30000 /* instructions */

/* Kinds of stretches: hypercalls by number, then these. */
#define KIND(nr) (NR_HYPERCALLS + (nr)-LATENCY_EXCEPTION)
static const char *const others[] = {
    "an exception",
    "an interrupt",
    "the end of a domain",
    "a crash's report",
};

static bool counting; /* the TSC counts instructions; constant after boot */
static uint64_t worst[NR_HYPERCALLS + ARRAY_SIZE(others)]; /* word-sized, and one CPU's (counting) */

void latency_init(void)
{
    counting = nr_cpus == 1;             /* all CPUs' instructions are in it */
    for (unsigned int i = 0; i < 8; i++) /* by chance it looks so once */
        counting &= screen_unit()[0] == 'i';
    latency_begin();
}

void latency_begin(void)
{
    this_cpu()->latency_start = rdtsc();
}

static const char *name_of(unsigned int kind)
{
    return kind < NR_HYPERCALLS ? hypercall_table[kind].name ?: "no hypercall" : others[kind - NR_HYPERCALLS];
}

static unsigned int kind_now(const struct cpu *c)
{
    const struct vcpu *v = c->vcpu;

    if (c->latency_of != LATENCY_ENTRY)
        return KIND(c->latency_of);
    if (v->regs.entry_vector != ~0U)
        return KIND(v->regs.entry_vector < 32 ? LATENCY_EXCEPTION : LATENCY_INTERRUPT);
    return (unsigned int)MIN(v->history[(hypercalls_made(v) - 1) % HISTORY].nr, NR_HYPERCALLS - 1);
}

void latency_end(void)
{
    struct cpu *c = this_cpu();
    uint64_t ran = rdtsc() - c->latency_start;
    unsigned int kind;

    if (!counting || !c->vcpu)
        return;
    kind = kind_now(c);
    if (ran <= worst[kind])
        return;
    worst[kind] = ran;
    if (ran > RULE)
        say("parador: latency: %s ran %lu instructions without a window, up to %lx\n", name_of(kind), ran,
            (uint64_t)__builtin_return_address(0));
    c->latency_start = rdtsc();
}

void latency_report(bool all)
{
    unsigned int longest = 0;

    for (unsigned int kind = 0; kind < ARRAY_SIZE(worst); kind++) {
        if (worst[kind] > worst[longest])
            longest = kind;
        if (all && worst[kind])
            say("%8lu  %s\n", worst[kind], name_of(kind));
    }
    if (counting)
        say("parador: longest path: %lu instructions, %s\n", worst[longest], name_of(longest));
    else if (all)
        say("longest path: counted under -icount with one CPU only\n");
}
#endif
