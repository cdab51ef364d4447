/* SPDX-License-Identifier: MIT
 *
 * The benchmark guest: what each operation of the PV ABI costs, as one binary on Parador and on stock Xen.
 *
 * A row is a name and a function that runs its operation once and returns the TSC ticks that it took. Under
 * `-icount shift=0` one tick is one guest instruction (main.c checks it first), and a row's minimum, median
 * and p99 are exact. bench_row() repeats, subtracts the rdtsc pair and prints one JSON line a row. Goals and
 * Xen's recorded figures stand in goals.json beside this file; toolchain/runner/bench.py runs it all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "libpv/time.h"
#include "tests/bench/mark.h"

/* Runs fn(arg) warm-up times, then n times (n <= BENCH_MAX_N), and prints the row. `per` divides each sample:
 * how many entries one call of fn handles. */
#define BENCH_MAX_N   512
#define BENCH_WARM_UP 4
void bench_row(const char *name, uint64_t (*fn)(uint64_t arg), uint64_t arg, unsigned int n,
               unsigned int per);

/* Whether the command line's rows= wants this row. A row that does not go through bench_row() asks. */
bool bench_wanted(const char *name);

/* Prints a row of samples that were taken elsewhere (in a user program, say); sorts them. MARK(MARK_ROW)
 * stood before the first one. */
void bench_samples(const char *name, uint64_t *samples, unsigned int n, unsigned int per);

/* A figure that is not a distribution. */
void bench_figure(const char *name, const char *unit, uint64_t value);

/* A sample without the ticks of an empty rdtsc pair. */
uint64_t bench_less_overhead(uint64_t ticks);

/* TIMED(statement): the ticks it took. */
#define TIMED(statement)              \
    ({                                \
        uint64_t start_, ticks_;      \
        MARK(MARK_START);             \
        start_ = pv_rdtsc();          \
        statement;                    \
        ticks_ = pv_rdtsc() - start_; \
        MARK(MARK_END);               \
        ticks_;                       \
    })

/* Stops with a message when a hypercall that a row relies on fails: a row must not measure an error path. */
void bench_must(long rc, const char *what);

/* The groups of rows, a file each. */
void bench_memory(void); /* memory.c: what the hypervisor keeps for itself */
void bench_calls(void);  /* calls.c: hypercalls that do little, timers, yield */
void bench_traps(void);  /* traps.c: emulation, exceptions, iret */
void bench_user(void);   /* user.c: a user program's system calls and faults */
void bench_tables(void); /* tables.c: page-table updates */
void bench_plot(void);   /* plot.c: one entry by trap and by hypercall, over the batch size */
void bench_pins(void);   /* pins.c: pinning, switching, flushing */
void bench_events(void); /* events.c: event channels and grants */
void bench_pair(void);   /* pair.c: events and rings between two domains (role pair) */
