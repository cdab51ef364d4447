/* SPDX-License-Identifier: MIT
 *
 * A domain that ends with everything in use: ports, grants mapped and granted, tables pinned, GDT and LDT,
 * areas of its vcpu, a timer, a user address space. The machine must have all of it back: Parador's invariant
 * checker and its count of free frames judge that.
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"
#include "tests/guest/user.h"

TEST("leave_all");
ROLE(dom0, domU);

static void ports(void)
{
    for (int i = 0; i < 100; i++)
        expect_eq(pv_event_alloc_unbound(i % 2 ? DOMID_SELF : 0, NULL, NULL) > 0, true);
    int a = pv_event_alloc_unbound(DOMID_SELF, NULL, NULL);
    check(pv_event_bind_interdomain(DOMID_SELF, (unsigned int)a, NULL, NULL) > 0, "a channel");
    check(pv_event_bind_virq(VIRQ_TIMER, NULL, NULL) > 0, "VIRQ_TIMER");
    check(pv_event_bind_ipi(NULL, NULL) > 0, "an IPI");
}

static void grants(void)
{
    require(!pv_grant_init(), "grants");
    for (int i = 0; i < 50; i++) {
        uint64_t *page = test_page();
        int ref = pv_grant_access(pv_domid(), pv_virt_to_mfn(page), i % 2);
        grant_handle_t h;

        expect_eq(pv_grant_map(pv_domid(), (grant_ref_t)ref, pv_vaddr_reserve(1), i % 2, &h), GNTST_okay);
    }
    check(pv_grant_accept(pv_domid(), pfn(0)) > 0, "an offer");
}

static void tables(void)
{
    for (unsigned int level = 1; level <= 4; level++) {
        for (int i = 0; i < 10; i++)
            expect_eq(test_pin(level, test_table_page()), 0);
    }
    test_user_init();
}

static void descriptors(void)
{
    uint64_t *gdt = test_table_page(), *ldt = test_page();
    xen_pfn_t frame = pv_virt_to_mfn(gdt).v;
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT,
                            .arg1.linear_addr = (unsigned long)ldt,
                            .arg2.nr_ents = 512 };

    ldt[1] = 0x00cff2000000ffffUL;
    test_readonly(ldt, true);
    expect_eq(HYPERVISOR_set_gdt(&frame, 512), 0);
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
    __asm__ volatile("mov %w0, %%ds" : : "r"(0xf)); /* its page is a descriptor page now */
}

static void areas(void)
{
    static struct vcpu_runstate_info runstate;
    static struct vcpu_time_info time;
    struct vcpu_register_runstate_memory_area r = { .addr.v = &runstate };
    struct vcpu_register_time_memory_area t = { .addr.v = &time };
    struct vcpu_register_vcpu_info v = { .mfn = pv_virt_to_mfn(test_page()).v };
    struct vcpu_set_periodic_timer p = { .period_ns = 2000000 };

    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &r), 0);
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &t), 0);
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &p), 0);
    expect_eq(pv_timer_set(pv_time_ns() + 1000000), 0);
    expect_eq(HYPERVISOR_set_debugreg(0, (unsigned long)&time), 0);
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, 0, &v), 0);
}

void test_main(void)
{
    ports();
    grants();
    tables();
    descriptors();
    areas();
}
