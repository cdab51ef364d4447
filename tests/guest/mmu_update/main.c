/* SPDX-License-Identifier: MIT
 *
 * mmu_update: its four commands, batches and how far they got, entries of all levels, and every refusal.
 * xen.h; docs/safety.md "Frames and page tables" (XSA-148, 167, 182).
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("mmu_update");
ROLE(dom0, domU);

#define NORMAL   MMU_NORMAL_PT_UPDATE
#define MACHPHYS MMU_MACHPHYS_UPDATE
#define KEEP_AD  MMU_PT_UPDATE_PRESERVE_AD
#define RAW      MMU_PT_UPDATE_NO_TRANSLATE

static volatile uint64_t *window; /* a page of address space whose L1 entry is changed here */
static uint64_t *entry;           /* that entry */

static long update(const struct mmu_update *u, unsigned int n, unsigned int *done)
{
    return HYPERVISOR_mmu_update(u, n, done, DOMID_SELF);
}

static void flush(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = (unsigned long)window };

    require(!HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), "flush");
}

static void normal(void)
{
    uint64_t *a = test_page(), *b = test_page();

    a[0] = 0xaaaa;
    b[0] = 0xbbbb;
    expect_eq(test_update(NORMAL, entry, test_pte(a, PTE_KERNEL)), 0);
    expect_eq(window[0], 0xaaaa);
    expect_eq(pv_pte_mfn(*entry).v, pv_virt_to_mfn(a).v);
    expect_eq(test_update(RAW, entry, test_pte(b, PTE_KERNEL)), 0);
    flush();
    expect_eq(window[0], 0xbbbb);
    expect_no_fault(window[1] = 5);
    expect_eq(b[1], 5);
    expect_eq(test_update(NORMAL, entry, test_pte(b, PTE_KERNEL_RO)), 0);
    flush();
    expect_fault(PF, 3, window[1] = 6);
    expect_eq(test_update(NORMAL, entry, 0), 0);
    flush();
    expect_fault(PF, 0, window[1]);
    /* An entry that isn't present may hold anything. */
    expect_eq(test_update(NORMAL, entry, 0x00123456789abcd0UL), 0);
    expect_eq(*entry, 0x00123456789abcd0UL);
    expect_eq(test_update(NORMAL, entry, 0), 0);
}

static void preserve(void)
{
    uint64_t *a = test_page();

    expect_eq(test_update(NORMAL, entry, test_pte(a, PTE_P | PTE_RW)), 0);
    expect_eq(*entry & (PTE_A | PTE_D), 0);
    window[0] = 1;
    expect_eq(*entry & (PTE_A | PTE_D), PTE_A | PTE_D);
    expect_eq(test_update(KEEP_AD, entry, test_pte(a, PTE_P | PTE_RW)), 0);
    expect_eq(*entry & (PTE_A | PTE_D), PTE_A | PTE_D);
    expect_eq(test_update(NORMAL, entry, test_pte(a, PTE_P | PTE_RW)), 0);
    expect_eq(*entry & (PTE_A | PTE_D), 0);
    expect_eq(test_update(NORMAL, entry, 0), 0);
}

static void machphys(void)
{
    uint64_t *a = test_page();
    mfn_t m = pv_virt_to_mfn(a);
    pfn_t p = pv_virt_to_pfn(a);

    expect_eq(test_update(MACHPHYS, a, 0x12345), 0);
    expect_eq(pv_mfn_to_pfn(m).v, 0x12345);
    expect_eq(test_update(MACHPHYS, a, p.v), 0);
    expect_eq(pv_mfn_to_pfn(m).v, p.v);
}

static void batches(void)
{
    uint64_t *a = test_page(), *l1 = test_table_page();
    struct mmu_update u[4];
    unsigned int done = 77;

    require(!test_pin(1, l1), "pin an L1");
    for (unsigned int i = 0; i < 4; i++)
        u[i] = (struct mmu_update){ pv_virt_to_maddr(&l1[i]).v, test_pte(a, PTE_KERNEL) };
    expect_eq(update(u, 4, &done), 0);
    expect_eq(done, 4);
    check(l1[0] && l1[3], "all four were written");
    for (unsigned int i = 0; i < 4; i++)
        u[i].val = 0;
    u[2].val = test_pte(l1, PTE_KERNEL); /* refused */
    done = 77;
    expect_eq(update(u, 4, &done), -EBUSY);
    expect_eq(done, 2);
    check(!l1[0] && !l1[1] && l1[2] && l1[3], "stopped at the third");
    expect_eq(update(u, 0, &done), 0);
    expect_eq(done, 0);
    u[2].val = 0;
    expect_eq(update(u, 4, NULL), 0);
    expect_eq(update((void *)NOWHERE, 1, NULL), -EFAULT);
    expect_eq(update((void *)0xffff820000000000UL, 1, NULL), -EFAULT);
    expect_eq(test_unpin(l1), 0);
}

