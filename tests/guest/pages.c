/* SPDX-License-Identifier: MIT
 *
 * Short forms for the tests of page tables: pages.h.
 */
#include "tests/guest/pages.h"

uint64_t *test_page(void)
{
    void *page = pv_page_alloc();

    require(page, "a page");
    return page;
}

void test_readonly(void *page, bool readonly)
{
    require(!pv_set_readonly(page, readonly), "protect %p", page);
}

uint64_t *test_table_page(void)
{
    uint64_t *page = test_page();

    test_readonly(page, true);
    return page;
}

long test_mmuext_mfn(unsigned int cmd, unsigned long frame)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = frame };

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

long test_mmuext(unsigned int cmd, const void *page)
{
    return test_mmuext_mfn(cmd, pv_virt_to_mfn(page).v);
}

long test_update(unsigned int cmd, const uint64_t *entry, uint64_t val)
{
    struct mmu_update u = { .ptr = pv_virt_to_maddr(entry).v | cmd, .val = val };

    return HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF);
}

unsigned long test_give_back(void)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    uint64_t *page = test_page();
    xen_pfn_t frame = pv_virt_to_mfn(page).v;

    require(!pv_map((unsigned long)page, 0), "unmap a page");
    set_xen_guest_handle(r.extent_start, &frame);
    require(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) == 1, "give a page back");
    return frame;
}

/* One that was given back: the hypervisor's now. */
unsigned long test_foreign_mfn(void)
{
    static unsigned long given;

    if (!given)
        given = test_give_back();
    return given;
}
