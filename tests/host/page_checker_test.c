/* SPDX-License-Identifier: MIT
 *
 * The invariant checker must notice when a count is wrong: each test breaks one thing on purpose.
 */
// sources: tests/host/fake_hv.c tests/host/page_trees.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <string.h>
#include "mm/paging.h"
#include "tests/host/page_trees.h"

TestSuite(seeded, .init = trees_begin); /* ends with wrong counts, on purpose */

/* A complaint has these words. */
static void expect_noticed(const char *words)
{
    fake_said[0] = '\0';
    cr_assert_neq(check_machine(), 0, "unnoticed: %s", words);
    cr_assert(strstr(fake_said, words), "%s not in:\n%s", words, fake_said);
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
    expect_noticed("2 references and 1 uses found, its word says 3 and 1");
}

Test(seeded, a_reference_too_few)
{
    seed();
    frame_of(seed_first)->word--;
    expect_noticed("2 references and 1 uses found, its word says 1 and 1");
}

Test(seeded, a_use_too_few)
{
    seed();
    frame_of(seed_first)->word -= FRAME_COUNT_ONE;
    expect_noticed("2 references and 1 uses found, its word says 2 and 0");
}

Test(seeded, a_writable_table)
{
    seed();
    fake_words(seed_l1)[1] = fake_entry(seed_l1, E_RW);
    expect_noticed("L1 of domain 1: 3 references and 2 uses found, its word says 2 and 1");
}

Test(seeded, an_entry_nobody_checked)
{
    seed();
    fake_words(seed_l1)[100] = fake_entry(fake_frame(other), E_RO);
    expect_noticed("others map it 1 times more than its grants allow");
}

Test(seeded, a_forbidden_bit)
{
    seed();
    fake_words(seed_l1)[0] |= PTE_CACHE;
    expect_noticed("has forbidden bits");
}

Test(seeded, a_lost_validated_bit)
{
    seed();
    frame_of(seed_l1)->word &= ~FRAME_VALIDATED;
    expect_noticed("an L1 in use and not validated");
}

Test(seeded, a_lock_left_behind)
{
    seed();
    frame_of(seed_l1)->word |= FRAME_LOCKED;
    expect_noticed("it is locked");
}

Test(seeded, a_broken_list)
{
    seed();
    frame_of(MFN(d->page_list))->next = (uint32_t)seed_l1.v;
    expect_noticed("domain 1's list of frames is broken");
}

Test(seeded, a_wrong_count_of_pages)
{
    seed();
    d->tot_pages++;
    expect_noticed("9 frames on its lists, 9 that it owns, 10 by its count");
}

Test(seeded, an_owner_without_reference)
{
    mfn_t m = fake_frame(d);

    frame_of(m)->word = 0;
    expect_noticed("domain 1 owns it by no reference");
}

Test(seeded, a_root_nobody_holds)
{
    seed();
    map_walk(d, seed_first);
    expect_noticed("used as L4 by kernel root of vcpu 0, its word says writable");
    expect_noticed("3 references and 2 uses found, its word says 2 and 1");
}

Test(seeded, a_lost_free_frame)
{
    mfn_t m = fake_frame(d);

    cr_assert(domain_frame_release(d, m));
    frame_of(m)->owner = OWNER_HV;
    expect_noticed("on the free list of order");
    expect_noticed("81 frames are Parador's, 80 by its count");
}

/* ---- Free frames ---- */

static mfn_t freed(void)
{
    mfn_t m = fake_frame(d);

    cr_assert(domain_frame_release(d, m));
    while (frames_scrub_step())
        ;
    cr_assert_eq(check_machine(), 0);
    cr_assert(frame_of(m)->word & FREE_ZERO);
    return m;
}

Test(seeded, a_free_frame_with_a_rest)
{
    fake_words(freed())[511] = 1;
    expect_noticed("free, said to be zero, and isn't");
}

