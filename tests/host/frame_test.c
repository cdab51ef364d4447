/* SPDX-License-Identifier: MIT
 *
 * Free frames, Parador's pages and domains' frames: nothing is lost, nothing given twice, nothing leaks.
 */
// sources: tests/host/fake_hv.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "mm/heap.h"
#include "mm/paging.h"
#include "tests/host/fake_hv.h"

#define SECRET 0x5ec2e75ec2e7UL

TestSuite(frame, .init = fake_machine);

static bool all_zero(mfn_t m)
{
    for (unsigned int i = 0; i < 512; i++)
        if (fake_words(m)[i])
            return false;
    return true;
}

Test(frame, a_new_machine_has_all_its_memory_free)
{
    cr_assert_eq(frames_free(), FAKE_RAM);
    cr_assert_eq(frames_total(), FAKE_RAM + frames_hv());
    cr_assert_eq(check_machine(), 0);
}

Test(frame, blocks_are_aligned_and_split_and_merged_again)
{
    mfn_t m[HEAP_MAX_ORDER];

    for (unsigned int order = 0; order <= 11; order++) {
        m[order] = heap_alloc(order, OWNER_HV, false);
        cr_assert_neq(m[order].v, INVALID_MFN.v);
        cr_assert_eq(m[order].v & ((1UL << order) - 1), 0, "order %u at %lx", order, m[order].v);
    }
    cr_assert_eq(frames_free(), FAKE_RAM - 0xfff);
    cr_assert_neq(heap_check(), ~0UL);
    for (unsigned int order = 0; order <= 11; order++)
        pages_free(mfn_to_virt(m[order]), order);
    cr_assert_eq(frames_free(), FAKE_RAM);
    /* Merged: a block of the largest order that fits is there again, twice in each chunk's upper half. */
    cr_assert_neq(heap_alloc(11, OWNER_HV, false).v, INVALID_MFN.v);
    cr_assert_neq(heap_check(), ~0UL);
}

Test(frame, every_frame_is_given_once)
{
    static bool seen[FAKE_MAX_MFN];
    uint64_t n = 0;
    mfn_t m;

    while ((m = heap_alloc(0, OWNER_HV, false)).v != INVALID_MFN.v) {
        cr_assert(m.v < FAKE_MAX_MFN && !seen[m.v] && mfn_valid(m), "frame %lx", m.v);
        seen[m.v] = true;
        n++;
    }
    cr_assert_eq(n, FAKE_RAM);
    cr_assert_eq(frames_free(), 0);
    cr_assert_null(page_alloc());
    for (uint64_t i = 0; i < FAKE_MAX_MFN; i++)
        if (seen[i])
            page_free(mfn_to_virt(MFN(i)));
    cr_assert_eq(frames_free(), FAKE_RAM);
    cr_assert_eq(check_machine(), 0);
}

Test(frame, random_blocks)
{
    struct {
        mfn_t m;
        unsigned int order;
    } held[200];
    unsigned int n = 0;

    srand(1);
    for (unsigned int i = 0; i < 20000; i++) {
        unsigned int order = (unsigned int)rand() % 5;

        if (n < 200 && rand() % 2) {
            mfn_t m = heap_alloc(order, OWNER_HV, false);

            if (m.v == INVALID_MFN.v)
                continue;
            cr_assert_eq(m.v & ((1UL << order) - 1), 0);
            held[n].m = m;
            held[n++].order = order;
        } else if (n) {
            unsigned int k = (unsigned int)rand() % n;

            pages_free(mfn_to_virt(held[k].m), held[k].order);
            held[k] = held[--n];
        }
        if (i % 1000 == 0)
            cr_assert_neq(heap_check(), ~0UL);
    }
    while (n--)
        pages_free(mfn_to_virt(held[n].m), held[n].order);
    cr_assert_eq(frames_free(), FAKE_RAM);
}

Test(frame, orders_that_cannot_be)
{
    cr_assert_eq(heap_alloc(12, OWNER_HV, false).v, INVALID_MFN.v); /* no block that long has no hole */
    cr_assert_eq(heap_alloc(HEAP_MAX_ORDER + 1, OWNER_HV, false).v, INVALID_MFN.v);
    cr_assert_eq(frames_free(), FAKE_RAM);
}

Test(frame, a_frame_is_zeroed_before_another_domain_gets_it)
{
    struct domain *a = fake_domain(1, ~0UL), *b = fake_domain(2, ~0UL);
    mfn_t m;
    uint64_t n = 0;

    while ((m = domain_frames_alloc(a, 0)).v != INVALID_MFN.v)
        for (unsigned int i = 0; i < 512; i++)
            fake_words(m)[i] = SECRET;
    cr_assert(fake_domain_end(a));
    while ((m = domain_frames_alloc(b, 0)).v != INVALID_MFN.v) {
        cr_assert(all_zero(m), "frame %lx", m.v);
        n++;
    }
    cr_assert_eq(n, FAKE_RAM);
}

