/* SPDX-License-Identifier: MIT
 *
 * The console: by console_io where the hypervisor allows it (domain 0; every domain of Parador), on the domU
 * console ring where console_io gives -EPERM and start_info has a ring; else output is lost and input never
 * comes. Source: xen.h (console_io), xen/io/console.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Writes len bytes as they are ("\n" becomes "\r\n" on the ring). Returns when all were
 * handed over; usable with events masked. */
void pv_console_write(const char *buf, size_t len);

/* The next input character (0 to 255), or -1 when there is none now. */
int pv_console_getc(void);

/* Calls fn(data) in an event upcall whenever input may have come (VIRQ_CONSOLE or the ring's port); fn then
 * reads with pv_console_getc until -1. 0, or a negative errno when this domain gets no such event: then poll.
 */
int pv_console_on_input(void (*fn)(void *data), void *data);

/* True when output goes to the domU ring. */
bool pv_console_is_ring(void);

/* Start-up only. */
void pv_console_init(void);
