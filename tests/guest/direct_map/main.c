/* SPDX-License-Identifier: MIT
 *
 * The hypervisor maps all memory for itself. A guest that hands it such an address of its own page, where
 * arguments would be good and results could be written, is refused with -EFAULT, for each call and each
 * place that a pointer can stand in; and nothing is written there. docs/safety.md XSA-29, 212: bad_pointers
 * names places where there is nothing, a missing check would show here.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("direct_map");
ROLE(dom0, domU);

#define DIRECT_MAP 0xffff830000000000UL /* of Parador and of Xen */

static uint64_t *page;
struct text {
    xen_capabilities_info_t chars;
};

static void *alias(void *p)
{
    return (void *)(DIRECT_MAP + pv_virt_to_maddr(p).v);
}

/* The page holds `size` bytes of a structure and then zeros; the call with its alias is refused. */
#define refused(structure, call)                                                                       \
    do {                                                                                               \
        __typeof__(structure) was_ = (structure), *arg = alias(page);                                  \
        memset(page, 0, PAGE_SIZE);                                                                    \
        memcpy(page, &was_, sizeof(was_));                                                             \
        check((call) == -EFAULT, "%s", #call);                                                         \
        check(!memcmp(page, (const void *)&was_, sizeof(was_)), "%s: the page was written to", #call); \
    } while (0)

static void arguments(void)
{
    refused(((struct multicall_entry){ .op = __HYPERVISOR_xen_version, .result = 0x5555 }),
            HYPERVISOR_multicall(arg, 1));
    refused(((struct mmu_update){ .ptr = pv_virt_to_maddr(page + 100).v, .val = 0x1230 }),
            HYPERVISOR_mmu_update(arg, 1, NULL, DOMID_SELF));
    refused(((struct mmuext_op){ .cmd = MMUEXT_TLB_FLUSH_LOCAL }),
            HYPERVISOR_mmuext_op(arg, 1, NULL, DOMID_SELF));
    refused(((struct evtchn_status){ .dom = DOMID_SELF, .port = 1 }),
            HYPERVISOR_event_channel_op(EVTCHNOP_status, arg));
    refused(((struct evtchn_alloc_unbound){ .dom = DOMID_SELF, .remote_dom = DOMID_SELF }),
            HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, arg));
    refused(((struct gnttab_query_size){ .dom = DOMID_SELF }),
            HYPERVISOR_grant_table_op(GNTTABOP_query_size, arg, 1));
    refused(((struct gnttab_map_grant_ref){ .dom = DOMID_SELF, .flags = GNTMAP_host_map, .status = 77 }),
            HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, arg, 1));
    refused(((struct gnttab_copy){ .len = 0, .status = 77 }),
            HYPERVISOR_grant_table_op(GNTTABOP_copy, arg, 1));
    refused(((struct sched_poll){ .timeout = 1 }), HYPERVISOR_sched_op(SCHEDOP_poll, arg));
    refused(((struct trap_info){ .vector = 200, .cs = PV_CS, .address = 0x1000 }),
            HYPERVISOR_set_trap_table(arg));
    refused(((struct callback_unregister){ .type = CALLBACKTYPE_nmi }),
            HYPERVISOR_callback_op(CALLBACKOP_unregister, arg));
    refused((struct xen_machphys_mapping){ 0 }, HYPERVISOR_memory_op(XENMEM_machphys_mapping, arg));
    refused((domid_t)DOMID_SELF, HYPERVISOR_memory_op(XENMEM_current_reservation, arg));
    refused((struct vcpu_runstate_info){ 0 }, HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, arg));
    refused((struct text){ { 0 } }, HYPERVISOR_xen_version(XENVER_capabilities, arg));
    refused((struct physdev_set_iopl){ 0 }, HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, arg));
    refused((struct vcpu_register_runstate_memory_area){ .addr.p = (uint64_t)alias(page + 100) },
            HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, 0, arg));
}

/* The structure is the guest's, what it points to is not. */
static void inner_pointers(void)
{
    xen_pfn_t *list = (xen_pfn_t *)page;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    struct vcpu_register_runstate_memory_area area = { .addr.p = (uint64_t)alias(page) };
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
    unsigned int done = 0x5555;
    struct mmuext_op flush = { .cmd = MMUEXT_TLB_FLUSH_MULTI };
    struct mmu_update none = { 0 };

    memset(page, 0, PAGE_SIZE);
    list[0] = pv_virt_to_mfn(page).v;
    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)alias(page));
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 0);
    expect_eq(list[0], pv_virt_to_mfn(page).v);
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area), -EFAULT);
    set_xen_guest_handle(flush.arg2.vcpumask, (const void *)alias(page));
    expect_eq(HYPERVISOR_mmuext_op(&flush, 1, NULL, DOMID_SELF), -EINVAL);
    set_xen_guest_handle(setup.frame_list, (xen_pfn_t *)alias(page));
    long rc = HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    check(rc == -EFAULT || setup.status != GNTST_okay, "setup_table: %ld, status %d", rc, setup.status);
    /* where `done` goes is no error if it can't be written */
    memset(page, 0x55, PAGE_SIZE);
    HYPERVISOR_mmu_update(&none, 0, alias(page), DOMID_SELF);
    flush = (struct mmuext_op){ .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    expect_eq(HYPERVISOR_mmuext_op(&flush, 1, alias(page), DOMID_SELF), 0);
    memcpy(&done, page, sizeof(done));
    expect_eq(done, 0x55555555);
    expect_eq(HYPERVISOR_update_va_mapping((unsigned long)alias(page), 0, UVMF_INVLPG), -EINVAL);
    expect_eq(HYPERVISOR_set_gdt(alias(page), 512), -EFAULT);
}

void test_main(void)
{
    page = test_page();
    arguments();
    inner_pointers();
}
