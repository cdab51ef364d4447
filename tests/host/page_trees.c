/* SPDX-License-Identifier: MIT
 *
 * See page_trees.h.
 */
#include "tests/host/page_trees.h"
#include <criterion/criterion.h>
#include "mm/paging.h"

struct domain *d0, *d, *other;

void trees_begin(void)
{
    fake_machine();
    d0 = fake_domain(0, ~0UL);
    d = fake_domain(1, 8000);
    other = fake_domain(2, 8000);
}

void trees_end(void)
{
    cr_assert_eq(check_machine(), 0);
    cr_assert(fake_domain_end(d0) && fake_domain_end(d) && fake_domain_end(other));
    cr_assert_eq(frames_free(), FAKE_RAM);
}

int get(mfn_t m, enum frame_type type)
{
    return get_frame_type(d, m, type);
}

int write_entry(struct domain *whose, mfn_t table, unsigned int i, uint64_t entry)
{
    return pv_direct.write_entry(whose, whose, mfn_to_maddr(table) + i * 8, entry, false);
}

mfn_t make_l1(unsigned int n, uint64_t flags, mfn_t *first)
{
    mfn_t l1 = fake_frame(d);

    for (unsigned int i = 0; i < n; i++) {
        mfn_t m = fake_frame(d);

        fake_words(l1)[i] = fake_entry(m, flags);
        if (!i && first)
            *first = m;
    }
    return l1;
}

mfn_t above(mfn_t table)
{
    mfn_t m = fake_frame(d);

    fake_words(m)[3] = fake_entry(table, E_TABLE);
    return m;
}

mfn_t make_tree(unsigned int n, mfn_t *l2, mfn_t *l1)
{
    mfn_t top = fake_frame(d);

    for (unsigned int i = 0; i < n; i++) {
        mfn_t m = make_l1(4, E_RW, NULL);

        fake_words(top)[i * 512 / n] = fake_entry(m, E_TABLE);
        if (!i && l1)
            *l1 = m;
    }
    if (l2)
        *l2 = top;
    return above(above(top));
}

void map_walk(struct domain *whose, mfn_t l4)
{
    whose->vcpu[0]->arch.cr3_kernel = mfn_to_maddr(l4);
}
