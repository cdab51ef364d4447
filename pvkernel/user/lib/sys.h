/* SPDX-License-Identifier: MIT
 *
 * The little that programs have before there is a C library: system calls, and printing of strings and
 * numbers.
 */
#pragma once

#include <stddef.h>
#include "pvkernel/core/syscall.h"

int main(int argc, char **argv);

/* Up to 4 arguments; see core/syscall.h. Negative results are errors. */
long syscall(long number, ...);

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* Collects text and writes it by one system call at a newline, or when 128 characters are there. */
void print(const char *text);
void print_number(unsigned long n);
/* Decimal number, 0 when there is none. */
unsigned long number(const char *text);
