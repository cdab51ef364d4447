/* SPDX-License-Identifier: MIT
 *
 * The invariant checker must notice when a count is wrong: each test breaks one thing on purpose.
 */
// sources: tests/host/fake_hv.c tests/host/page_trees.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <string.h>
#include "mm/paging.h"
#include "tests/host/page_trees.h"

TestSuite(seeded, .init = trees_begin); /* ends with wrong counts, on purpose */

static void expect_noticed(const char *what)
{
    cr_assert_neq(check_machine(), 0, "%s goes unnoticed", what);
}

static mfn_t seed_l1, seed_first;

static void seed(void)
{
    seed_l1 = make_l1(8, E_RW, &seed_first);
    cr_assert_eq(pin_table(d, seed_l1, FT_L1), 0);
    cr_assert_eq(check_machine(), 0);
}

Test(seeded, a_reference_too_many)
{
    seed();
    frame_of(seed_first)->word++;
    expect_noticed("a reference too many");
}

Test(seeded, a_reference_too_few)
{
    seed();
    frame_of(seed_first)->word--;
    expect_noticed("a reference too few");
}

Test(seeded, a_use_too_few)
{
    seed();
    frame_of(seed_first)->word -= FRAME_COUNT_ONE;
    expect_noticed("a use too few");
}

Test(seeded, a_writable_table)
{
    seed();
    fake_words(seed_l1)[1] = fake_entry(seed_l1, E_RW);
    expect_noticed("a table that is mapped writable");
}

Test(seeded, an_entry_nobody_checked)
{
    seed();
    fake_words(seed_l1)[100] = fake_entry(fake_frame(other), E_RO);
    expect_noticed("an entry that nobody checked");
}

Test(seeded, a_forbidden_bit)
{
    seed();
    fake_words(seed_l1)[0] |= 0x80;
    expect_noticed("a forbidden bit");
}

Test(seeded, a_lost_validated_bit)
{
    seed();
    frame_of(seed_l1)->word &= ~FRAME_VALIDATED;
    expect_noticed("a table in use and not validated");
}

Test(seeded, a_lock_left_behind)
{
    seed();
    frame_of(seed_l1)->word |= FRAME_LOCKED;
    expect_noticed("a lock left behind");
}

Test(seeded, a_broken_list)
{
    seed();
    frame_of(MFN(d->page_list))->next = (uint32_t)seed_l1.v;
    expect_noticed("a broken list");
}

Test(seeded, a_wrong_count_of_pages)
{
    seed();
    d->tot_pages++;
    expect_noticed("a wrong count of pages");
}

Test(seeded, an_owner_without_reference)
{
    mfn_t m = fake_frame(d);

    frame_of(m)->word = 0;
    expect_noticed("an owner without a reference");
}

Test(seeded, a_root_nobody_holds)
{
    seed();
    map_walk(d, seed_first);
    expect_noticed("a root that is no table");
}

Test(seeded, a_lost_free_frame)
{
    mfn_t m = fake_frame(d);

    cr_assert(domain_frame_release(d, m));
    frame_of(m)->owner = OWNER_HV;
    expect_noticed("a free frame with an owner");
}