Test(seeded, a_free_frame_with_a_reference)
{
    frame_of(MFN(freed().v + 1))->word |= 1; /* not the first of its block */
    expect_noticed("has references and no owner");
}

Test(seeded, a_free_frame_with_a_number)
{
    m2p_table[freed().v] = 77;
    expect_noticed("free, and has the number 4d in its owner's eyes");
}

Test(seeded, a_dirty_frame_not_counted)
{
    mfn_t m = freed();

    frame_of(m)->word = (frame_of(m)->word & ~FREE_ZERO) | FREE_DIRTY;
    expect_noticed("1 dirty, 0 counted");
}

Test(seeded, a_frame_of_parador_that_is_lost)
{
    frame_of(MFN(5))->owner = OWNER_IO;
    expect_noticed("79 frames are Parador's, 80 by its count");
}

/* ---- Stamps ---- */

Test(seeded, a_use_that_ends_in_the_future)
{
    mfn_t m = fake_frame(d), f = freed();

    frame_of(m)->aux = tlb_clock + 1;
    expect_noticed("its use ended at");
    frame_of(m)->aux = 0;
    cr_assert_eq(check_machine(), 0);
    frame_of(f)->aux = tlb_clock + 1;
    expect_noticed("its use ended at");
}

/* ---- Tables half done, and what else is special ---- */

static mfn_t half_undone(void)
{
    mfn_t l4 = make_tree(8, NULL, NULL);

    cr_assert_eq(pin_table(d, l4, FT_L4), 0);
    fake_preempt_every = 0;
    cr_assert_eq(unpin_table(d, l4), 0);
    fake_preempt_every = ~0UL;
    cr_assert_neq(d->undo_list, 0);
    cr_assert_eq(check_machine(), 0);
    return MFN(d->undo_list);
}

Test(seeded, an_undo_that_nobody_goes_on_with)
{
    mfn_t m = half_undone();

    frame_list_move(d, m, &d->page_list);
    expect_noticed("tables half undone,");
}

Test(seeded, an_undo_of_nothing)
{
    (void)half_undone();
    frame_list_move(d, fake_frame(d), &d->undo_list);
    expect_noticed("on the list of tables to undo, with word");
}

Test(seeded, a_cursor_beyond_the_table)
{
    frame_of(half_undone())->aux = CURSOR_UNDO | (ENTRIES + 1);
    expect_noticed("its cursor is 80000201");
}

Test(seeded, a_root_that_shows_other_slots)
{
    mfn_t l4 = make_tree(1, NULL, NULL);

    cr_assert_eq(pin_table(d, l4, FT_L4), 0);
    fake_words(l4)[HV_LAST_SLOT] ^= PTE_RW;
    expect_noticed("Parador's slot 271 holds");
}

Test(seeded, a_descriptor_that_nobody_checked)
{
    mfn_t m = fake_frame(d);
    uint64_t mfns[1] = { m.v };

    cr_assert_eq(get(m, FT_DESC), 0);
    memcpy(d->vcpu[0]->arch.gdt_mfns, mfns, sizeof(mfns));
    d->vcpu[0]->arch.gdt_entries = 1;
    cr_assert_eq(check_machine(), 0);
    fake_words(m)[3] = 0x0000890000000067; /* a TSS */
    expect_noticed("descriptor 3 (890000000067) is none that a guest may have");
}

Test(seeded, a_shared_page_not_counted)
{
    cr_assert(shared_page_alloc(d));
    cr_assert_eq(check_machine(), 0);
    d->shared_pages--;
    expect_noticed("1 pages that it shares with Parador, 0 by its count");
}

Test(seeded, a_vcpu_info_nobody_holds)
{
    mfn_t m = fake_frame(d);

    d->vcpu[0]->info_mfn = m.v;
    d->vcpu[0]->info = mfn_to_virt(m);
    expect_noticed("used as writable by vcpu_info of vcpu 0, its word says none");
}
