/* SPDX-License-Identifier: MIT
 *
 * COM1, a 16550 at 115200 baud: polled transmit, receive announced by interrupt (WORK_CONSOLE). Without a
 * serial port characters vanish and none arrive. Callers hold the console's lock (domain/console.c).
 */
#pragma once

#include "lib/types.h"

void serial_init(void);

void serial_write(const char *s, size_t n);

/* The next received character, -1: none. */
int serial_getc(void);
