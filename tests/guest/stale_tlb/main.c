/* SPDX-License-Identifier: MIT
 *
 * A guest that doesn't flush: a writable translation is still cached when the frame becomes a table, or a
 * table's entry went away above it. The write through it must not reach the frame in its new role.
 * docs/safety.md XSA-217, 241, 286, 401, 408.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("stale_tlb");
ROLE(dom0, domU);

/* Writes through the old translation; what is in the frame must stay. */
static void attack(volatile uint64_t *through, const uint64_t *frame, const char *what)
{
    uint64_t before = frame[9];
    long vector = FAULT(through[9] = 0xbadbad);

    check(frame[9] == before, "%s: the frame was changed to %lx (vector %ld)", what, frame[9], vector);
    check(vector == PF, "%s: vector %ld", what, vector);
}

static void by_l1_entry(void)
{
    volatile uint64_t *window = pv_vaddr_reserve(1);
    uint64_t *page = test_table_page();

    require(!pv_map((unsigned long)window, test_pte(page, PTE_KERNEL)), "map");
    window[9] = 0;
    require(!HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_NONE), "unmap, without a flush");
    require(!test_pin(1, page), "becomes an L1");
    attack(window, page, "L1 entry cleared");
    expect_eq(test_unpin(page), 0);

    require(!pv_map((unsigned long)window, test_pte(page, PTE_KERNEL)), "map again");
    window[9] = 0;
    require(!HYPERVISOR_update_va_mapping((unsigned long)window, test_pte(page, PTE_KERNEL_RO), UVMF_NONE),
            "read-only");
    require(!test_pin(2, page), "becomes an L2");
    attack(window, page, "L1 entry made read-only");
    expect_eq(test_unpin(page), 0);
}

/* The whole L1 is taken out of its L2. */
static void by_l2_entry(void)
{
    volatile uint64_t *window = (void *)0xffffffffffe00000UL;
    uint64_t *page = test_table_page(), *l2;

    require(!pv_make_tables((unsigned long)window, PAGE_SIZE), "tables");
    require(!pv_map((unsigned long)window, test_pte(page, PTE_KERNEL)), "map");
    l2 = pv_walk_level((unsigned long)window, 2);
    uint64_t *l1 = pv_walk((unsigned long)window);
    window[9] = 0;
    require(!test_update(MMU_NORMAL_PT_UPDATE, l2, 0), "take the L1 out");
    require(!pv_set_readonly(l1, false), "it is a page again"); /* and its entries count no more */
    l1[0] = 0;
    require(!test_pin(1, page), "what it mapped becomes a table");
    attack(window, page, "L2 entry cleared");
    expect_eq(test_unpin(page), 0);
}

/* The frame is given back and comes again as another page. */
static void by_reservation(void)
{
    volatile uint64_t *window = pv_vaddr_reserve(1);
    uint64_t *page = test_page();
    xen_pfn_t frame = pv_virt_to_mfn(page).v;
    pfn_t p = pv_virt_to_pfn(page);
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    require(!pv_map((unsigned long)window, test_pte(page, PTE_KERNEL)), "map");
    window[9] = 1;
    require(!pv_map((unsigned long)page, 0), "unmap");
    require(!HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_NONE), "unmap, without a flush");
    set_xen_guest_handle(r.extent_start, &frame);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 1);
    frame = p.v;
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 1);
    pv_set_p2m(p, mfn(frame));
    require(!pv_map((unsigned long)page, pv_pte(mfn(frame), PTE_KERNEL)), "map the new frame");
    attack(window, page, "frame given back");
}

void test_main(void)
{
    by_l1_entry();
    by_l2_entry();
    by_reservation();
}
