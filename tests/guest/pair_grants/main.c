/* SPDX-License-Identifier: MIT
 *
 * Grants between two domains: a offers, b maps, copies and transfers; what isn't offered stays closed; a
 * frame in use can't be taken back. xen/grant_table.h; docs/safety.md "Grants" (XSA-214, 224, 396).
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pair.h"

TEST("pair_grants");
ROLE(pair);

enum { RW = 21, RO, OTHERS, SMALL, TRANSFER };

static uint64_t *offered, *readonly;

static void offers(void)
{
    offered = test_page();
    readonly = test_page();
    memset(offered, 0x11, PAGE_SIZE);
    memset(readonly, 0x22, PAGE_SIZE);
    pv_grant_set(RW, pair.peer, pv_virt_to_mfn(offered), false);
    pv_grant_set(RO, pair.peer, pv_virt_to_mfn(readonly), true);
    pv_grant_set(OTHERS, 0, pv_virt_to_mfn(readonly), false);
}

static grant_handle_t handle;
static volatile uint64_t *window;

static void b_maps(void)
{
    grant_handle_t h;
    void *spare = pv_vaddr_reserve(1);

    window = pv_vaddr_reserve(1);
    expect_eq(pv_grant_map(pair.peer, RW, (void *)window, false, &handle), GNTST_okay);
    expect_eq(window[0], 0x1111111111111111UL);
    window[1] = 0xb;
    expect_fault(GP, 0, *(volatile char *)(1UL << 47)); /* and nothing else has changed */
    check(pv_grant_map(pair.peer, RO, spare, false, &h) != GNTST_okay, "a read-only offer, mapped writable");
    expect_eq(pv_grant_map(pair.peer, RO, spare, true, &h), GNTST_okay);
    expect_eq(*(volatile uint64_t *)spare, 0x2222222222222222UL);
    expect_fault(PF, 3, *(volatile uint64_t *)spare = 1);
    check(pv_map((unsigned long)spare, pv_pte(pv_pte_mfn(*pv_walk((unsigned long)spare)), PTE_KERNEL)) < 0,
          "made writable by update_va_mapping");
    expect_eq(pv_grant_unmap(h, spare), GNTST_okay);
    check(pv_grant_map(pair.peer, OTHERS, spare, true, &h) != GNTST_okay, "another domain's grant");
    check(pv_grant_map(pair.peer, 100, spare, true, &h) != GNTST_okay, "an empty entry");
}

static int16_t copy(struct gnttab_copy c)
{
    static struct gnttab_copy one;

    one = c;
    require(!pv_grant_copy(&one, 1), "grant copy");
    return one.status;
}

static void b_copies(void)
{
    uint64_t *mine = test_page();
    struct gnttab_copy c = { .source.u.ref = RO,
                             .source.domid = pair.peer,
                             .dest.u.gmfn = pv_virt_to_mfn(mine).v,
                             .dest.domid = DOMID_SELF,
                             .len = 64,
                             .flags = GNTCOPY_source_gref };

    expect_eq(copy(c), GNTST_okay);
    expect_eq(mine[7], 0x2222222222222222UL);
    expect_eq(mine[8], 0);
    c.source.u.ref = OTHERS;
    check(copy(c) != GNTST_okay, "from another domain's grant");
    c = (struct gnttab_copy){ .source.u.gmfn = pv_virt_to_mfn(mine).v,
                              .source.domid = DOMID_SELF,
                              .dest.u.ref = RW,
                              .dest.domid = pair.peer,
                              .dest.offset = 128,
                              .len = 8,
                              .flags = GNTCOPY_dest_gref };
    expect_eq(copy(c), GNTST_okay);
    c.dest.u.ref = RO;
    check(copy(c) != GNTST_okay, "into a read-only grant");
    c.flags = 0;
    c.dest.u.gmfn = pair.page->words[0]; /* a's frame, by its number */
    check(copy(c) != GNTST_okay, "into a frame that wasn't granted");
}

