/* SPDX-License-Identifier: MIT
 *
 * Tables that are used many times: one L1 in all entries of an L2, that L2 in many of an L3, one data page in
 * all entries of the L1. Types are counted, so a table stays one until its last use is gone, and then it is
 * an ordinary page. docs/safety.md XSA-242, 299.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("shared_tables");
ROLE(dom0, domU);

static uint64_t *l4, *l3, *l2, *l1, *data;

static void fill(uint64_t *table, const void *below, uint64_t flags, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        table[i] = test_pte(below, flags);
    test_readonly(table, true);
}

static void build(void)
{
    l4 = test_page();
    l3 = test_page();
    l2 = test_page();
    l1 = test_page();
    data = test_page();
    fill(l1, data, PTE_USER, 512);
    fill(l2, l1, PTE_TABLE, 512);
    fill(l3, l2, PTE_TABLE, 512);
    fill(l4, l3, PTE_TABLE, 256);
}

static void all_busy(void)
{
    expect_eq(pv_set_readonly(l3, false), -EBUSY);
    expect_eq(pv_set_readonly(l2, false), -EBUSY);
    expect_eq(pv_set_readonly(l1, false), -EBUSY);
}

/* Pinned from the top; then entries go one by one. */
static void from_the_top(void)
{
    expect_eq(test_pin(4, l4), 0);
    all_busy();
    expect_eq(test_pin(1, data), -EINVAL); /* 512 times writable */
    for (unsigned int i = 0; i < 511; i++)
        require(!test_update(MMU_NORMAL_PT_UPDATE, &l2[i], 0), "clear L2 entry %u", i);
    expect_eq(pv_set_readonly(l1, false), -EBUSY); /* one use is left */
    expect_eq(test_update(MMU_NORMAL_PT_UPDATE, &l2[511], 0), 0);
    expect_eq(pv_set_readonly(l1, false), 0);
    l1[0] = 0;
    for (unsigned int i = 1; i < 512; i++)
        l1[i] = 0;
    test_readonly(l1, true);
    expect_eq(test_update(MMU_NORMAL_PT_UPDATE, &l2[0], test_pte(l1, PTE_TABLE)), 0);
    expect_eq(pv_set_readonly(l1, false), -EBUSY);
    expect_eq(test_update(MMU_NORMAL_PT_UPDATE, &l2[0], 0), 0);
    expect_eq(test_unpin(l4), 0);
    expect_eq(pv_set_readonly(l4, false), 0);
    expect_eq(pv_set_readonly(l3, false), 0);
    expect_eq(pv_set_readonly(l2, false), 0);
    expect_eq(pv_set_readonly(l1, false), 0);
    expect_eq(pv_set_readonly(data, true), 0);
    expect_eq(test_pin(1, data), 0);
    expect_eq(test_unpin(data), 0);
}

/* Each level pinned for itself keeps its type when the tree above goes. */
static void pinned_levels(void)
{
    build();
    expect_eq(test_pin(2, l2), 0);
    expect_eq(test_pin(4, l4), 0);
    expect_eq(test_pin(1, l1), 0);
    expect_eq(test_unpin(l4), 0);
    expect_eq(pv_set_readonly(l3, false), 0);
    expect_eq(pv_set_readonly(l2, false), -EBUSY);
    expect_eq(test_unpin(l2), 0);
    expect_eq(pv_set_readonly(l2, false), 0);
    expect_eq(pv_set_readonly(l1, false), -EBUSY);
    expect_eq(test_unpin(l1), 0);
    expect_eq(pv_set_readonly(l1, false), 0);
}

/* A tree that is bad at its very last entry: nothing of it stays a table. */
static void bad_at_the_end(void)
{
    build();
    test_readonly(l1, false);
    l1[511] = pv_pte(mfn(test_foreign_mfn()), PTE_USER);
    test_readonly(l1, true);
    long err = test_pin(4, l4);

    check(err < 0, "pin gave %ld", err);
    expect_eq(pv_set_readonly(l3, false), 0);
    expect_eq(pv_set_readonly(l2, false), 0);
    expect_eq(pv_set_readonly(l1, false), 0);
    expect_eq(pv_set_readonly(l4, false), 0);
    expect_eq(pv_set_readonly(data, true), 0);
    expect_eq(test_pin(1, data), 0);
    expect_eq(test_unpin(data), 0);
}

/* One page as L2 and as L1 at once: never. */
static void two_levels(void)
{
    uint64_t *a = test_table_page(), *b = test_page();
    long err;

    b[0] = test_pte(a, PTE_TABLE);
    test_readonly(b, true);
    expect_eq(test_pin(2, a), 0);
    expect_eq(test_pin(1, a), -EINVAL);
    err = test_pin(2, b); /* needs a as an L1 */
    check(err == -EINVAL, "an L2, writable, in an L2: %ld", err);
    expect_eq(test_pin(3, b), 0); /* in an L3 it is right */
    expect_eq(test_unpin(b), 0);
    expect_eq(test_unpin(a), 0);
    expect_eq(pv_set_readonly(a, false), 0);
    expect_eq(pv_set_readonly(b, false), 0);
}

void test_main(void)
{
    build();
    from_the_top();
    pinned_levels();
    bad_at_the_end();
    two_levels();
}
