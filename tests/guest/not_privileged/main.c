/* SPDX-License-Identifier: MIT
 *
 * What only domain 0 may do, tried by another domain on domain 0 and on devices. docs/safety.md, threat
 * model.
 */
#include <stdint.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include "libpv/domctl.h"
#include "libpv/event.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("not_privileged");
ROLE(domU);

static void events(void)
{
    struct evtchn_alloc_unbound alloc = { .dom = 0, .remote_dom = DOMID_SELF };
    struct evtchn_status status = { .dom = 0, .port = 1 };
    struct evtchn_reset reset = { .dom = 0 };

    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -EPERM);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_status, &status), -EPERM);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), -EPERM);
}

static void grants(void)
{
    static xen_pfn_t frame;
    struct gnttab_query_size size = { .dom = 0 };
    struct gnttab_setup_table setup = { .dom = 0, .nr_frames = 1 };
    struct gnttab_get_version version = { .dom = 0 };

    set_xen_guest_handle(setup.frame_list, &frame);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    expect_eq(size.status, GNTST_permission_denied);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    expect_eq(setup.status, GNTST_permission_denied);
    expect_eq(frame, 0);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &version, 1), -EPERM);
}

static void memory(void)
{
    domid_t zero = 0;
    xen_pfn_t frame = 1;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = 0 };
    struct xen_memory_map map = { .nr_entries = 0 };
    struct xen_add_to_physmap add = { .domid = 0 };

    set_xen_guest_handle(r.extent_start, &frame);
    expect_eq(HYPERVISOR_memory_op(XENMEM_current_reservation, &zero), -EPERM);
    expect_eq(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &zero), -EPERM);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0); /* extents done */
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 0);
    expect_eq(HYPERVISOR_memory_op(XENMEM_machine_memory_map, &map), -EPERM);
    expect_eq(HYPERVISOR_memory_op(XENMEM_add_to_physmap, &add),
              -EACCES); /* it has none, like all PV guests */
}

static void tables(void)
{
    struct mmu_update u = { .ptr = 0x1000, .val = 0 };
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };

    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, 0), -EPERM);
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF | 1U << 16), -EPERM);
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_XEN), -EPERM);
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, 0), -EPERM);
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_XEN), -EPERM);
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_IO), -EPERM);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(NOWHERE, 0, 0, 0), -EPERM);
    op.cmd = MMUEXT_NEW_BASEPTR;
    op.arg1.mfn = pv_virt_to_mfn(pv_kernel_l4()).v;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_IO), -EPERM);
    op.cmd = MMUEXT_FLUSH_CACHE;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -EACCES);
    op.cmd = MMUEXT_FLUSH_CACHE_GLOBAL;
    expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -EINVAL);
}

static void machine(void)
{
    static struct xen_platform_op op = { .cmd = XENPF_settime64,
                                         .interface_version = XENPF_INTERFACE_VERSION };
    struct sched_remote_shutdown down = { .domain_id = 0, .reason = SHUTDOWN_crash };
    struct physdev_setup_gsi gsi = { .gsi = 4 };

    expect_eq(HYPERVISOR_platform_op(&op), -EPERM);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &down), -EPERM);
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_setup_gsi, &gsi), -EPERM);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_pin_override, &(struct sched_pin_override){ .pcpu = 0 }), -EPERM);
    expect_eq(HYPERVISOR_xen_version(XENVER_build_id, NULL), -EPERM);
}

static void domains(void)
{
    struct xen_domctl_getdomaininfo info;
    domid_t id = 0;

    expect_eq(pv_domain_create(&id, 1, 16), -EPERM);
    expect_eq(pv_domain_destroy(0), -EPERM);
    expect_eq(pv_domain_pause(0), -EPERM);
    expect_eq(pv_domain_unpause(0), -EPERM);
    expect_eq(pv_domain_info(0, &info), -EPERM);
}

/* Parador's own calls that are domain 0's. */
static void parador(void)
{
    static struct parador_why why = { .domid = 0 };
    uint32_t zero = 0;
    int32_t status = 0;

    if (!test_on_parador())
        return;
    expect_eq(HYPERVISOR_parador(PARADOR_domain_info, &(struct parador_domain_info){ .idx = 0 }), -EPERM);
    expect_eq(HYPERVISOR_parador(PARADOR_destroy, &zero), -EPERM);
    expect_eq(HYPERVISOR_parador(PARADOR_exit_status, &status), -EPERM);
    expect_eq(HYPERVISOR_parador(PARADOR_plain, &zero), -EPERM);
    expect_eq(HYPERVISOR_parador(PARADOR_why, &why), -EPERM);
}

/* The right to use ports is virtual, the ports are domain 0's: the keyboard controller, which could also
 * reset the machine, isn't there. */
static void ports(void)
{
    struct physdev_set_iopl iopl = { .iopl = 3 };
    static uint8_t got;

    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    expect_no_fault(__asm__ volatile("in $0x64, %%al" : "=a"(got)));
    expect_eq(got, 0xff);
    expect_no_fault(__asm__ volatile("out %0, $0x64" : : "a"((uint8_t)0xfe)));
}

void test_main(void)
{
    ports();
    events();
    grants();
    memory();
    tables();
    machine();
    domains();
    parador();
}
