/* SPDX-License-Identifier: MIT
 *
 * Printing. printk() writes Parador's own lines on the console; `loglevel=` decides what is shown. The first
 * screen (boot/screen.c) and reports print at LOG_ALWAYS.
 */
#pragma once

#include <stdarg.h>
#include "lib/types.h"

enum log_level { LOG_ALWAYS, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Set once by the command line (`loglevel=error|warn|info|debug`); LOG_WARN is the default. */
extern enum log_level log_level;

/* Format like C's vsnprintf, but no more than is used here: d u x s c %, flags - 0 and #, width (also *),
 * lengths l ll z. Return the length wanted, without the final zero. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args) __attribute__((format(printf, 3, 0)));
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Prints when level <= log_level. No newline is added. */
void printk(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Where printk()'s text goes: the serial line at first, console_own() (domain/console.c) once boot_main() has
 * set it. */
extern void (*print_sink)(const char *s, size_t n);

#define say(...)  printk(LOG_ALWAYS, __VA_ARGS__)
#define warn(...) printk(LOG_WARN, __VA_ARGS__)
#define info(...) printk(LOG_INFO, __VA_ARGS__)
