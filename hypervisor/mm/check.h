/* SPDX-License-Identifier: MIT
 *
 * Inside the invariant checker: what its two halves share, mm/check.c (frames) and domain/check.c (all that
 * hangs on a domain). Debug builds alone.
 */
#pragma once

#include "lib/print.h"
#include "mm/frame.h"

struct domain;
struct check;

#define CHECK_LINES 10 /* complaints that are printed, of one check */

/* Whether one more is to be printed; counts it. */
bool check_wrong(struct check *c);

#define complain(c, ...)                         \
    do {                                         \
        if (check_wrong(c))                      \
            say("parador: check: " __VA_ARGS__); \
    } while (0)

/* complain() unless cond; true if it holds. */
#define check_that(c, cond, ...)      \
    ({                                \
        const bool holds = (cond);    \
                                      \
        if (!holds)                   \
            complain(c, __VA_ARGS__); \
        holds;                        \
    })

/* Somebody, whose name and number are given, holds m, as type (FT_NONE: a general reference only). */
void check_holds(struct check *c, mfn_t m, enum frame_type type, const char *who, uint64_t number);
/* A domain's handle allows it n (-1: its page tables hold one) mappings of another's frame. */
void check_allows(struct check *c, mfn_t m, int n);

/* domain/check.c. Handles of all domains come first. d: with a reference of the caller's beside the list's.
 */
void check_handles(struct check *c, const struct domain *u);
void check_domain_state(struct check *c, const struct domain *d);
struct cpu;
void check_cpu(struct check *c, const struct cpu *cpu);
