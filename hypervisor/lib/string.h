/* SPDX-License-Identifier: MIT
 *
 * The C library's functions that a freestanding program needs; semantics of the C standard.
 */
#pragma once

#ifdef HOST_TEST
#include <string.h>
#else
#include "lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *what);
#endif
