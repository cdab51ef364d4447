/* SPDX-License-Identifier: MIT
 *
 * Grant tables as wholes, and what needs no mapping: copies, transfers, swapped entries, a table's growth,
 * and the ends of granter and user.
 */
// sources: hypervisor/domain/grant.c hypervisor/domain/grant_map.c hypervisor/domain/grant_copy.c
// sources: hypervisor/domain/grant_transfer.c tests/host/fake_hv.c hypervisor/mm/heap.c
// sources: hypervisor/mm/domain_frames.c hypervisor/mm/page_type.c
// sources: hypervisor/mm/pv_direct.c hypervisor/mm/grant_map.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
// sources: tests/host/grant_domains.c
#include <criterion/criterion.h>
#include <string.h>
#include "tests/host/grant_domains.h"

TestSuite(grant_table, .init = grants_begin, .fini = grants_end);

static int copy(uint64_t from, bool from_grant, uint64_t to, bool to_grant, unsigned int at, unsigned int len)
{
    struct gnttab_copy op = { .len = (uint16_t)len };

    op.source.u.gmfn = from;
    op.source.domid = from_grant ? g->domid : DOMID_SELF;
    op.dest.u.gmfn = to;
    op.dest.domid = to_grant ? g->domid : DOMID_SELF;
    op.dest.offset = (uint16_t)at;
    op.flags = (uint16_t)((from_grant ? GNTCOPY_source_gref : 0) | (to_grant ? GNTCOPY_dest_gref : 0));
    return fake_grant_copy(u->vcpu[0], &op);
}

Test(grant_table, copies)
{
    mfn_t mine = fake_frame(u), second = fake_frame(g);

    offer(5, u, frame, GTF_permit_access | GTF_readonly);
    offer(6, u, second, GTF_permit_access);
    memset(fake_words(frame), 0x5a, PAGE_SIZE);
    cr_assert_eq(copy(5, true, mine.v, false, 16, 32), 0);
    cr_assert_eq(fake_words(mine)[1], 0);
    cr_assert_eq(fake_words(mine)[2], 0x5a5a5a5a5a5a5a5aUL);
    cr_assert_eq(fake_words(mine)[5], 0x5a5a5a5a5a5a5a5aUL);
    cr_assert_eq(fake_words(mine)[6], 0);
    cr_assert_eq(copy(5, true, 6, true, 0, PAGE_SIZE), 0, "from one grant to another");
    cr_assert_eq(fake_words(second)[511], 0x5a5a5a5a5a5a5a5aUL);
    cr_assert_eq(copy(mine.v, false, 5, true, 0, 8), GNTST_general_error, "it is read-only");
    cr_assert_eq(copy(5, true, mine.v, false, 4095, 2), GNTST_bad_copy_arg);
    cr_assert_eq(copy(5, true, mine.v, false, 65535, 65535), GNTST_bad_copy_arg);
    cr_assert_eq(copy(5, true, frame.v, false, 0, 8), GNTST_bad_page, "by number only one's own");
    cr_assert_eq(copy(5, true, l1.v, false, 0, 8), GNTST_general_error, "not into a page table");
    cr_assert_eq(copy(7, true, mine.v, false, 0, 8), GNTST_general_error);
    cr_assert_eq(copy(5, true, ~0ULL, false, 0, 8), GNTST_bad_page);
    cr_assert_eq(flags_of(5), GTF_permit_access | GTF_readonly);
    cr_assert_eq(flags_of(6), GTF_permit_access);
    cr_assert_eq(g->grant->nr_active, 0);
    cr_assert_eq(g->refs, other->refs);
}