Test(frame, the_idle_loop_zeroes_too)
{
    struct domain *a = fake_domain(1, ~0UL);
    mfn_t m = fake_frame(a);
    unsigned int steps = 0;

    fake_words(m)[5] = SECRET;
    cr_assert(domain_frame_release(a, m));
    cr_assert_eq(fake_words(m)[5], SECRET);
    while (frames_scrub_step())
        cr_assert(++steps < 1000);
    cr_assert(all_zero(m));
    cr_assert_eq(check_machine(), 0);
}

Test(frame, pages_of_parador_are_zero)
{
    char *page = page_alloc();

    memset(page, 0xaa, PAGE_SIZE);
    page_free(page);
    page = pages_alloc(3);
    for (unsigned int i = 0; i < 8 * PAGE_SIZE; i++)
        cr_assert_eq(page[i], 0);
}

Test(frame, no_translation_outlives_the_owner)
{
    struct domain *a = fake_domain(1, ~0UL);
    mfn_t m = fake_frame(a);

    fake_flush();
    cr_assert(domain_frame_release(a, m)); /* the CPU may still have it in its TLB */
    cr_assert_eq(fake_flushes, 0);
    cr_assert_eq(fake_frame(a).v, m.v);
    cr_assert_eq(fake_flushes, 1);

    cr_assert(domain_frame_release(a, m));
    fake_flush(); /* a guest loaded CR3 meanwhile */
    cr_assert_eq(fake_frame(a).v, m.v);
    cr_assert_eq(fake_flushes, 1);
}

Test(frame, a_domain_has_at_most_max_pages)
{
    struct domain *d = fake_domain(1, 10);

    cr_assert_neq(domain_frames_alloc(d, 3).v, INVALID_MFN.v);
    cr_assert_eq(domain_frames_alloc(d, 2).v, INVALID_MFN.v);
    cr_assert_neq(domain_frames_alloc(d, 1).v, INVALID_MFN.v);
    cr_assert_eq(domain_frames_alloc(d, 0).v, INVALID_MFN.v);
    cr_assert_eq(d->tot_pages, 10);
    cr_assert_eq(check_machine(), 0);
    cr_assert(fake_domain_end(d));
    cr_assert_eq(frames_free(), FAKE_RAM);
}

Test(frame, a_dying_domain_gets_none)
{
    struct domain *d = fake_domain(1, 10);

    d->dying = DYING;
    cr_assert_eq(domain_frames_alloc(d, 0).v, INVALID_MFN.v);
}

Test(frame, given_back_once)
{
    struct domain *a = fake_domain(1, 10), *b = fake_domain(2, 10);
    mfn_t m = fake_frame(a);

    cr_assert_not(domain_frame_release(b, m), "not its frame");
    cr_assert(get_frame(a, m));
    cr_assert(domain_frame_release(a, m));
    cr_assert_not(domain_frame_release(a, m), "twice");
    cr_assert_eq(a->tot_pages, 1, "still referenced, still counted");
    put_frame(m);
    cr_assert_eq(a->tot_pages, 0);
    cr_assert_not(domain_frame_release(a, m), "free");
    cr_assert_eq(frames_free(), FAKE_RAM);
}

Test(frame, a_reference_needs_the_right_owner_and_a_reference)
{
    struct domain *a = fake_domain(1, 10), *b = fake_domain(2, 10);
    mfn_t m = fake_frame(a);

    cr_assert(get_frame(a, m));
    put_frame(m);
    cr_assert_not(get_frame(b, m));
    cr_assert_not(get_frame(a, MFN(0)), "Parador's");
    cr_assert_not(get_frame(a, MFN(m.v ^ 1)), "free");
    cr_assert_not(get_frame(a, MFN(FAKE_HOLE)));
    cr_assert_not(get_frame(a, MFN(FAKE_DEVICE)));
    cr_assert_not(get_frame(a, MFN(FAKE_MAX_MFN)));
    cr_assert_not(get_frame(a, INVALID_MFN));
    frame_of(m)->word |= FRAME_REF_MASK;
    cr_assert_not(get_frame(a, m), "the count is full");
}

