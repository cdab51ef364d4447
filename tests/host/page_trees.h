/* SPDX-License-Identifier: MIT
 *
 * What the tests of page types share: three domains on the fake machine, and trees of tables.
 *
 * The checker knows all who may hold a frame in Parador, and the test isn't one of them: before
 * check_machine() tables are held by pins.
 */
#pragma once

#include "tests/host/fake_hv.h"

extern struct domain *d0, *d, *other;

void trees_begin(void);
/* All goes back, and the checker finds nothing wrong. */
void trees_end(void);

/* Not .init and .fini: Criterion takes no notice of what fails in .fini. */
#define TYPE_TEST(name)     \
    static void name(void); \
    Test(type, name)        \
    {                       \
        trees_begin();      \
        name();             \
        trees_end();        \
    }                       \
    static void name(void)

int get(mfn_t m, enum frame_type type);
int write_entry(struct domain *whose, mfn_t table, unsigned int i, uint64_t entry);
/* An L1 of d with n entries, all for different frames; the first frame. */
mfn_t make_l1(unsigned int n, uint64_t flags, mfn_t *first);
/* A table of the next level, with `table` in an entry. */
mfn_t above(mfn_t table);
/* A tree: L4, L3, L2 and n L1s of 4 entries each. */
mfn_t make_tree(unsigned int n, mfn_t *l2, mfn_t *l1);
/* The vcpu of a domain runs on that tree. */
void map_walk(struct domain *whose, mfn_t l4);
