/* SPDX-License-Identifier: MIT
 *
 * Frame numbers that aren't the caller's memory, in every place where a guest can name one: those that don't
 * exist, the hypervisor's, a given-back one, device registers, and, for domain 0, memory in the name of
 * devices. docs/safety.md XSA-167, 402.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("bad_frames");
ROLE(dom0, domU);

#define DEVICE_IO 0x7ff1U /* DOMID_IO */

static unsigned long window;

static void mappings(unsigned long frame, const char *what)
{
    uint64_t *l1 = test_page();
    long err;

    err = pv_map(window, pv_pte(mfn(frame), PTE_KERNEL));
    check(err == -EINVAL || err == -EPERM || err == -EBUSY, "%s mapped writable: %ld", what, err);
    err = pv_map(window, pv_pte(mfn(frame), PTE_KERNEL_RO));
    check(err == -EINVAL || err == -EPERM || err == -EBUSY, "%s mapped: %ld", what, err);
    l1[511] = pv_pte(mfn(frame), PTE_KERNEL_RO);
    test_readonly(l1, true);
    check(test_pin(1, l1) < 0, "%s in a table", what);
    expect_fault(PF, 0, *(volatile uint64_t *)window);
}

static void tables(unsigned long frame, const char *what)
{
    for (unsigned int level = 1; level <= 4; level++)
        check(test_mmuext_mfn(MMUEXT_PIN_L1_TABLE + level - 1, frame) == -EINVAL, "%s pinned as L%u", what,
              level);
    check(test_mmuext_mfn(MMUEXT_UNPIN_TABLE, frame) == -EINVAL, "%s unpinned", what);
    check(test_mmuext_mfn(MMUEXT_NEW_BASEPTR, frame) == -EINVAL, "%s as root", what);
    check(test_mmuext_mfn(MMUEXT_CLEAR_PAGE, frame) == -EINVAL, "%s cleared", what);
}

static void upper_entries(unsigned long frame, const char *what)
{
    for (unsigned int level = 2; level <= 4; level++) {
        uint64_t *table = test_page();
        long err;

        table[3] = pv_pte(mfn(frame), PTE_TABLE);
        test_readonly(table, true);
        err = test_pin(level, table);
        check(err == -EINVAL, "%s under an L%u: %ld", what, level, err);
    }
}

static void others(unsigned long frame, const char *what)
{
    struct mmu_update u = { .ptr = frame << PAGE_SHIFT, .val = 0 };
    struct vcpu_register_vcpu_info info = { .mfn = frame };
    xen_pfn_t gdt = frame;

    check(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF) == -EINVAL, "an entry in %s", what);
    u.ptr |= MMU_MACHPHYS_UPDATE;
    check(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF) == -EINVAL, "the number of %s", what);
    check(HYPERVISOR_update_descriptor(frame << PAGE_SHIFT, 0) == -EINVAL, "a descriptor in %s", what);
    check(HYPERVISOR_set_gdt(&gdt, 16) == -EINVAL, "%s as GDT", what);
    check(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, 0, &info) == -EINVAL, "%s as vcpu_info", what);
}

static void everywhere(unsigned long frame, const char *what)
{
    mappings(frame, what);
    tables(frame, what);
    upper_entries(frame, what);
    others(frame, what);
}

/* Domain 0 names memory as if it were a device's. */
static void memory_as_device(void)
{
    uint64_t *page = test_page();
    struct mmu_update u = { .ptr = pv_walk_maddr(window).v, .val = test_pte(page, PTE_KERNEL) };

    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DEVICE_IO), -EBUSY);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(window, u.val, 0, DEVICE_IO),
              pv_is_dom0() ? -EBUSY : -EPERM);
    expect_fault(PF, 0, *(volatile uint64_t *)window);
}

/* Only domain 0 may map device registers, and nobody the local interrupt controller's. */
static void devices(void)
{
    const unsigned long screen = 0xb8, apic = 0xfee00;

    expect_eq(pv_map(window, pv_pte(mfn(apic), PTE_KERNEL)), -EPERM);
    expect_eq(pv_map(window, pv_pte(mfn(apic), PTE_KERNEL_RO)), -EPERM);
    expect_eq(pv_map(window, pv_pte(mfn(screen), PTE_KERNEL)), pv_is_dom0() ? 0 : -EPERM);
    expect_eq(pv_map(window, 0), 0);
    tables(screen, "the screen's memory");
    upper_entries(screen, "the screen's memory");
}

/* Memory with another cacheability: only a domain with devices may ask for that. */
static void cacheability(void)
{
    static const uint64_t kinds[] = { PTE_PCD, PTE_PWT, PTE_PCD | PTE_PWT, PTE_PAT };
    uint64_t *page = test_page();

    for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        long err = pv_map(window, test_pte(page, PTE_KERNEL | kinds[i]));

        check(err == (pv_is_dom0() ? 0 : -EINVAL), "cache bits %lx: %ld", kinds[i], err);
        expect_eq(pv_map(window, 0), 0);
    }
    page[0] = 1;
}

void test_main(void)
{
    window = (unsigned long)pv_vaddr_reserve(1);
    everywhere(1UL << 39, "a frame that can't be");
    everywhere(test_foreign_mfn(), "a frame given back");
    devices();
    cacheability();
    memory_as_device();
}
