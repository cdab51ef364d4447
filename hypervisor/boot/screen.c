/* SPDX-License-Identifier: MIT
 *
 * The first screen: a page, not a log.
 *
 *   PARADOR  a small hypervisor that speaks Xen's PV ABI          in hypervisor/
 *   -------------------------------------------------------------------------------
 *   Booted by Multiboot 1; modules: 4, 1,892 KB in all            boot/multiboot.c
 *
 * One line for each act that a newcomer should notice, with its figure and the file to read. With
 * loglevel=info or debug the acts are lines of the log like all others.
 */
#include "boot/boot.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/layout.h"
#include "x86/cpu.h"

#define COLUMN 62 /* where the file's name begins; all fits 80 columns */
#define WIDTH  78

static bool is_page(void)
{
    return log_level < LOG_INFO;
}

static void rule(void)
{
    char line[WIDTH + 1];

    memset(line, '-', WIDTH);
    line[WIDTH] = '\0';
    say(" %s\n", line);
}

void screen_act(const char *file, const char *fmt, ...)
{
    char text[128];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (is_page())
        say(" %-*s %s\n", COLUMN - 1, text, file);
    else
        info("%s: %s\n", file, text);
}

const char *screen_number(uint64_t n, char buf[28])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lu", n), at = 0;

    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}

static uint64_t module_bytes(const struct boot_info *bi)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < bi->nr_modules; i++)
        sum += bi->modules[i].end - bi->modules[i].start;
    return sum;
}

void screen_begin(const struct boot_info *bi)
{
    if (is_page()) {
        say(" %-*s%s\n", COLUMN, "PARADOR  a small hypervisor that speaks Xen's PV ABI", "in hypervisor/");
        rule();
    }
    screen_act("boot/multiboot.c", "Booted by Multiboot %u; modules: %u, %s KB in all", bi->version,
               bi->nr_modules, COMMAS(module_bytes(bi) >> 10));
    screen_act("x86/descriptor.c", "Runs in ring 0; guests, kernel and programs, in ring 3");
    screen_act("mm/frame.c", "Knows %s frames of memory; keeps %s for itself", COMMAS(frames_total()),
               COMMAS(frames_hv() - (module_bytes(bi) >> PAGE_SHIFT)));
    screen_act("mm/frame.c", "Machine-to-physical table, read-only, at %lx", M2P_VIRT);
    screen_act("x86/clocks.c", "Measured the clocks: TSC %s kHz, APIC %s kHz", COMMAS(cpu_features.tsc_khz),
               COMMAS(cpu_features.apic_khz));
    if (nr_cpus > 1)
        screen_act("boot/cpus.c", "Started the other CPUs: %u in all", nr_cpus);
}

void screen_end(void)
{
    if (!is_page())
        return;
    rule();
    say(" Ctrl-T ?: Parador's keys.  loglevel=info: the log.  Next: docs/READING.md\n\n");
}

/* Under -icount a tick is an instruction: a thousand nops tell. */
const char *screen_unit(void)
{
    uint64_t before = rdtsc(), ticks;

    __asm__ volatile(".rept 1000; nop; .endr");
    ticks = rdtsc() - before;
    return ticks >= 1000 && ticks < 1020 ? "instructions" : "TSC ticks";
}
