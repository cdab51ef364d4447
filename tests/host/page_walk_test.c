/* SPDX-License-Identifier: MIT
 *
 * Walks over page tables that stop half-way, for pre-emption or an error, and go on or are undone.
 */
// sources: tests/host/fake_hv.c tests/host/page_trees.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <string.h>
#include "mm/paging.h"
#include "tests/host/page_trees.h"

/* ---- Walks that stop ---- */

/* Calls until it is no -ERESTART; how often it was one. */
static unsigned int finish(int (*fn)(struct domain *, mfn_t, enum frame_type), mfn_t m, enum frame_type t,
                           int *rc)
{
    unsigned int n = 0;

    while ((*rc = fn(d, m, t)) == -ERESTART)
        cr_assert(++n < 10000);
    return n;
}

TYPE_TEST(validation_stops_and_goes_on)
{
    mfn_t l2, l1, l4 = make_tree(64, &l2, &l1);
    unsigned int n;
    int rc;

    fake_preempt_every = 0;
    n = finish(pin_table, l4, FT_L4, &rc);
    cr_assert_eq(rc, 0);
    cr_assert(n >= 60, "%u stops", n);
    cr_assert_eq(fake_uses(l1), 1);
    cr_assert_eq(check_machine(), 0);
}

TYPE_TEST(every_state_between_is_consistent)
{
    mfn_t l4 = make_tree(16, NULL, NULL);
    int rc;

    fake_preempt_every = 0;
    while ((rc = pin_table(d, l4, FT_L4)) == -ERESTART)
        cr_assert_eq(check_machine(), 0);
    cr_assert_eq(rc, 0);
    cr_assert_eq(unpin_table(d, l4), 0);
    do
        cr_assert_eq(check_machine(), 0);
    while (paging_finish(d));
    cr_assert_eq(d->undo_list, 0);
}

TYPE_TEST(a_half_validated_table_is_nothing_yet)
{
    mfn_t l2, l4 = make_tree(8, &l2, NULL), l1 = fake_frame(d), spare = make_l1(0, 0, NULL);

    fake_preempt_every = 0;
    cr_assert_eq(pin_table(d, l4, FT_L4), -ERESTART);
    cr_assert(fake_word(l2) & FRAME_PARTIAL);
    cr_assert_not(fake_word(l2) & FRAME_VALIDATED);
    cr_assert_eq(get(l2, FT_WRITABLE), -EINVAL);
    cr_assert_eq(get(l2, FT_L3), -EINVAL);
    cr_assert_eq(write_entry(d, l2, 0, fake_entry(spare, E_TABLE)), -EINVAL, "no entry changes meanwhile");
    fake_words(l1)[0] = fake_entry(l2, E_RW);
    cr_assert_eq(get(l1, FT_L1), -EBUSY);
    cr_assert(fake_word(l4) & FRAME_PARTIAL);
    cr_assert_not(fake_word(l4) & FRAME_PINNED);
    cr_assert_eq(unpin_table(d, l4), -EINVAL);
    cr_assert_eq(check_machine(), 0);
}

TYPE_TEST(somebody_else_goes_on_with_it)
{
    mfn_t l2, l4 = make_tree(8, &l2, NULL);
    int rc;

    fake_preempt_every = 0;
    cr_assert_eq(pin_table(d, l4, FT_L4), -ERESTART);
    (void)finish(pin_table, l2, FT_L2, &rc);
    cr_assert_eq(rc, 0);
    cr_assert_eq(fake_uses(l2), 1);
    cr_assert_eq(check_machine(), 0);
    (void)finish(pin_table, l4, FT_L4, &rc);
    cr_assert_eq(rc, 0);
    cr_assert_eq(fake_uses(l2), 2);
}

TYPE_TEST(a_guest_may_never_come_back)
{
    mfn_t l4 = make_tree(8, NULL, NULL);

    fake_preempt_every = 2;
    cr_assert_eq(pin_table(d, l4, FT_L4), -ERESTART);
    cr_assert_eq(check_machine(), 0);
    /* and the end of the domain drops what it holds: teardown() */
}

