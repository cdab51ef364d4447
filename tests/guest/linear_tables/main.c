/* SPDX-License-Identifier: MIT
 *
 * Tables that contain themselves or tables of their own level. Stock Xen allows a read-only one
 * (CONFIG_PV_LINEAR_PT), Parador none; nobody may get a writable view of a table that way, and afterwards the
 * frames must be free to become ordinary again. docs/safety.md XSA-185, 240.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("linear_tables");
ROLE(dom0, domU);

static void self_map(uint64_t *table, unsigned int level, unsigned int slot)
{
    long err = test_update(MMU_NORMAL_PT_UPDATE, &table[slot], test_pte(table, PTE_TABLE));

    check(err == -EINVAL, "L%u writable in itself: %ld", level, err);
    err = test_update(MMU_NORMAL_PT_UPDATE, &table[slot], test_pte(table, PTE_P | PTE_US));
    check(err == -EINVAL || err == 0, "L%u read-only in itself: %ld", level, err);
    if (!err) {
        expect_eq(table[slot] & PTE_RW, 0);
        expect_eq(test_update(MMU_NORMAL_PT_UPDATE, &table[slot], 0), 0);
    }
    expect_eq(table[slot], 0);
}

/* Two L2 tables that contain each other. */
static void each_other(void)
{
    uint64_t *a = test_table_page(), *b = test_table_page();

    require(!test_pin(2, a) && !test_pin(2, b), "two L2 tables");
    for (int i = 0; i < 2; i++) {
        uint64_t *from = i ? b : a, *to = i ? a : b;
        long err = test_update(MMU_NORMAL_PT_UPDATE, &from[3], test_pte(to, PTE_TABLE));

        check(err == -EINVAL, "an L2 writable in an L2: %ld", err);
    }
    long one = test_update(MMU_NORMAL_PT_UPDATE, &a[3], test_pte(b, PTE_P | PTE_US));
    long other = test_update(MMU_NORMAL_PT_UPDATE, &b[3], test_pte(a, PTE_P | PTE_US));

    check(one == 0 || one == -EINVAL, "one way: %ld", one);
    check(other == -EINVAL || other == 0, "and the other: %ld", other);
    if (!one)
        expect_eq(test_update(MMU_NORMAL_PT_UPDATE, &a[3], 0), 0);
    if (!other)
        expect_eq(test_update(MMU_NORMAL_PT_UPDATE, &b[3], 0), 0);
    expect_eq(test_unpin(a), 0);
    expect_eq(test_unpin(b), 0);
    expect_eq(pv_set_readonly(a, false), 0);
    expect_eq(pv_set_readonly(b, false), 0);
}

void test_main(void)
{
    uint64_t *l2 = test_table_page(), *l3 = test_table_page();

    require(!test_pin(2, l2) && !test_pin(3, l3), "tables");
    self_map(pv_kernel_l4(), 4, 5);
    self_map(l3, 3, 5);
    self_map(l2, 2, 5);
    each_other();
    expect_eq(test_unpin(l2), 0);
    expect_eq(test_unpin(l3), 0);
    expect_eq(pv_set_readonly(l2, false), 0);
    expect_eq(pv_set_readonly(l3, false), 0);
}
