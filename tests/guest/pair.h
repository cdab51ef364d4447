/* SPDX-License-Identifier: MIT
 *
 * Two domains of one image that test each other (ROLE(pair)). The runner gives each the words role=a or
 * role=b and peer=N.
 *
 * They meet without a store: a waits at the fixed port PAIR_PORT and grants a page at the fixed reference
 * PAIR_REF; b tries both until they are there. Through that page they go step by step (pair_sync) and hand
 * each other numbers (words).
 */
#pragma once

#include "tests/guest/pages.h"

#define PAIR_PORT 40
#define PAIR_REF  20

struct pair_page {
    uint32_t step[2]; /* of a, of b */
    uint64_t words[64];
};

struct pair {
    bool is_a;
    domid_t peer;
    unsigned int port; /* this side's end of the channel */
    volatile struct pair_page *page;
    uint32_t steps;
};
extern struct pair pair;

/* Meets the other side; ends the test with `error` when it doesn't come within 20 s. */
void pair_init(void);

/* Both sides must have come to their n-th call of this. */
void pair_sync(void);
