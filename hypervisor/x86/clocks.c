/* SPDX-License-Identifier: MIT
 *
 * Clocks at boot: how fast TSC and local APIC timer count, measured against the PIT (1,193,182 Hz), and what
 * time it is by the battery-backed clock (MC146818 registers behind ports 0x70 and 0x71; Intel ICH/PIIX data
 * sheets, "real time clock").
 *
 * A sample reads TSC, APIC and PIT at once and is as good as the TSC ticks that reading took: an emulated
 * machine may be held up at any point, so the best of several readings counts. Two samples some milliseconds
 * apart give the rates; it ends after MIN_PIT counts if the readings were quick, and waits longer for the
 * same accuracy if they weren't.
 */
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

/* ---- What time it is ---- */

#define RTC_A          0x0a
#define RTC_A_UPDATING 0x80
#define RTC_B          0x0b
#define RTC_B_BINARY   0x04
#define RTC_B_24H      0x02

static uint8_t rtc(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static uint32_t number(uint8_t raw, uint8_t mode)
{
    return mode & RTC_B_BINARY ? raw : (raw >> 4) * 10u + (raw & 15);
}

/* Days from 1970-01-01 to the first of March of `year`, years beginning in March (so that a leap day is
 * last). */
static uint64_t days_before(uint64_t year)
{
    return year * 365 + year / 4 - year / 100 + year / 400 - 719468;
}

uint64_t cmos_seconds(void)
{
    uint64_t year, month, day, seconds;
    uint8_t mode = rtc(RTC_B), hour;

    for (unsigned int i = 0; i < 100000 && (rtc(RTC_A) & RTC_A_UPDATING); i++)
        ;
    hour = rtc(4);
    seconds = number(rtc(0), mode) + 60 * number(rtc(2), mode) + 3600 * (number(hour & 0x7f, mode) % 24);
    if (!(mode & RTC_B_24H)) /* 12 is 0, afternoon in bit 7 */
        seconds += 3600 * ((hour & 0x80 ? 12ULL : 0) - (number(hour & 0x7f, mode) == 12 ? 12ULL : 0));
    day = number(rtc(7), mode);
    month = number(rtc(8), mode);
    year = 2000 + number(rtc(9), mode);
    if (month <= 2)
        year--;
    month = (month + 9) % 12; /* 0: March */
    return (days_before(year) + (153 * month + 2) / 5 + day - 1) * 86400 + seconds;
}
