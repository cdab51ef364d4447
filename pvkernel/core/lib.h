/* SPDX-License-Identifier: MIT
 *
 * What every file of core/ needs: strings, formatted output, panic. The mem and str functions are declared
 * here because a freestanding compiler brings no string.h; the first four come from the port, the others from
 * lib.c.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t str_len(const char *s);
bool str_equal(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
/* Copies at most size - 1 characters and always ends the copy with a 0. Returns the length of `from`. */
size_t str_copy(char *to, const char *from, size_t size);
/* Decimal, or hexadecimal after 0x; the whole string, or up to a suffix k, M or G (multiples of 1024). False:
 * no number. */
bool str_number(const char *s, uint64_t *value);

/* What follows a noun after the number n: "s", or nothing after 1. */
const char *plural(uint64_t n);

/* The usual printf conversions: d i u x p s c %, with flags - and 0, width, precision for s, lengths l, ll
 * and z. Returns the length that the whole text has; at most size - 1 characters of it are stored. */
int kvsnprintf(char *to, size_t size, const char *format, va_list ap);
int ksnprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* On the console, at most 512 characters a call, never torn by another thread's. */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Our own bug: says so and ends the machine as crashed. */
void panic(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
