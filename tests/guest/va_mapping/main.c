/* SPDX-License-Identifier: MIT
 *
 * update_va_mapping: one L1 entry by its virtual address, with each way of flushing, and its refusals. xen.h.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("va_mapping");
ROLE(dom0, domU);

static volatile uint64_t *window;

static long map(const void *page, uint64_t flags, unsigned long how)
{
    return HYPERVISOR_update_va_mapping((unsigned long)window, test_pte(page, flags), how);
}

/* Each time the other page must be seen through the window: the old translation is gone. */
static void flushes(void)
{
    unsigned long vcpus = 1;
    unsigned long how[] = {
        UVMF_INVLPG | UVMF_LOCAL,  UVMF_TLB_FLUSH | UVMF_LOCAL,         UVMF_INVLPG | UVMF_ALL,
        UVMF_TLB_FLUSH | UVMF_ALL, UVMF_INVLPG | (unsigned long)&vcpus, UVMF_TLB_FLUSH | (unsigned long)&vcpus
    };
    uint64_t *a = test_page(), *b = test_page();

    a[0] = 'a';
    b[0] = 'b';
    for (unsigned int i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
        expect_eq(map(a, PTE_KERNEL, how[i]), 0);
        expect_eq(window[0], 'a');
        expect_eq(map(b, PTE_KERNEL, how[i]), 0);
        expect_eq(window[0], 'b');
    }
    expect_eq(map(a, PTE_KERNEL_RO, UVMF_INVLPG), 0);
    expect_fault(PF, 3, window[0] = 1);
    expect_eq(HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_INVLPG), 0);
    expect_fault(PF, 0, window[0]);
    expect_eq(test_trap.cr2, (unsigned long)window);
    expect_eq(map(a, PTE_KERNEL, UVMF_NONE), 0); /* not present before: nothing to flush */
    expect_eq(window[0], 'a');
    expect_eq(HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_INVLPG | NOWHERE), -EFAULT);
}

static void refusals(void)
{
    uint64_t *page = test_page(), *l1 = test_table_page();
    static const unsigned long bad[] = { 0xffff800000000000UL, 0xffff820000000000UL, 0xffff87fffffff000UL,
                                         1UL << 47 };

    require(!test_pin(1, l1), "an L1");
    require(!HYPERVISOR_update_va_mapping((unsigned long)window, 0, UVMF_INVLPG), "unmap");
    for (unsigned int i = 0; i < 4; i++)
        expect_eq(HYPERVISOR_update_va_mapping(bad[i], test_pte(page, PTE_KERNEL), UVMF_INVLPG), -EINVAL);
    expect_eq(HYPERVISOR_update_va_mapping(NOWHERE, test_pte(page, PTE_KERNEL), UVMF_INVLPG),
              -EINVAL); /* no L1 there */
    expect_eq(map(l1, PTE_KERNEL, UVMF_INVLPG), -EBUSY);
    expect_eq(map(l1, PTE_KERNEL_RO, UVMF_INVLPG), 0);
    expect_eq(
        HYPERVISOR_update_va_mapping((unsigned long)window, pv_pte(mfn(test_foreign_mfn()), PTE_KERNEL), 0),
        -EBUSY);
    expect_eq(HYPERVISOR_update_va_mapping((unsigned long)window, pv_pte(mfn(1UL << 39), PTE_KERNEL), 0),
              -EPERM);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)window, 0, UVMF_INVLPG, 77), -ESRCH);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)window, test_pte(page, PTE_KERNEL),
                                                       UVMF_INVLPG, DOMID_SELF),
              0);
    expect_eq(test_unpin(l1), 0);
}

/* The page tables of the linear mapping can be unmapped and mapped again like any page. */
static void self(void)
{
    volatile uint64_t *page = (volatile uint64_t *)test_page();

    page[0] = 42;
    expect_eq(pv_map((unsigned long)page, 0), 0);
    expect_fault(PF, 0, page[0]);
    expect_eq(pv_map((unsigned long)page, test_pte((void *)page, PTE_KERNEL)), 0);
    expect_eq(page[0], 42);
}

void test_main(void)
{
    window = pv_vaddr_reserve(1);
    require(window, "address space");
    flushes();
    refusals();
    self();
}