TYPE_TEST(undoing_stops_and_goes_on)
{
    mfn_t l2, l1, l4 = make_tree(64, &l2, &l1);
    unsigned int n = 0;

    cr_assert_eq(pin_table(d, l4, FT_L4), 0);
    fake_preempt_every = 0;
    cr_assert_eq(unpin_table(d, l4), 0);
    cr_assert_neq(d->undo_list, 0);
    cr_assert_eq(check_machine(), 0);
    while (paging_finish(d))
        n++;
    cr_assert(n > 50, "%u stops", n);
    cr_assert_eq(fake_uses(l1), 0);
    cr_assert_eq(fake_refs(l1), 1);
    cr_assert_eq(fake_uses(l4), 0);
    fake_preempt_every = ~0UL;
    cr_assert_eq(pin_table(d, l4, FT_L4), 0, "and it can be a table again");
}

TYPE_TEST(wanted_again_while_it_is_undone)
{
    mfn_t l2, l4 = make_tree(64, &l2, NULL);
    unsigned int n;
    int rc;

    cr_assert_eq(pin_table(d, l4, FT_L4), 0);
    fake_preempt_every = 0;
    cr_assert_eq(unpin_table(d, l4), 0);
    cr_assert_eq(get(l2, FT_WRITABLE), -EINVAL);
    cr_assert_eq(write_entry(d, l2, 0, 0), -EINVAL);
    n = finish(pin_table, l4, FT_L4, &rc);
    cr_assert_eq(rc, 0);
    cr_assert(n > 10, "%u stops", n);
    cr_assert(fake_word(l2) & FRAME_VALIDATED);
    cr_assert_eq(check_machine(), 0);
}

TYPE_TEST(an_error_late_in_a_long_walk)
{
    mfn_t l2, l4 = make_tree(64, &l2, NULL);
    int rc;

    fake_words(l2)[511] = fake_entry(fake_frame(other), E_TABLE);
    fake_preempt_every = 0;
    (void)finish(pin_table, l4, FT_L4, &rc);
    cr_assert_eq(rc, -EINVAL, "the error, not an endless -ERESTART");
    cr_assert_eq(check_machine(), 0);
    while (paging_finish(d))
        cr_assert_eq(check_machine(), 0);
    cr_assert_eq(fake_uses(l2), 0);
    cr_assert_eq(fake_refs(l4), 1);
}

TYPE_TEST(a_stopped_undo_frees_frames_given_back_meanwhile)
{
    mfn_t l1 = make_l1(512, E_RW, NULL);
    uint64_t pages = d->tot_pages;

    cr_assert_eq(pin_table(d, l1, FT_L1), 0);
    for (unsigned int i = 0; i < 512; i++)
        cr_assert(domain_frame_release(d, entry_mfn(fake_words(l1)[i])));
    cr_assert_eq(d->tot_pages, pages, "still mapped");
    fake_preempt_every = 0;
    cr_assert(domain_frame_release(d, l1));
    cr_assert_eq(unpin_table(d, l1), 0);
    while (paging_finish(d))
        cr_assert_eq(check_machine(), 0);
    cr_assert_eq(d->tot_pages, 0);
}

TYPE_TEST(the_end_in_any_state)
{
    for (unsigned int stop = 0; stop < 12; stop++) {
        mfn_t l4 = make_tree(6, NULL, NULL), l4b = make_tree(6, NULL, NULL);

        fake_preempt_every = ~0UL;
        cr_assert_eq(pin_table(d, l4b, FT_L4), 0);
        fake_preempt_every = stop;
        (void)!pin_table(d, l4, FT_L4);
        if (stop % 2)
            cr_assert_eq(unpin_table(d, l4b), 0);
        else
            map_walk(d, MFN(0));
        cr_assert_eq(check_machine(), 0);
        cr_assert(fake_domain_end(d), "stopped after %u", stop);
        cr_assert_eq(frames_free(), FAKE_RAM);
        d->dying = ALIVE;
    }
}
