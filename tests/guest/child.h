/* SPDX-License-Identifier: MIT
 *
 * Children: domains that a test in the role dom0 makes of its own image (line `// ramdisk: itself`), on
 * Parador and on stock Xen.
 *
 * The test's main runs in the child too, where child_word() is what it shall do. Parent and child share the
 * child's store page, which no xenstore serves: steps and numbers as in pair.h. A child must not print: on
 * Xen nobody empties its console ring.
 */
#pragma once

#include "libpv/build.h"
#include "tests/guest/pages.h"

struct child_page {
    uint32_t parent, child; /* steps */
    uint64_t words[64];
};

struct child {
    struct pv_build build;
    volatile struct child_page *page; /* in the parent: NULL when it is unmapped */
};

/* In a child: what it shall do; NULL in the parent. */
const char *child_word(void);
/* In a child: the shared page. */
volatile struct child_page *child_page(void);
/* In a child: it has come to step n (0 at the start), or waits for the parent to come there. */
void child_step(uint32_t n);
void child_await(uint32_t n);
/* In a child: counts for ever in this word of the shared page. */
#define CHILD_COUNT 0
void child_count(void) __attribute__((noreturn));

/* In the parent: makes a child that shall do `word`, paused. The test ends with `error` if that can't be. */
void child_make(struct child *c, const char *word, unsigned int vcpus);
/* It runs, and came to step n; the test ends with `error` if that takes too long. */
void child_run(struct child *c, uint32_t n);
void child_wait(struct child *c, uint32_t n);
/* Unmaps the shared page. */
void child_unmap(struct child *c);
/* Whether its number is in use, after some time at the most. */
bool child_gone(const struct child *c);
/* Destroys it, and expects that all of it is gone. */
void child_end(struct child *c);

/* Free frames of the machine. */
uint64_t machine_free(void);
void rest_ns(uint64_t ns);