Test(frame, a_stolen_frame_has_no_owner_until_it_is_given)
{
    struct domain *a = fake_domain(1, 10), *b = fake_domain(2, 1);
    mfn_t m = fake_frame(a), n;

    fake_words(m)[0] = SECRET;
    cr_assert(get_frame(a, m));
    cr_assert_not(domain_frame_steal(a, m), "somebody has it");
    put_frame(m);
    cr_assert_not(domain_frame_steal(b, m));
    cr_assert(domain_frame_steal(a, m));
    cr_assert_eq(a->tot_pages, 0);
    cr_assert_not(get_frame(a, m));
    cr_assert(domain_frame_give(b, m));
    cr_assert_eq(fake_words(m)[0], SECRET, "with its contents");
    cr_assert_eq(b->tot_pages, 1);
    cr_assert_eq(fake_word(m), FRAME_ALLOCATED | 1);
    cr_assert(domain_frame_steal(b, m));
    n = fake_frame(b);
    cr_assert_not(domain_frame_give(b, m), "it has its maximum");
    domain_frame_discard(m);
    cr_assert(domain_frame_release(b, n));
    cr_assert_eq(frames_free(), FAKE_RAM);
    cr_assert_eq(check_machine(), 0);
}

Test(frame, transfer)
{
    struct domain *a = fake_domain(1, 10), *b = fake_domain(2, 1);
    mfn_t m = fake_frame(a), full;

    cr_assert_eq(get_frame_type(a, m, FT_WRITABLE), 0);
    cr_assert_eq(domain_frame_move(a, b, m), -EBUSY);
    put_frame_type(m);
    cr_assert_eq(domain_frame_move(b, a, m), -EINVAL);
    cr_assert_eq(domain_frame_move(a, b, MFN(FAKE_MAX_MFN)), -EINVAL);
    fake_flushes = 0;
    cr_assert_eq(domain_frame_move(a, b, m), 0);
    cr_assert_eq(type_of(fake_word(m)), FT_NONE, "a frame that changes its owner loses its type");
    cr_assert_eq(fake_flushes, 1);
    full = fake_frame(a);
    cr_assert_eq(domain_frame_move(a, b, full), -ENOMEM);
    cr_assert(get_frame(a, full), "it stays");
    put_frame(full);
    cr_assert_eq(check_machine(), 0);
}

Test(frame, shared_pages_are_writable_for_good)
{
    struct domain *d = fake_domain(1, 10);
    uint64_t *page = shared_page_alloc(d);
    mfn_t m = virt_to_mfn(page);

    cr_assert_eq(d->tot_pages, 0);
    cr_assert_eq(d->shared_pages, 1);
    cr_assert(shared_page_idle(page));
    cr_assert_eq(get_frame_type(d, m, FT_WRITABLE), 0, "the guest maps it");
    cr_assert_not(shared_page_idle(page));
    cr_assert_eq(get_frame_type(d, m, FT_L1), -EINVAL, "and can't make it a table");
    cr_assert_eq(get_frame_type(d, m, FT_DESC), -EINVAL);
    cr_assert_not(domain_frame_release(d, m), "nor give it back");
    cr_assert_not(domain_frame_steal(d, m), "nor transfer it");
    cr_assert_eq(frame_of(m)->owner, owner_of(d));
    put_frame_type(m);
    cr_assert_not(domain_frame_steal(d, m));
    cr_assert_eq(get_frame_type(d, m, FT_WRITABLE), 0);
    shared_page_free(page);
    cr_assert_eq(frames_free(), FAKE_RAM - 1, "not before the last mapping is gone");
    put_frame_type(m);
    cr_assert_eq(frames_free(), FAKE_RAM);
    cr_assert_eq(d->shared_pages, 0);
}

Test(frame, the_machine_to_physical_table)
{
    struct domain *d = fake_domain(1, 10);
    mfn_t m = fake_frame(d);

    m2p_set(m, PFN(77));
    cr_assert_eq(m2p_table[m.v], 77);
    m2p_set(MFN(FAKE_HOLE), PFN(1));
    m2p_set(INVALID_MFN, PFN(1));
    cr_assert(domain_frame_release(d, m));
    cr_assert_eq(m2p_table[m.v], INVALID_PFN.v, "a free frame has no pfn");
}

Test(frame, the_end_of_a_domain_comes_in_steps)
{
    struct domain *d = fake_domain(1, 1000);
    unsigned int steps = 0;

    for (unsigned int i = 0; i < 1000; i++)
        (void)fake_frame(d);
    fake_preempt_every = 0;
    d->dying = DYING;
    while (paging_relinquish(d))
        steps++;
    while (domain_frames_relinquish(d))
        steps++;
    cr_assert(steps > 50 && steps < 1000, "%u steps", steps);
    cr_assert_eq(d->tot_pages, 0);
    cr_assert_eq(frames_free(), FAKE_RAM);
}