Test(grant_table, transfers)
{
    mfn_t gift = fake_frame(u), mapped = fake_frame(u);
    struct gnttab_transfer op = { .mfn = gift.v, .domid = g->domid, .ref = 5 };

    fake_words(gift)[9] = 4711;
    cr_assert_eq(grant_transfer(u, &op), GNTST_general_error, "nobody asked");
    offer(5, other, MFN(0), GTF_accept_transfer);
    cr_assert_eq(grant_transfer(u, &op), GNTST_general_error, "it is for another");
    offer(5, u, MFN(0), GTF_accept_transfer);
    op.mfn = frame.v;
    cr_assert_eq(grant_transfer(u, &op), GNTST_bad_page, "not the caller's");
    op.mfn = ~0ULL;
    cr_assert_eq(grant_transfer(u, &op), GNTST_bad_page);
    cr_assert_eq(pv_direct.write_entry(u, u, entry_addr(2), fake_entry(mapped, E_RW), false), 0);
    op.mfn = mapped.v;
    cr_assert_eq(grant_transfer(u, &op), GNTST_bad_page, "still mapped");
    cr_assert_eq(flags_of(5), GTF_accept_transfer);
    op.mfn = gift.v;
    g->max_pages = g->tot_pages;
    cr_assert_eq(grant_transfer(u, &op), GNTST_general_error, "no room there");
    cr_assert_eq(flags_of(5), GTF_accept_transfer);
    g->max_pages++;
    cr_assert_eq(grant_transfer(u, &op), GNTST_okay);
    cr_assert_eq(flags_of(5), GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    cr_assert_eq(grant_shared(g->grant, 5)->frame, gift.v);
    cr_assert_eq(frame_of(gift)->owner, owner_of(g));
    cr_assert_eq(fake_words(gift)[9], 4711);
    cr_assert_eq(grant_transfer(u, &op), GNTST_bad_page, "it is gone");
}

Test(grant_table, swapped_entries)
{
    uint32_t h;

    offer(5, u, frame, GTF_permit_access);
    cr_assert_eq(grant_swap(g, 5, 6), GNTST_okay);
    cr_assert_eq(flags_of(5), 0);
    cr_assert_eq(map(6, 0, 0, &h), 0);
    cr_assert_eq(grant_swap(g, 5, 6), GNTST_eagain);
    cr_assert_eq(grant_swap(g, 6, 512), GNTST_bad_gntref);
    cr_assert_eq(grant_swap(g, 6, 6), GNTST_okay);
    cr_assert_eq(unmap(h, 0), 0);
}

Test(grant_table, the_table_grows_to_its_limit)
{
    uint32_t nr, max, h;

    grant_size(g, &nr, &max);
    cr_assert_eq(nr, 1);
    cr_assert_eq(grant_setup(g, max + 1), GNTST_general_error);
    cr_assert_eq(grant_setup(g, 3), GNTST_okay);
    cr_assert_eq(grant_setup(g, 2), GNTST_okay);
    grant_size(g, &nr, &max);
    cr_assert_eq(nr, 3);
    offer(3 * 512 - 1, u, frame, GTF_permit_access);
    cr_assert_eq(map(3 * 512 - 1, 0, 0, &h), 0);
    cr_assert_eq(unmap(h, 0), 0);
    cr_assert_eq(map(3 * 512, 0, 0, &h), GNTST_bad_gntref);
}

/* All free frames; kept by links in the pages themselves. */
static void **take_all(void)
{
    void **last = NULL, **page;

    while ((page = page_alloc())) {
        *page = last;
        last = page;
    }
    return last;
}

static void **give_one(void **last)
{
    void **next = *last;

    page_free(last);
    return next;
}

Test(grant_table, no_memory_for_a_larger_table)
{
    void **pages = take_all();
    uint32_t nr, max, h;

    cr_assert_eq(frames_free(), 0);
    for (unsigned int given = 0; given < 2; given++) { /* the second time for one of its two parts */
        fake_rule = R_NONE;
        cr_assert_eq(grant_setup(g, 2), GNTST_general_error);
        cr_assert_eq(fake_rule, R_GRANT_NO_MEMORY);
        cr_assert_eq(frames_free(), given, "what it got goes back");
        grant_size(g, &nr, &max);
        cr_assert_eq(nr, 1);
        pages = give_one(pages);
    }
    while (pages)
        pages = give_one(pages);
    offer(511, u, frame, GTF_permit_access);
    cr_assert_eq(map(511, 0, 0, &h), 0);
    cr_assert_eq(grant_setup(g, 2), GNTST_okay);
    cr_assert_eq(unmap(h, 0), 0);
}

Test(grant_table, the_users_end_gives_all_back)
{
    uint32_t h[300];

    for (unsigned int i = 0; i < 300; i++) {
        offer(5 + i, u, frame, GTF_permit_access);
        cr_assert_eq(map(5 + i, i, i % 3 ? 0 : GNTMAP_device_map | GNTMAP_readonly, &h[i]), 0);
    }
    relinquish(u);
    cr_assert_eq(g->grant->nr_active, 0);
    for (unsigned int i = 0; i < 300; i++)
        cr_assert_eq(flags_of(5 + i), GTF_permit_access);
    cr_assert_eq(fake_uses(frame), 0);
    cr_assert_eq(fake_refs(frame), 1);
}

Test(grant_table, the_granters_end_waits_for_the_last_unmap)
{
    uint32_t h, k;

    offer(5, u, frame, GTF_permit_access);
    fake_words(frame)[0] = 99;
    cr_assert_eq(map(5, 0, 0, &h), 0);
    relinquish(g);
    cr_assert_eq(g->tot_pages, 1);
    cr_assert(!grant_idle(g));
    cr_assert_eq(fake_words(frame)[0], 99);
    cr_assert_eq(check_machine(), 0);
    cr_assert_eq(map(5, 1, 0, &k), GNTST_general_error);
    cr_assert_eq(fake_rule, R_GRANT_DYING);
    cr_assert_eq(unmap(h, 0), 0);
    cr_assert_eq(g->tot_pages, 0);
    cr_assert(grant_idle(g));
}