static void refused_entries(void)
{
    uint64_t *l1 = test_table_page(), *a = test_page();

    require(!test_pin(1, l1), "pin an L1");
    expect_eq(test_update(NORMAL, entry, test_pte(l1, PTE_KERNEL)), -EBUSY); /* a page table, writable */
    expect_eq(test_update(NORMAL, entry, test_pte(l1, PTE_KERNEL_RO)), 0);   /* read-only */
    expect_eq(test_update(NORMAL, entry, test_pte(l1, PTE_KERNEL)), -EBUSY); /* the same, now with RW */
    expect_eq(test_update(NORMAL, entry, 0), 0);
    expect_eq(test_unpin(l1), 0);
    expect_eq(test_update(NORMAL, entry, test_pte(l1, PTE_KERNEL)), 0); /* a page again */
    expect_eq(test_update(NORMAL, entry, 0), 0);
    expect_eq(test_update(NORMAL, entry, test_pte(a, PTE_KERNEL | 1UL << 51)), -EPERM); /* no such address */
    expect_eq(test_update(NORMAL, entry, pv_pte(mfn(test_foreign_mfn()), PTE_KERNEL)), -EBUSY);
    expect_eq(test_update(NORMAL, entry, pv_pte(mfn(test_foreign_mfn()), PTE_KERNEL_RO)), -EBUSY);
    expect_eq(*entry, 0);
}

/* The bits of a 4 KiB entry that the CPU ignores are the guest's to use, but for bit 52, where Xen remembers
 * a kernel entry. */
static void bits(void)
{
    static const unsigned char ignored[] = { 9, 10, 11, 53, 54, 55, 56, 57, 58 };
    static const unsigned char attributes[] = { 3, 4, 7 }; /* PWT, PCD, PAT */
    uint64_t *a = test_page();

    for (unsigned int i = 0; i < sizeof(ignored); i++) {
        uint64_t bit = 1UL << ignored[i];

        expect_eq(test_update(NORMAL, entry, test_pte(a, PTE_KERNEL | bit)), 0);
        check(*entry & bit, "bit %u is kept", ignored[i]);
    }
    for (unsigned int i = 0; i < sizeof(attributes); i++) {
        test_update(NORMAL, entry, 0);
        /* only a domain with hardware of its own may choose how memory is cached */
        expect_eq(test_update(NORMAL, entry, test_pte(a, PTE_KERNEL | 1UL << attributes[i])),
                  pv_is_dom0() ? 0 : -EINVAL);
    }
    expect_eq(test_update(NORMAL, entry, test_pte(a, PTE_KERNEL | PTE_G)), 0);
    test_update(NORMAL, entry, 0);
}

static void refused_targets(void)
{
    uint64_t *a = test_page();
    struct mmu_update u = { .ptr = pv_virt_to_maddr(entry).v | 4, .val = 0 };

    expect_eq(update(&u, 1, NULL), -ENOSYS);
    /* A page that is no table: the word is written as it is. */
    expect_eq(test_update(NORMAL, &a[3], 0x1234567), 0);
    expect_eq(a[3], 0x1234567);
    u.ptr = test_foreign_mfn() << PAGE_SHIFT;
    expect_eq(update(&u, 1, NULL), -EINVAL);
    u.ptr = 0x000ffffffffff000UL;
    expect_eq(update(&u, 1, NULL), -EINVAL);
    u.ptr = ~7UL;
    expect_eq(update(&u, 1, NULL), -EINVAL);
    u.ptr = (test_foreign_mfn() << PAGE_SHIFT) | MACHPHYS;
    expect_eq(update(&u, 1, NULL), -EINVAL);
    u.ptr = pv_virt_to_maddr(entry).v;
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, 77), -ESRCH);
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF | (78U << 16)), -ESRCH);
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_XEN), pv_is_dom0() ? 0 : -EPERM);
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_IO), 0);
}

static void upper_levels(void)
{
    uint64_t *l2 = pv_walk_level((unsigned long)window, 2), *l4 = pv_kernel_l4(), *page = test_page();
    uint64_t *fresh = test_table_page(), before = *l2;
    unsigned long free_va = 0xffffffffffe00000UL; /* the last L2 entry of the kernel's half: unused */
    uint64_t *slot = pv_walk_level(free_va, 2);

    require(slot && !*slot, "a free L2 entry");
    expect_eq(test_update(NORMAL, slot, test_pte(fresh, PTE_TABLE)), 0);
    expect_eq(test_update(NORMAL, slot, 0), 0);
    expect_eq(test_update(NORMAL, slot, test_pte(page, PTE_TABLE)), -EINVAL);            /* mapped writable */
    expect_eq(test_update(NORMAL, slot, test_pte(fresh, PTE_TABLE | PTE_PSE)), -EINVAL); /* a large page */
    expect_eq(test_update(NORMAL, slot, test_pte(l4, PTE_TABLE)), -EINVAL); /* a table of another level */
    expect_eq(test_update(NORMAL, slot, pv_pte(mfn(test_foreign_mfn()), PTE_TABLE)), -EINVAL);
    expect_eq(test_update(NORMAL, slot, test_pte(fresh, PTE_TABLE | PTE_G)), -EINVAL);
    expect_eq(*slot, 0);
    expect_eq(*l2, before);
    for (unsigned int i = 256; i < 272; i++) { /* the hypervisor's slots */
        uint64_t was = l4[i];

        expect_eq(test_update(NORMAL, &l4[i], 0), -EINVAL);
        expect_eq(test_update(NORMAL, &l4[i], test_pte(fresh, PTE_TABLE)), -EINVAL);
        expect_eq(l4[i], was);
    }
}

void test_main(void)
{
    window = pv_vaddr_reserve(1);
    require(window, "address space");
    entry = pv_walk((unsigned long)window);
    require(entry, "its L1 entry");
    normal();
    preserve();
    machphys();
    batches();
    refused_entries();
    bits();
    refused_targets();
    upper_levels();
}
