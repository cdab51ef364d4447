/* SPDX-License-Identifier: MIT
 *
 * The part of C11 7.24 that a freestanding guest needs (the compiler itself calls the first four).
 * Same contracts as in the standard; strlcpy as in OpenBSD: copies at most size - 1 bytes and the NUL,
 * returns strlen(src).
 */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *text, const char *word);
size_t strlcpy(char *dst, const char *src, size_t size);

/* Unsigned number in base 0 (0x, 0 prefixes), 2 to 36; *end (may be NULL) is set behind the last digit, to s
 * when there is none. No sign, no overflow check. */
unsigned long strtoul(const char *s, char **end, int base);
