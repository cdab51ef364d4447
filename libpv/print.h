/* SPDX-License-Identifier: MIT
 *
 * Formatted printing.
 *
 * Understood: %d %i %u %x %X %o %c %s %p %% with flags - 0 + space #, width, precision (both also *), and the
 * lengths hh h l ll z j t. No floating point. Source: C11 7.21.6.1.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* As in C11 7.21.6.12 and .5: writes at most size bytes with the NUL, returns the length that the whole text
 * has. */
int pv_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int pv_snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* To the console; a call's text goes out in one piece up to 512 bytes, longer text is cut. Returns the
 * length. */
int pv_vprintf(const char *fmt, va_list args);
int pv_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
