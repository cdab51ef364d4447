/* SPDX-License-Identifier: MIT
 *
 * As much of Criterion as the tests named *_race_test need: its processes and the thread sanitizer don't get
 * along, so these run one after the other in race/main.c.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

struct race_test {
    const char *name;
    void (*fn)(void);
    struct race_test *next;
};

void race_add(struct race_test *t);

/* Where a test sets it, it is told of each volatile read, right before. */
extern void (*race_read)(const void *p);

#define Test(suite, test, ...)                                                \
    static void suite##_##test(void);                                         \
    static __attribute__((constructor)) void add_##suite##_##test(void)       \
    {                                                                         \
        static struct race_test t = { #suite "::" #test, suite##_##test, 0 }; \
                                                                              \
        race_add(&t);                                                         \
    }                                                                         \
    static void suite##_##test(void)

/* A failure ends the program; the message's words go unsaid. */
#define cr_assert(cond, ...)                                               \
    do {                                                                   \
        if (!(cond)) {                                                     \
            fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                       \
        }                                                                  \
    } while (0)
#define cr_assert_eq(a, b, ...) cr_assert((a) == (b))
#define cr_assert_lt(a, b, ...) cr_assert((a) < (b))
