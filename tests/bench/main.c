/* SPDX-License-Identifier: MIT
 *
 * Runs the groups of rows and prints them. Words on the command line choose: `rows=NAME` runs only rows whose
 * name begins so; `unit=ns` prints nanoseconds of a machine whose TSC counts time, not instructions.
 * Otherwise 1000 nops have to cost 1000, or no figure is printed.
 */
#include "tests/bench/bench.h"
#include "libpv/hypercall.h"
#include "libpv/print.h"
#include "libpv/shutdown.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pair.h"

TEST("bench");
ROLE(dom0, pair);

static uint64_t overhead;
static uint64_t samples[BENCH_MAX_N];
static const char *on;
static char only[32];
static uint64_t ns_khz; /* TSC ticks a millisecond; 0: the unit is an instruction */

void bench_must(long rc, const char *what)
{
    if (rc >= 0)
        return;
    pv_printf("bench: %s failed: %ld\n", what, rc);
    pv_shutdown(SHUTDOWN_crash);
}

static uint64_t in_unit(uint64_t ticks, unsigned int per)
{
    return ns_khz ? ticks * 1000000 / ns_khz / per : ticks / per;
}

void bench_samples(const char *name, uint64_t *s, unsigned int n, unsigned int per)
{
    MARK(MARK_DONE);
    for (unsigned int i = 1; i < n; i++) { /* insertion sort: the samples are nearly equal */
        uint64_t v = s[i];
        unsigned int j = i;

        for (; j && s[j - 1] > v; j--)
            s[j] = s[j - 1];
        s[j] = v;
    }
    pv_printf("{\"bench\":\"%s\",\"on\":\"%s\",\"unit\":\"%s\",\"min\":%lu,\"median\":%lu,\"p99\":%lu,"
              "\"n\":%u,\"per\":%u}\n",
              name, on, ns_khz ? "ns" : "insn", in_unit(s[0], per), in_unit(s[n / 2], per),
              in_unit(s[n * 99 / 100], per), n, per);
}

bool bench_wanted(const char *name)
{
    return !strncmp(name, only, strlen(only));
}

uint64_t bench_less_overhead(uint64_t ticks)
{
    return ticks > overhead ? ticks - overhead : 0; /* a clock of time may say either */
}

void bench_row(const char *name, uint64_t (*fn)(uint64_t arg), uint64_t arg, unsigned int n, unsigned int per)
{
    if (!bench_wanted(name))
        return;
    for (unsigned int i = 0; i < BENCH_WARM_UP; i++)
        fn(arg);
    MARK(MARK_ROW);
    for (unsigned int i = 0; i < n; i++)
        samples[i] = bench_less_overhead(fn(arg));
    bench_samples(name, samples, n, per);
}

void bench_figure(const char *name, const char *unit, uint64_t value)
{
    if (bench_wanted(name))
        pv_printf("{\"bench\":\"%s\",\"on\":\"%s\",\"unit\":\"%s\",\"median\":%lu,\"n\":1}\n", name, on, unit,
                  value);
}

static uint64_t nothing(uint64_t arg)
{
    (void)arg;
    return TIMED((void)0);
}

static uint64_t nops(uint64_t arg)
{
    (void)arg;
    return TIMED(__asm__ volatile(".rept 1000; nop; .endr"));
}

/* One tick of the clock is one instruction, or nothing here means anything. An interrupt may fall into the
 * first try. */
static bool ticks_are_instructions(void)
{
    uint64_t ticks = 0;

    for (unsigned int i = 0; i < BENCH_WARM_UP && ticks != 1000; i++)
        ticks = nops(0) - overhead;
    if (ticks != 1000)
        pv_printf("bench: 1000 nops cost %lu ticks of the TSC, so no figures: -icount shift=0 is missing\n",
                  ticks);
    return ticks == 1000;
}

static void single(void)
{
    bench_row("nops_1000", nops, 0, 100, 1);
    bench_figure("reset_to_guest", "insn", pv_boot_tsc);
    bench_memory();
    bench_calls();
    bench_traps();
    bench_tables();
    bench_plot();
    bench_pins();
    bench_events();
    bench_user();
}

void test_main(void)
{
    char word[8];

    on = test_on_parador() ? "parador" : "xen";
    pv_cmdline_option("rows", only, sizeof(only));
    for (unsigned int i = 0; i < BENCH_WARM_UP; i++)
        overhead = nothing(0);
    if (pv_cmdline_option("unit", word, sizeof(word)) && !strcmp(word, "ns"))
        ns_khz = pv_tsc_khz();
    else if (!ticks_are_instructions())
        pv_shutdown(SHUTDOWN_crash);
    if (!pv_cmdline_option("peer", word, sizeof(word))) {
        single();
        return;
    }
    only[0] = 0; /* both sides run all rows */
    pair_init();
    bench_pair();
}