Test(frame, what_others_map_stays_until_the_last_unmap)
{
    struct domain *d = fake_domain(1, 10);
    mfn_t m = fake_frame(d);

    (void)fake_frame(d);
    cr_assert_eq(get_frame_type(d, m, FT_WRITABLE), 0); /* a grant that domain 0 maps */
    cr_assert_not(fake_domain_end(d));
    cr_assert_eq(d->tot_pages, 1);
    cr_assert_eq(frame_of(m)->owner, owner_of(d), "a reference implies an owner");
    put_frame_type(m);
    cr_assert_eq(d->tot_pages, 0);
    cr_assert_eq(frames_free(), FAKE_RAM);
}

/* What another CPU does meanwhile (fake_meanwhile). */
static struct domain *theirs;
static mfn_t aim;
static unsigned int tries;

static void release_it(void)
{
    tries++;
    (void)!domain_frame_release(theirs, aim);
}

Test(frame, no_guess_gives_back_a_frame_that_is_just_being_given)
{
    theirs = fake_domain(1, 10);
    aim = fake_frame(theirs);
    cr_assert(domain_frame_release(theirs, aim));
    fake_meanwhile = release_it;
    cr_assert_eq(domain_frames_alloc(theirs, 0).v, aim.v, "the guess is right");
    fake_meanwhile = NULL;
    cr_assert_gt(tries, 2);
    cr_assert_eq(theirs->tot_pages, 1);
    cr_assert_eq(check_machine(), 0);
    cr_assert(fake_domain_end(theirs));
}

static void scrub(void)
{
    if (++tries != 3) /* off the heap's lists, and not yet handed out */
        return;
    while (frames_scrub_step())
        ;
}

Test(frame, idle_time_zeroes_no_frame_that_is_just_being_given)
{
    mfn_t m[4];

    theirs = fake_domain(1, 10);
    for (unsigned int i = 0; i < 4; i++)
        m[i] = fake_frame(theirs);
    for (unsigned int i = 0; i < 4; i++)
        cr_assert(domain_frame_release(theirs, m[i]));
    fake_meanwhile = scrub;
    m[0] = domain_frames_alloc(theirs, 1);
    fake_meanwhile = NULL;
    cr_assert_gt(tries, 3);
    cr_assert_eq(check_machine(), 0, "what is dirty was counted right");
    cr_assert(domain_frame_release(theirs, m[0]));
    cr_assert(domain_frame_release(theirs, MFN(m[0].v + 1)));
    cr_assert(fake_domain_end(theirs));
    cr_assert_eq(check_machine(), 0);
}

static void unmap_it(void)
{
    if (!tries++)
        put_frame(aim);
}

/* A domain with frames, of which one is granted: the next that its end looks at, and given back already. */
static void grant_one(bool first)
{
    theirs = fake_domain(1, 10);
    aim = fake_frame(theirs);
    for (unsigned int i = 0; i < 3; i++) {
        mfn_t m = fake_frame(theirs);

        if (!first)
            aim = m;
    }
    cr_assert(get_frame(theirs, aim), "domain 0 maps it");
    cr_assert(domain_frame_release(theirs, aim));
    tries = 0;
}

Test(frame, the_last_unmap_may_come_at_any_time_of_a_domains_end)
{
    grant_one(false);
    fake_meanwhile = unmap_it;
    cr_assert(fake_domain_end(theirs));
    fake_meanwhile = NULL;
    cr_assert_eq(frames_free(), FAKE_RAM);
    cr_assert_eq(check_machine(), 0);
}

Test(frame, the_last_unmap_may_come_while_a_dead_domains_frames_go)
{
    grant_one(true);
    theirs->dying = DYING;
    cr_assert_eq(paging_relinquish(theirs), 0);
    cr_assert_eq(theirs->done_list, aim.v);
    fake_meanwhile = unmap_it;
    cr_assert_eq(domain_frames_relinquish(theirs), 0);
    fake_meanwhile = NULL;
    cr_assert_eq(theirs->tot_pages, 0);
    cr_assert_eq(check_machine(), 0);
}

static void kill_it(void)
{
    if (++tries == 3) /* after it was asked whether it lives */
        theirs->dying = DYING;
}

Test(frame, a_domain_that_begins_to_end_gets_no_frame_any_more)
{
    theirs = fake_domain(1, 10);
    aim = fake_frame(theirs);
    cr_assert(domain_frame_release(theirs, aim));
    fake_meanwhile = kill_it;
    cr_assert_eq(domain_frames_alloc(theirs, 0).v, INVALID_MFN.v);
    fake_meanwhile = NULL;
    cr_assert_eq(theirs->tot_pages, 0);
    cr_assert_eq(frames_free(), FAKE_RAM);
    cr_assert_eq(check_machine(), 0);
}
