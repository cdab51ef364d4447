/* SPDX-License-Identifier: MIT
 *
 * A tree of tables whose validation fails: at each level, in a first or a later entry, alone or behind
 * entries that were good. Then none of its pages is a table any more: each can be mapped writable, at the
 * latest after the next call about page tables. docs/safety.md XSA-299, 310.
 */
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("failed_tables");
ROLE(dom0, domU);

#define LEVELS 4
#define SLOT   3 /* of an entry that is not the first; those before it are empty, or good */

static uint64_t *table[LEVELS + 1]; /* by level */
static uint64_t *good[LEVELS + 1];  /* empty tables, one for each level; [0] is data */

static void set_readonly(uint64_t *page, bool readonly)
{
    require(!pv_set_readonly(page, readonly), "page at %p", (void *)page);
}

/* A tree from `top` down to `bad`, whose entry `slot` no guest may have. Bit l of `later`: the table of level
 * l has the next one in SLOT, and good entries in front of it (one right there) if `company`. */
static void build(unsigned int top, unsigned int bad, unsigned int later, bool company)
{
    for (unsigned int level = bad; level <= top; level++) {
        unsigned int slot = later & 1U << level ? SLOT : 0;
        const uint64_t flags = PTE_TABLE; /* which is PTE_USER too */

        memset(table[level], 0, PAGE_SIZE);
        if (slot && company)
            table[level][1] = table[level][SLOT - 1] = test_pte(good[level - 1], flags);
        table[level][slot] =
            level == bad ? pv_pte(mfn(test_foreign_mfn()), flags) : test_pte(table[level - 1], flags);
    }
    for (unsigned int level = 1; level <= LEVELS; level++) {
        set_readonly(table[level], true);
        set_readonly(good[level], true);
    }
}

/* Stock Xen forgets one half-validated L2 for ever: the L3 above has it in its first entry, the L4 has that
 * L3 in a later one. */
static bool xen_forgets(unsigned int top, unsigned int bad, unsigned int later)
{
    return !test_on_parador() && top == 4 && bad <= 2 && (later & 0x1c) == 0x14;
}

static bool writable_again(uint64_t *page)
{
    return !pv_set_readonly(page, false);
}

static void one_tree(unsigned int top, unsigned int bad, unsigned int later, bool company)
{
    build(top, bad, later, company);
    check(test_pin(top, table[top]) < 0, "L%u with a bad L%u, slots %x", top, bad, later);
    test_mmuext_mfn(MMUEXT_TLB_FLUSH_LOCAL, 0);
    if (xen_forgets(top, bad, later)) {
        check(!writable_again(table[2]), "stock Xen has become better: docs/oracle.md");
        table[2] = test_page();
        good[1] = test_page(); /* its company */
    }
    for (unsigned int level = 1; level <= LEVELS; level++) {
        check(writable_again(table[level]), "L%u of a tree from L%u to a bad L%u, slots %x", level, top, bad,
              later);
        check(writable_again(good[level]), "good L%u, tree from L%u to a bad L%u, slots %x", level, top, bad,
              later);
    }
}

void test_main(void)
{
    for (unsigned int level = 0; level <= LEVELS; level++) {
        table[level] = test_page();
        good[level] = test_page();
    }
    for (unsigned int top = 1; top <= LEVELS; top++)
        for (unsigned int bad = 1; bad <= top; bad++)
            for (unsigned int later = 0; later < 2U << top; later += 1U << bad) {
                one_tree(top, bad, later, false);
                one_tree(top, bad, later, true);
            }
}
