/* SPDX-License-Identifier: MIT
 *
 * The first screen: a page, one line per act that a newcomer should notice, with its figure and the file that
 * did it.
 */
#ifndef BOOT_SCREEN_H
#define BOOT_SCREEN_H

#include "lib/types.h"

struct boot_info;

/* The page's title and what was done before the first domain: boot, memory, clocks. */
void screen_begin(const struct boot_info *bi);

/* One act, at most 72 columns, and the file below hypervisor/ that did it ("mm/frame.c"). With loglevel=info
 * and up it is a line of the log. */
void screen_act(const char *file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The last lines: where to go from here. */
void screen_end(void);

/* What a tick of the TSC is here: "instructions" under -icount, else "TSC ticks". */
const char *screen_unit(void);

/* n as a text with commas, in buf (28 bytes are enough). */
const char *screen_number(uint64_t n, char buf[28]);
#define COMMAS(n) screen_number((n), (char[28]){ 0 })

#endif
