/* SPDX-License-Identifier: MIT
 *
 * The first screen: a page, one line per act that a newcomer should notice, with its figure and the file that
 * did it.
 */
#ifndef BOOT_SCREEN_H
#define BOOT_SCREEN_H

#include "lib/types.h"

/* The page's title; from here on acts are shown (with loglevel=info and up the log stands in its place). */
void screen_begin(void);

/* One act, at most 70 columns, and the file below hypervisor/ that did it ("mm/frame.c"). */
void screen_act(const char *file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The last lines: what to try next. */
void screen_end(void);

/* What a tick of the TSC is here: "instructions" under -icount, else "TSC ticks". */
const char *screen_unit(void);

static inline uint64_t screen_tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

#endif
