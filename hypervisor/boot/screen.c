/* SPDX-License-Identifier: MIT
 *
 * The first screen: a page, not a log.
 *
 *   Parador, a hypervisor with Xen's paravirtual ABI                            who did it
 *   ------------------------------------------------------------------------------------------
 *   Booted by Multiboot 1 with 4 modules: 1,892 KB                              boot/multiboot.c
 *
 * One line for each act that a newcomer should notice, with its figure and the file to read. With
 * loglevel=info or debug the acts are lines of the log like all others.
 */
#include "boot/screen.h"
#include "lib/print.h"
#include "lib/string.h"

#define COLUMN 74 /* where the file's name begins */

static bool is_page(void)
{
    return log_level < LOG_INFO;
}

static void rule(void)
{
    char line[COLUMN + 24];

    memset(line, '-', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    say(" %s\n", line);
}

void screen_begin(void)
{
    if (!is_page())
        return;
    say("\n %-*s%s\n", COLUMN, "PARADOR  a small hypervisor that speaks Xen's paravirtual ABI",
        "read hypervisor/");
    rule();
}

void screen_act(const char *file, const char *fmt, ...)
{
    char text[128];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (is_page())
        say(" %-*s%s\n", COLUMN, text, file);
    else
        info("%s: %s\n", file, text);
}

void screen_end(void)
{
    if (!is_page())
        return;
    rule();
    say(" Try: help, domains, mem, run hello, why.  Ctrl-T ? shows Parador's own keys.  Next: "
        "docs/READING.md\n\n");
}

/* Under -icount a tick is an instruction: a thousand nops tell. */
const char *screen_unit(void)
{
    uint64_t before = screen_tsc(), ticks;

    __asm__ volatile(".rept 1000; nop; .endr");
    ticks = screen_tsc() - before;
    return ticks >= 1000 && ticks < 1020 ? "instructions" : "TSC ticks";
}
