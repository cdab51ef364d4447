/* SPDX-License-Identifier: MIT
 *
 * Ends of a domain (SCHEDOP_shutdown, xen/sched.h). None of these returns.
 */
#pragma once

void pv_shutdown(unsigned int reason) __attribute__((noreturn)); /* a SHUTDOWN_* of sched.h */
void pv_poweroff(void) __attribute__((noreturn));
void pv_crash(void) __attribute__((noreturn));

/* Prints the message and crashes the domain. */
void pv_panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
