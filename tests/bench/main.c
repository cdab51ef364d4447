/* SPDX-License-Identifier: MIT
 *
 * Runs the groups of rows and prints them. Words on the command line choose: `rows=NAME` runs only rows whose
 * name begins so.
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

uint64_t bench_overhead;
static uint64_t samples[BENCH_MAX_N];
static const char *on;
static char only[32];

void bench_must(long rc, const char *what)
{
    if (rc >= 0)
        return;
    pv_printf("bench: %s failed: %ld\n", what, rc);
    pv_shutdown(SHUTDOWN_crash);
}

void bench_samples(const char *name, uint64_t *s, unsigned int n, unsigned int per)
{
    for (unsigned int i = 1; i < n; i++) { /* insertion sort: the samples are nearly equal */
        uint64_t v = s[i];
        unsigned int j = i;

        for (; j && s[j - 1] > v; j--)
            s[j] = s[j - 1];
        s[j] = v;
    }
    pv_printf("{\"bench\":\"%s\",\"on\":\"%s\",\"unit\":\"insn\",\"min\":%lu,\"median\":%lu,\"p99\":%lu,"
              "\"n\":%u}\n",
              name, on, s[0] / per, s[n / 2] / per, s[n * 99 / 100] / per, n);
}

void bench_row(const char *name, uint64_t (*fn)(uint64_t arg), uint64_t arg, unsigned int n, unsigned int per)
{
    if (strncmp(name, only, strlen(only)))
        return;
    for (unsigned int i = 0; i < BENCH_WARM_UP; i++)
        fn(arg);
    for (unsigned int i = 0; i < n; i++)
        samples[i] = fn(arg) - bench_overhead;
    bench_samples(name, samples, n, per);
}

void bench_figure(const char *name, const char *unit, uint64_t value)
{
    if (!strncmp(name, only, strlen(only)))
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

static void single(void)
{
    struct parador_machine_info machine;

    bench_row("nops_1000", nops, 0, 100, 1);
    bench_figure("reset_to_guest", "insn", pv_boot_tsc);
    if (!HYPERVISOR_parador(PARADOR_machine_info, &machine))
        bench_figure("hypervisor_memory", "bytes", machine.hypervisor_frames * 4096);
    bench_calls();
    bench_traps();
    bench_tables();
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
        bench_overhead = nothing(0);
    if (!pv_cmdline_option("peer", word, sizeof(word))) {
        single();
        return;
    }
    only[0] = 0; /* both sides run all rows */
    pair_init();
    bench_pair();
}
