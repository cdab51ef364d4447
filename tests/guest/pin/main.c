/* SPDX-License-Identifier: MIT
 *
 * mmuext_op: pinning and unpinning tables of all levels, switching to them, clearing and copying pages,
 * flushes, and every refusal. A table is pinned only when everything below it is valid, and then nobody can
 * write to it. xen.h; docs/safety.md XSA-148, 167, 185.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("pin");
ROLE(dom0, domU);

static void one_table(void)
{
    uint64_t *l1 = test_page(), *data = test_page();

    l1[5] = test_pte(data, PTE_KERNEL);
    expect_eq(test_pin(1, l1), -EINVAL); /* the page is mapped writable */
    test_readonly(l1, true);
    expect_eq(test_pin(1, l1), 0);
    expect_eq(pv_pte_mfn(l1[5]).v, pv_virt_to_mfn(data).v);
    expect_eq(test_pin(1, l1), -EINVAL); /* twice */
    expect_eq(test_pin(2, l1), -EINVAL); /* as another level */
    if (!pv_is_dom0()) /* stock Xen carries out domain 0's writes to L1 tables always, others' only with
                          vm_assist */
        expect_fault(PF, 3, *(volatile uint64_t *)l1 = 0);
    expect_eq(pv_set_readonly(l1, false), -EBUSY);
    expect_eq(pv_set_readonly(data, true), 0); /* data is mapped by l1 too */
    expect_eq(test_pin(1, data), -EINVAL);
    expect_eq(test_unpin(l1), 0);
    expect_eq(test_unpin(l1), -EINVAL);
    expect_eq(pv_set_readonly(l1, false), 0);
    expect_eq(test_pin(1, data), 0);
    expect_eq(test_unpin(data), 0);
}

/* What an entry of a table must not be. */
static void bad_contents(void)
{
    uint64_t *l1 = test_table_page(), *table = test_page(), *data = test_page();

    require(!test_pin(1, l1), "an L1");
    table[511] = test_pte(l1, PTE_KERNEL); /* a page table, writable */
    test_readonly(table, true);
    expect_eq(test_pin(1, table), -EBUSY);
    test_readonly(table, false);
    table[511] = test_pte(table, PTE_KERNEL); /* itself */
    test_readonly(table, true);
    expect_eq(test_pin(1, table), -EBUSY);
    test_readonly(table, false);
    table[511] = pv_pte(mfn(test_foreign_mfn()), PTE_KERNEL_RO);
    test_readonly(table, true);
    expect_eq(test_pin(1, table), -EBUSY);
    test_readonly(table, false);
    table[511] = 1UL << 51 | PTE_KERNEL;
    test_readonly(table, true);
    expect_eq(test_pin(1, table), -EPERM);
    test_readonly(table, false);

    table[511] = test_pte(l1, PTE_TABLE | PTE_PSE); /* a large page */
    test_readonly(table, true);
    expect_eq(test_pin(2, table), -EINVAL);
    test_readonly(table, false);
    table[511] = test_pte(data, PTE_TABLE); /* a page that is mapped writable */
    test_readonly(table, true);
    expect_eq(test_pin(2, table), -EINVAL);
    test_readonly(table, false);
    table[511] = test_pte(l1, PTE_TABLE);
    test_readonly(table, true);
    expect_eq(test_pin(2, table), 0);
    expect_eq(test_unpin(table), 0);
    expect_eq(test_pin(3, table), -EINVAL); /* an L1 isn't an L2 */
    expect_eq(test_unpin(l1), 0);
}

/* An L4 of the kernel's own tables and nothing else, as a process would have. */
static uint64_t *make_l4(void)
{
    uint64_t *l4 = test_page();

    for (unsigned int i = 0; i < 512; i++)
        l4[i] = i >= 256 && i < 272 ? 0 : pv_kernel_l4()[i];
    test_readonly(l4, true);
    return l4;
}

