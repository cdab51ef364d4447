/* SPDX-License-Identifier: MIT
 *
 * Our own mistakes. BUG() says which values were impossible and stops the machine. ASSERT() is BUG() in debug
 * builds only. Nothing that a guest passes may reach either: a bad argument is a negative errno
 * (domain/refuse.h), a guest that broke its own life support is domain_crash() (domain/domain.h).
 */
#pragma once

#include "lib/types.h"

/* Prints "BUG at file:line: ..." with a backtrace and ends the machine with status 4. Host tests: abort(). */
void bug(const char *file, int line, const char *fmt, ...) __noreturn
    __attribute__((format(printf, 3, 4), cold));

#define BUG(...) bug(__FILE__, __LINE__, __VA_ARGS__)

#ifdef DEBUG
#define ASSERT(cond) ((cond) ? (void)0 : BUG("assertion failed: %s", #cond))
#else
#define ASSERT(cond) ((void)sizeof(cond))
#endif
