/* SPDX-License-Identifier: MIT
 *
 * Frames that are not the caller's to use so: RAM named as a device's, tables of others, frames given away
 * while they are mapped, more memory than the domain may have. docs/safety.md: XSA-148, 167, 214.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include <xen/memory.h>

TEST("hostile_frames");
ROLE(dom0, domU);

static void as_a_device(void)
{
    uint64_t *page = test_page(), *window = pv_vaddr_reserve(1);
    uint64_t entry = test_pte(page, PTE_KERNEL);
    struct mmu_update u = { .ptr = pv_walk_maddr((unsigned long)window).v, .val = entry };

    /* The domain's own memory, said to be a device's. */
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_IO), -EBUSY);
    check(!(*(volatile uint64_t *)pv_walk((unsigned long)window) & PTE_P), "not mapped");
    u.val = pv_pte(mfn(0xfee00), PTE_KERNEL); /* the local APIC is the hypervisor's alone */
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_IO), -EPERM);
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF), -EPERM);
    u.val = pv_pte(mfn(0xb8), PTE_KERNEL); /* VGA memory */
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF), pv_is_dom0() ? 0 : -EPERM);
    u.val = 0;
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF), 0);
}

/* Operations on the caller's own address space, in somebody else's name. */
static void in_anothers_name(void)
{
    static const unsigned char own_only[] = { MMUEXT_NEW_BASEPTR,   MMUEXT_NEW_USER_BASEPTR,
                                              MMUEXT_SET_LDT,       MMUEXT_TLB_FLUSH_LOCAL,
                                              MMUEXT_TLB_FLUSH_ALL, MMUEXT_INVLPG_LOCAL,
                                              MMUEXT_INVLPG_ALL };
    struct mmuext_op op = { .arg1.mfn = pv_virt_to_mfn(pv_kernel_l4()).v };

    for (unsigned int i = 0; i < sizeof(own_only); i++) {
        op.cmd = own_only[i];
        expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_IO), -EPERM);
        expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, 77), -ESRCH);
    }
    op.cmd = MMUEXT_FLUSH_CACHE;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), pv_is_dom0() ? 0 : -EACCES);
}

static void given_away_while_mapped(void)
{
    static xen_pfn_t in, out;
    uint64_t *page = test_page();
    struct xen_memory_exchange e = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 1, .domid = DOMID_SELF } };

    in = pv_virt_to_mfn(page).v;
    out = pv_virt_to_pfn(page).v;
    set_xen_guest_handle(e.in.extent_start, &in);
    set_xen_guest_handle(e.out.extent_start, &out);
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &e), -EINVAL);
    expect_eq(e.nr_exchanged, 0);
    in = test_foreign_mfn();
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &e), -EINVAL);
    page[0] = 1; /* still ours */
}

static void more_than_there_is(void)
{
    static xen_pfn_t frames[64];
    struct xen_memory_reservation r = { .nr_extents = 64, .domid = DOMID_SELF };
    domid_t self = DOMID_SELF;
    long max = HYPERVISOR_memory_op(XENMEM_maximum_reservation, &self);
    long now = HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
    long got;

    for (unsigned int i = 0; i < 64; i++)
        frames[i] = 0x100000 + i;
    set_xen_guest_handle(r.extent_start, frames);
    if (max - now < 64) {
        got = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
        check(got >= 0 && got <= max - now, "%ld of 64 extents, with %ld below the maximum", got, max - now);
        r.nr_extents = (unsigned long)got;
        if (got > 0)
            expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), got);
    }
    expect_eq(HYPERVISOR_memory_op(XENMEM_current_reservation, &self), now);
}

static void no_physical_addresses(void)
{
    struct xen_add_to_physmap x = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = 5 };

    expect_eq(HYPERVISOR_memory_op(XENMEM_add_to_physmap, &x), -EACCES);
}

void test_main(void)
{
    as_a_device();
    in_anothers_name();
    given_away_while_mapped();
    more_than_there_is();
    no_physical_addresses();
}
