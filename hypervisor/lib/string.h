/* SPDX-License-Identifier: MIT
 *
 * The C library's functions that a freestanding program needs; semantics of the C standard.
 */
#pragma once

#ifdef HOST_TEST
#include <string.h>
#define copy_words memcpy
#else
#include "lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
/* The same, inline where whole words are likely: under -icount one word is one instruction. */
static inline void copy_words(void *dst, const void *src, size_t n)
{
    size_t words = n / 8;

    if (unlikely(n % 8))
        memcpy(dst, src, n);
    else
        __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
}
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *what);
#endif