/* b gives a frame away: its content goes with it, and b has it no more. */
static void b_transfers(void)
{
    uint64_t *gift = test_page(), *lost = test_page();
    struct gnttab_transfer t = { .mfn = pv_virt_to_mfn(gift).v, .domid = pair.peer, .ref = TRANSFER };
    gift[5] = 0x5555;
    require(!pv_map((unsigned long)gift, 0) && !pv_map((unsigned long)lost, 0), "unmap");
    t.mfn = pv_virt_to_mfn(lost).v; /* who sends a frame where it isn't wanted loses it */
    t.ref = RW;
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_transfer, &t, 1), 0);
    check(t.status != GNTST_okay, "a transfer that nobody asked for");
    t.ref = TRANSFER;
    t.mfn = test_foreign_mfn();
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_transfer, &t, 1), 0);
    check(t.status != GNTST_okay, "a transfer of a frame that isn't ours");
    t.mfn = pv_virt_to_mfn(gift).v;
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_transfer, &t, 1), 0);
    expect_eq(t.status, GNTST_okay);
    check(pv_map((unsigned long)gift, test_pte(gift, PTE_KERNEL)) < 0, "it is a's now");
}

static void a_takes(unsigned long room)
{
    uint64_t *va = pv_vaddr_reserve(1);
    struct grant_entry_v1 *table;
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
    xen_pfn_t frame = 0;

    set_xen_guest_handle(s.frame_list, &frame);
    require(!HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &s, 1) && !s.status, "the table");
    table = pv_vaddr_reserve(1);
    require(!pv_map((unsigned long)table, pv_pte(mfn(frame), PTE_KERNEL)), "map it");
    table[TRANSFER].domid = pair.peer;
    table[TRANSFER].frame = (uint32_t)room;
    __atomic_store_n(&table[TRANSFER].flags, GTF_accept_transfer, __ATOMIC_RELEASE);
    pair_sync();
    pair_sync(); /* b has transferred */
    expect_eq(table[TRANSFER].flags, GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    expect_eq(pv_map((unsigned long)va, pv_pte(mfn(table[TRANSFER].frame), PTE_KERNEL)), 0);
    expect_eq(va[5], 0x5555);
}

/* A page of address space without a frame, for a frame to come: a domain may not have more than its
 * allowance. */
static unsigned long make_room(void)
{
    uint64_t *page = test_page();
    xen_pfn_t frame = pv_virt_to_mfn(page).v;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    require(!pv_map((unsigned long)page, 0), "unmap");
    set_xen_guest_handle(r.extent_start, &frame);
    require(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) == 1, "give a frame back");
    return pv_virt_to_pfn(page).v;
}

void test_main(void)
{
    pair_init();
    if (pair.is_a) {
        offers();
        pair.page->words[0] = pv_virt_to_mfn(readonly).v;
        pair_sync();
        pair_sync(); /* b has mapped */
        expect_eq(offered[1], 0xb);
        check(!pv_grant_revoke(RW), "a frame in use isn't taken back");
        pair_sync();
        pair_sync(); /* b has unmapped */
        check(pv_grant_revoke(RW), "taken back");
        expect_eq(offered[16], 0x2222222222222222UL);
        expect_eq(readonly[0], 0x2222222222222222UL);
        pair_sync();
        a_takes(make_room());
    } else {
        grant_handle_t h;

        pair_sync();
        b_maps();
        pair_sync();
        pair_sync();
        b_copies();
        expect_eq(pv_grant_unmap(handle, (void *)window), GNTST_okay);
        expect_fault(PF, 0, window[0]);
        pair_sync();
        pair_sync();
        check(pv_grant_map(pair.peer, RW, (void *)window, false, &h) != GNTST_okay,
              "after it was taken back");
        pair_sync();
        b_transfers();
        pair_sync();
    }
    pair_sync();
}
