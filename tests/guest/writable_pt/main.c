/* SPDX-License-Identifier: MIT
 *
 * Writes to read-only L1 tables, carried out by the hypervisor once the guest asked for it (vm_assist 2),
 * with the same checks as mmu_update. The forms of instruction are those that kernels use. docs/abi.md 20.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("writable_pt");
ROLE(dom0, domU);

static volatile uint64_t *l1; /* a pinned L1, in use */
static volatile uint64_t *window;

static void flush(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };

    HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void forms(void)
{
    uint64_t *a = test_page(), *b = test_page();
    static uint64_t old;
    static uint64_t got;
    volatile uint64_t *e = &l1[0];

    a[0] = 'a';
    b[0] = 'b';
    expect_no_fault(*e = test_pte(a, PTE_KERNEL)); /* mov */
    expect_eq(pv_pte_mfn(*e).v, pv_virt_to_mfn(a).v);
    flush();
    expect_eq(window[0], 'a');
    expect_no_fault(got = __atomic_exchange_n(e, test_pte(b, PTE_KERNEL), __ATOMIC_SEQ_CST)); /* xchg */
    expect_eq(pv_pte_mfn(got).v, pv_virt_to_mfn(a).v);
    flush();
    expect_eq(window[0], 'b');
    old = *e;
    expect_no_fault(__atomic_compare_exchange_n(e, &old, test_pte(a, PTE_KERNEL), false, __ATOMIC_SEQ_CST,
                                                __ATOMIC_SEQ_CST)); /* lock cmpxchg */
    flush();
    expect_eq(window[0], 'a');
    old = 0x1234;
    expect_no_fault(got = __atomic_compare_exchange_n(e, &old, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    expect_eq(got, 0); /* not equal: nothing written */
    expect_eq(pv_pte_mfn(*e).v, pv_virt_to_mfn(a).v);
    expect_no_fault(__asm__ volatile("lock andb $0xfd, %0" : "+m"(*e) : : "cc")); /* takes RW away */
    expect_eq(*e & PTE_RW, 0);
    flush();
    expect_fault(PF, 3, window[0] = 1);
    expect_no_fault(__asm__ volatile("ds orb $2, %0"
                                     : "+m"(*e)
                                     :
                                     : "cc")); /* the lock prefix patched to 3e */
    flush();
    expect_no_fault(window[0] = 1);
    expect_no_fault(__asm__ volatile("lock andq %1, %0" : "+m"(*e) : "r"(~PTE_RW) : "cc"));
    expect_eq(*e & PTE_RW, 0);
    expect_no_fault(*e = 0);
    flush();
    expect_fault(PF, 0, window[0]);
}

/* What mmu_update refuses is refused here too: the write then is a page fault. */
static void refused(void)
{
    volatile uint64_t *e = &l1[1];

    expect_fault(PF, 3, *e = test_pte((void *)l1, PTE_KERNEL)); /* itself, writable */
    expect_eq(test_trap.cr2, (unsigned long)e);
    expect_fault(PF, 3, *e = pv_pte(mfn(test_foreign_mfn()), PTE_KERNEL));
    expect_eq(*e, 0);
    expect_no_fault(*e = test_pte((void *)l1, PTE_KERNEL_RO));
    expect_no_fault(*e = 0);
}

/* Only L1 tables: others fault always. So does another page that is read-only. */
static void others(void)
{
    volatile uint64_t *l2 = pv_walk_level((unsigned long)window, 2), *page = test_table_page();

    expect_fault(PF, 3, *l2 = *l2);
    expect_fault(PF, 3, *page = 1);
    expect_fault(PF, 3, *(volatile uint64_t *)pv_kernel_l4() = 0);
}

void test_main(void)
{
    expect_eq(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    /* An L1 of its own for 2 MiB of address space. */
    window = (volatile uint64_t *)0xffffffffffe00000UL;
    require(!pv_make_tables((unsigned long)window, PAGE_SIZE), "an L1");
    l1 = pv_walk((unsigned long)window);
    forms();
    refused();
    others();
    expect_eq(HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
    if (!pv_is_dom0()) /* stock Xen goes on for domain 0 */
        expect_fault(PF, 3, l1[3] = 0);
}
