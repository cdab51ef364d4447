/* SPDX-License-Identifier: MIT
 *
 * A frame that changes its owner loses all that it was: a gives frames to b by transfer, one that was a table
 * a moment ago, one with a writable translation still cached, one that was in use until then. What is in use
 * does not go; what went is out of a's reach at once, and b's to use as anything. docs/safety.md XSA-214.
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pair.h"

TEST("owner_change");
ROLE(pair);

enum { TABLE, STALE, BUSY, N };

static unsigned long frame[N];

static int transfer(unsigned int i)
{
    struct gnttab_transfer op = { .mfn = frame[i],
                                  .domid = pair.peer,
                                  .ref = (grant_ref_t)pair.page->words[i] };

    require(!HYPERVISOR_grant_table_op(GNTTABOP_transfer, &op, 1), "the call itself");
    return op.status;
}

/* A page without its linear mapping. */
static unsigned long take_out(uint64_t *page)
{
    require(!pv_map((unsigned long)page, 0), "unmap");
    return pv_virt_to_mfn(page).v;
}

static void in_use(volatile uint64_t *window)
{
    require(!test_mmuext_mfn(MMUEXT_PIN_L1_TABLE, frame[BUSY]), "pin");
    check(transfer(BUSY) != GNTST_okay, "a pinned table went");
    require(!test_mmuext_mfn(MMUEXT_UNPIN_TABLE, frame[BUSY]), "unpin");
    require(!pv_map((unsigned long)window, pv_pte(mfn(frame[BUSY]), PTE_KERNEL_RO)), "map");
    check(transfer(BUSY) != GNTST_okay, "a mapped frame went");
    require(!pv_map((unsigned long)window, 0), "unmap");
    expect_eq(transfer(BUSY), GNTST_okay);
}

static void giver(void)
{
    volatile uint64_t *window = pv_vaddr_reserve(1);

    pair_sync(); /* b's references are there */
    for (unsigned int i = 0; i < N; i++) {
        uint64_t *page = test_page();

        page[0] = (uint64_t)pv_virt_to_mfn(page).v << PAGE_SHIFT | 0xa00 | i << 1; /* an entry, not present */
        page[1] = pv_pte(pv_virt_to_mfn(page), PTE_KERNEL_RO);
        frame[i] = take_out(page);
    }
    in_use(window);
    require(!test_mmuext_mfn(MMUEXT_PIN_L1_TABLE, frame[TABLE]), "pin");
    require(!test_mmuext_mfn(MMUEXT_UNPIN_TABLE, frame[TABLE]), "unpin");
    expect_eq(transfer(TABLE), GNTST_okay);
    check(test_mmuext_mfn(MMUEXT_PIN_L1_TABLE, frame[TABLE]) < 0, "pinned after it went");

    require(!pv_map((unsigned long)window, pv_pte(mfn(frame[STALE]), PTE_KERNEL)), "map");
    window[2] = 0xa0;
    require(!HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_NONE), "unmap, without a flush");
    expect_eq(transfer(STALE), GNTST_okay);
    expect_fault(PF, 2, window[2] = 0xbad);
    pair_sync();
    pair_sync();
}

static void taker(void)
{
    int ref[N];
    uint64_t *spare[N];

    for (unsigned int i = 0; i < N; i++) {
        struct xen_memory_reservation res = { .nr_extents = 1, .domid = DOMID_SELF };
        xen_pfn_t n;

        spare[i] = test_page(); /* room for what comes: b has all that it may have */
        n = take_out(spare[i]);
        set_xen_guest_handle(res.extent_start, &n);
        require(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &res) == 1, "give back");
        ref[i] = pv_grant_accept(pair.peer, pv_virt_to_pfn(spare[i]));
        require(ref[i] > 0, "a reference");
        pair.page->words[i] = (uint64_t)ref[i];
    }
    pair_sync();
    pair_sync(); /* all is done */
    for (unsigned int i = 0; i < N; i++) {
        mfn_t m = pv_grant_accepted(ref[i]);

        require(m.v, "frame %u never came", i);
        pv_set_p2m(pv_virt_to_pfn(spare[i]), m);
        expect_eq(pv_map((unsigned long)spare[i], pv_pte(m, PTE_KERNEL)), 0); /* writable: it is no table */
        expect_eq(spare[i][0], (uint64_t)m.v << PAGE_SHIFT | 0xa00 | i << 1);
        expect_eq(spare[i][2], i == STALE ? 0xa0 : 0);
        memset(spare[i], 0, PAGE_SIZE);
        test_readonly(spare[i], true);
        expect_eq(test_pin(2, spare[i]), 0); /* and what a made of it is forgotten */
        expect_eq(test_unpin(spare[i]), 0);
    }
    pair_sync();
}

void test_main(void)
{
    pair_init();
    if (pair.is_a)
        giver();
    else
        taker();
}