static void roots(void)
{
    uint64_t *old = pv_kernel_l4(), *l4 = make_l4(), *page = test_page(), filled = 0;

    expect_eq(test_pin(4, l4), 0);
    for (unsigned int i = 256; i < 272; i++)
        filled += l4[i] & PTE_P;
    check(filled, "the hypervisor's slots were filled in");
    expect_eq(test_mmuext(MMUEXT_NEW_BASEPTR, l4), 0);
    page[0] = 1; /* still running */
    expect_eq(test_unpin(old), 0);
    expect_eq(test_mmuext(MMUEXT_NEW_BASEPTR, old), 0); /* validated again by its use */
    expect_eq(test_pin(4, old), 0);
    expect_eq(test_mmuext(MMUEXT_NEW_USER_BASEPTR, l4), 0);
    expect_eq(test_unpin(l4), 0);
    expect_eq(pv_set_readonly(l4, false), -EBUSY); /* still the user's table */
    expect_eq(test_mmuext_mfn(MMUEXT_NEW_USER_BASEPTR, 0), 0);
    expect_eq(pv_set_readonly(l4, false), 0);
    expect_eq(test_mmuext(MMUEXT_NEW_BASEPTR, page), -EINVAL);
    expect_eq(test_mmuext(MMUEXT_NEW_USER_BASEPTR, page), -EINVAL);
    expect_eq(test_mmuext_mfn(MMUEXT_NEW_BASEPTR, test_foreign_mfn()), -EINVAL);
    expect_eq(test_mmuext_mfn(MMUEXT_NEW_BASEPTR, 1UL << 40), -EINVAL);
    expect_eq(test_mmuext_mfn(MMUEXT_PIN_L4_TABLE, 1UL << 40), -EINVAL);
    expect_eq(test_mmuext_mfn(MMUEXT_PIN_L1_TABLE, test_foreign_mfn()), -EINVAL);
    expect_eq(test_mmuext_mfn(MMUEXT_UNPIN_TABLE, test_foreign_mfn()), -EINVAL);
}

static void pages(void)
{
    uint64_t *a = test_page(), *b = test_page(), *l1 = test_table_page();
    struct mmuext_op op = { .cmd = MMUEXT_COPY_PAGE };

    memset(a, 0x5a, PAGE_SIZE);
    op.arg1.mfn = pv_virt_to_mfn(b).v;
    op.arg2.src_mfn = pv_virt_to_mfn(a).v;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
    expect_eq(memcmp(a, b, PAGE_SIZE), 0);
    expect_eq(test_mmuext(MMUEXT_CLEAR_PAGE, a), 0);
    check(!a[0] && !a[511], "cleared");
    require(!test_pin(1, l1), "an L1");
    expect_eq(test_mmuext(MMUEXT_CLEAR_PAGE, l1), -EINVAL);
    op.arg1.mfn = pv_virt_to_mfn(l1).v;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -EINVAL);
    op.arg1.mfn = pv_virt_to_mfn(b).v;
    op.arg2.src_mfn = test_foreign_mfn();
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -EINVAL);
    expect_eq(test_mmuext_mfn(MMUEXT_CLEAR_PAGE, test_foreign_mfn()), -EINVAL);
    expect_eq(test_unpin(l1), 0);
}

static void flushes(void)
{
    static const unsigned char plain[] = { MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_TLB_FLUSH_ALL, MMUEXT_INVLPG_LOCAL,
                                           MMUEXT_INVLPG_ALL };
    unsigned long vcpus = 1;
    struct mmuext_op op = { .arg1.linear_addr = (unsigned long)&vcpus };

    for (unsigned int i = 0; i < sizeof(plain); i++) {
        op.cmd = plain[i];
        expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
    }
    set_xen_guest_handle(op.arg2.vcpumask, &vcpus);
    op.cmd = MMUEXT_TLB_FLUSH_MULTI;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
    op.cmd = MMUEXT_INVLPG_MULTI;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
    set_xen_guest_handle(op.arg2.vcpumask, (void *)NOWHERE);
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -EINVAL);
    op.cmd = MMUEXT_FLUSH_CACHE;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), pv_is_dom0() ? 0 : -EACCES);
    op.cmd = MMUEXT_FLUSH_CACHE_GLOBAL;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), pv_is_dom0() ? 0 : -EINVAL);
    op.cmd = MMUEXT_MARK_SUPER;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -EOPNOTSUPP);
    op.cmd = 14;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -ENOSYS);
    op.cmd = 99;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -ENOSYS);
}

static void batches(void)
{
    struct mmuext_op op[3] = { { .cmd = MMUEXT_TLB_FLUSH_LOCAL },
                               { .cmd = 99 },
                               { .cmd = MMUEXT_TLB_FLUSH_LOCAL } };
    unsigned int done = 77;

    expect_eq(HYPERVISOR_mmuext_op(op, 3, &done, DOMID_SELF), -ENOSYS);
    expect_eq(done, 1);
    expect_eq(HYPERVISOR_mmuext_op(op, 1, &done, DOMID_SELF), 0);
    expect_eq(done, 1);
    expect_eq(HYPERVISOR_mmuext_op(op, 0, &done, DOMID_SELF), 0);
    expect_eq(done, 0);
    expect_eq(HYPERVISOR_mmuext_op((void *)NOWHERE, 1, &done, DOMID_SELF), -EFAULT);
    expect_eq(HYPERVISOR_mmuext_op(op, 1, &done, 77), -ESRCH);
}

void test_main(void)
{
    one_table();
    bad_contents();
    roots();
    pages();
    flushes();
    batches();
}
