/* SPDX-License-Identifier: MIT
 *
 * How fast TSC and local APIC timer count, measured against the PIT (1,193,182 Hz).
 *
 * A sample reads all three at once and is as good as the TSC ticks that reading took: an emulated machine may
 * be held up at any point, so the best of several readings counts. Two samples some milliseconds apart give
 * the rates; it ends after MIN_PIT counts if the readings were quick, and waits longer for the same accuracy
 * if they weren't.
 */
#include "domain/domain.h"
#include "x86/apic.h"
#include "x86/cpu.h"

#define PIT_HZ      1193182ULL
#define PIT_DATA    0x40 /* channel 0 */
#define PIT_COMMAND 0x43
#define PIT_RATE    0x34 /* channel 0, both bytes, mode 2 */
#define PIT_LATCH   0x00

#define MIN_PIT     1194  /* 1 ms */
#define MAX_PIT     23864 /* 20 ms, well below the counter's 65536 */
#define TRIES       4

struct sample {
    uint64_t tsc, uncertain; /* TSC ticks */
    uint32_t apic;
    uint16_t pit;
};

static struct sample read_clocks(void)
{
    struct sample best = { 0 };

    for (unsigned int i = 0; i < TRIES; i++) {
        struct sample s;
        uint64_t before = rdtsc();

        outb(PIT_COMMAND, PIT_LATCH);
        s.apic = apic_timer_count();
        s.tsc = rdtsc();
        s.uncertain = s.tsc - before;
        s.pit = inb(PIT_DATA);
        s.pit = (uint16_t)(s.pit | inb(PIT_DATA) << 8);
        if (i == 0 || s.uncertain < best.uncertain)
            best = s;
    }
    return best;
}

void clocks_calibrate(void)
{
    struct sample a, b;
    uint64_t pit;

    outb(PIT_COMMAND, PIT_RATE);
    outb(PIT_DATA, 0);
    outb(PIT_DATA, 0);
    apic_timer_start(UINT32_MAX);
    a = read_clocks();
    do {
        b = read_clocks();
        pit = (uint16_t)(a.pit - b.pit);
    } while (pit < MIN_PIT || ((b.tsc - a.tsc) / 2000 < a.uncertain + b.uncertain && pit < MAX_PIT));

    cpu_features.tsc_khz = (uint32_t)((b.tsc - a.tsc) * PIT_HZ / pit / 1000);
    cpu_features.apic_khz = (uint32_t)((uint64_t)(a.apic - b.apic) * PIT_HZ / pit / 1000);
    cpu_features.apic_scale = ((uint64_t)cpu_features.apic_khz << 32) / 1000000;
    apic_timer_start(0);
}
