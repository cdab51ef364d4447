/* SPDX-License-Identifier: MIT
 *
 * mmu_update, mmuext_op and update_va_mapping at the edges of their arguments: counters that can't be
 * written, lists that end in nothing, other domains, LDTs that don't fit. Each number was read off stock
 * Xen 4.17.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("mm_edges");
ROLE(dom0, domU);

#define HV_SPACE 0xffff820000000000UL

static struct mmu_update two[2];

static long updates(const void *list, unsigned int count, void *done, unsigned int dom)
{
    return HYPERVISOR_mmu_update((void *)(unsigned long)list, count, done, dom);
}

static long ext(unsigned int cmd, unsigned long arg1, unsigned int ents, unsigned int dom)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.linear_addr = arg1, .arg2.nr_ents = ents };

    return HYPERVISOR_mmuext_op(&op, 1, NULL, dom);
}

static void counters(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    unsigned int done = 99;

    /* What was done is done: a counter that can't be written changes nothing. */
    expect_eq(updates(two, 1, (void *)NOWHERE, DOMID_SELF), 0);
    expect_eq(updates(two, 1, (void *)HV_SPACE, DOMID_SELF), 0);
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, (unsigned int *)NOWHERE, DOMID_SELF), 0);
    /* A list much longer than what is there: the first two are good, behind them is no request. */
    expect_eq(updates(two, 0x7fffffff, &done, DOMID_SELF), -EINVAL);
    expect_eq(done, 2);
    expect_eq(updates((void *)NOWHERE, 0, NULL, DOMID_SELF), 0);
    expect_eq(updates((void *)HV_SPACE, 0, NULL, DOMID_SELF), -EFAULT);
    expect_eq(HYPERVISOR_mmuext_op(&op, 0, NULL, DOMID_SELF), 0);
}

static void domains(const uint64_t *page)
{
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    unsigned long va = (unsigned long)page, frame = pv_virt_to_mfn(page).v;
    uint64_t val = test_pte(page, PTE_KERNEL);
    long nobody = pv_is_dom0() ? -EINVAL : -EPERM;

    expect_eq(HYPERVISOR_mmuext_op(&op, 0, NULL, 77), -ESRCH);
    expect_eq(updates(two, 0, NULL, 77), -ESRCH);
    expect_eq(updates(two, 1, NULL, pv_domid()), -ESRCH); /* who means itself says DOMID_SELF */
    expect_eq(updates(two, 1, NULL, (pv_domid() + 1U) << 16 | DOMID_SELF), 0);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(va, val, 0, pv_domid()), -ESRCH);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(va, val, 0, DOMID_IO), pv_is_dom0() ? 0 : -EPERM);
    expect_eq(ext(MMUEXT_PIN_L1_TABLE, frame, 0, DOMID_IO), nobody);
    expect_eq(ext(MMUEXT_PIN_L1_TABLE, frame, 0, DOMID_XEN), nobody);
    expect_eq(ext(MMUEXT_UNPIN_TABLE, frame, 0, DOMID_IO), nobody);
    expect_eq(ext(MMUEXT_CLEAR_PAGE, frame, 0, DOMID_IO), nobody);
}

static void local_tables(void)
{
    expect_eq(ext(MMUEXT_SET_LDT, 0x1000, 0, DOMID_SELF), 0);
    expect_eq(ext(MMUEXT_SET_LDT, 0xffff87fffffff000UL, 1024, DOMID_SELF), -EINVAL); /* the hypervisor's */
    expect_eq(ext(MMUEXT_SET_LDT, 0x0ffff7fffffff000UL, 1, DOMID_SELF), -EINVAL);    /* not canonical */
    expect_eq(ext(MMUEXT_SET_LDT, 0x7ffffffff000UL, 8192, DOMID_SELF),
              0); /* only its beginning is looked at */
    expect_eq(ext(MMUEXT_SET_LDT, 0, 0, DOMID_SELF), 0);
}

static void flushes(const uint64_t *page)
{
    unsigned long va = (unsigned long)page;
    uint64_t val = test_pte(page, PTE_KERNEL);

    expect_eq(ext(MMUEXT_INVLPG_LOCAL, HV_SPACE, 0, DOMID_SELF), 0); /* nothing happens */
    expect_eq(ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0, DOMID_SELF), pv_is_dom0() ? 0 : -EINVAL);
    expect_eq(ext(MMUEXT_MARK_SUPER, 0, 0, DOMID_SELF), -EOPNOTSUPP);
    expect_eq(ext(14, 0, 0, DOMID_SELF), -ENOSYS);
    expect_eq(HYPERVISOR_update_va_mapping(va, val, 3), 0); /* no kind of flush */
    expect_eq(HYPERVISOR_update_va_mapping(va, val, UVMF_INVLPG | NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_update_va_mapping(va, val, UVMF_TLB_FLUSH | NOWHERE), -EFAULT);
}

void test_main(void)
{
    uint64_t *page = test_page();

    two[0] = (struct mmu_update){ .ptr = pv_virt_to_maddr(page).v, .val = 1 };
    two[1] = (struct mmu_update){ .ptr = pv_virt_to_maddr(page).v, .val = 2 };
    counters();
    expect_eq(page[0], 2);
    domains(page);
    local_tables();
    flushes(page);
}
