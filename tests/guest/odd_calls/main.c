/* SPDX-License-Identifier: MIT
 *
 * Arguments that random calls (make fuzz) found answered otherwise than stock Xen answers them: one or a few
 * checks each. Mostly the order in which two mistakes in one call are looked at, and addresses of which Xen
 * looks at the beginning alone.
 */
#include <stdint.h>
#include <xen/physdev.h>
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("odd_calls");
ROLE(dom0, domU);

#define HIGHEST       0x7fffffffffffUL /* of the lower half: its byte is the guest's, what follows is nobody's */
#define HYPERVISORS   0xffff800000000000UL
#define NON_CANONICAL 0xffff7fffffffffffUL
#define NOBODY        77

/* The last n bytes of a page, behind which is nothing. */
static char *end_of_page(unsigned int n)
{
    char *page = pv_vaddr_reserve(2);

    require(page && !pv_map((unsigned long)page, test_pte(test_page(), PTE_KERNEL)), "a page");
    return page + PAGE_SIZE - n;
}

/* A port that exists is asked for its priority even when it is closed. */
static void events(void)
{
    int port = pv_event_alloc_unbound(DOMID_SELF, NULL, NULL);
    struct evtchn_set_priority priority = { .port = (evtchn_port_t)port };
    uint32_t *cmd = (void *)end_of_page(8);

    require(port > 0, "a port: %d", port);
    pv_event_close((unsigned int)port);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_set_priority, &priority), -ENOSYS);
    priority.port = 1U << 20;
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_set_priority, &priority), -EINVAL);

    /* The old form's structure is read as a whole, before its command is looked at. */
    *cmd = ~0U;
    expect_eq(pv_hypercall(__HYPERVISOR_event_channel_op_compat, (unsigned long)cmd, 0, 0, 0, 0), -EFAULT);
}

static void devices(void)
{
    struct physdev_irq_status_query query = { .irq = 1000 };
    struct physdev_set_iobitmap map = { .nr_ports = 100 };

    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_irq_status_query, &query), -EINVAL);
    query.irq = 1;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_irq_status_query, &query), 0);
    map.bitmap.p = (void *)HIGHEST;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &map), 0);
    map.bitmap.p = (void *)HYPERVISORS;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &map), -EINVAL);
}

static void areas(void)
{
    static const uint8_t cmds[] = { VCPUOP_register_runstate_memory_area,
                                    VCPUOP_register_vcpu_time_memory_area };

    for (unsigned int i = 0; i < sizeof(cmds); i++) {
        expect_eq(HYPERVISOR_vcpu_op(cmds[i], 0, &(uint64_t){ HIGHEST }), 0);
        expect_eq(HYPERVISOR_vcpu_op(cmds[i], 0, &(uint64_t){ ~0UL }), 0);
        expect_eq(HYPERVISOR_vcpu_op(cmds[i], 0, &(uint64_t){ HYPERVISORS }), -EFAULT);
        expect_eq(HYPERVISOR_vcpu_op(cmds[i], 0, &(uint64_t){ 0 }), 0);
    }
}

static void versions(void)
{
    struct callback_unregister gone = { .type = CALLBACKTYPE_syscall32 };
    uint32_t length = 0;

    expect_eq(HYPERVISOR_vm_assist(99, 99), -EINVAL); /* of both that are wrong, the type */
    expect_eq(HYPERVISOR_vm_assist(99, VMASST_TYPE_writable_pagetables), -ENOSYS);
    expect_eq(HYPERVISOR_callback_op(CALLBACKOP_unregister, &gone), -EINVAL);
    if (!pv_is_dom0()) {
        /* Xen's command line is not told to others, which takes nine bytes. */
        expect_eq(HYPERVISOR_xen_version(XENVER_commandline, end_of_page(9)), 0);
        expect_eq(HYPERVISOR_xen_version(XENVER_commandline, end_of_page(8)), -EFAULT);
        return;
    }
    expect_eq(HYPERVISOR_xen_version(XENVER_build_id, &length), -EINVAL);
    expect_eq(HYPERVISOR_xen_version(XENVER_build_id, (void *)NOWHERE), -EFAULT);
}

static void descriptors(void)
{
    expect_eq(HYPERVISOR_set_gdt((void *)HYPERVISORS, 0), 0); /* of no frames no list is looked at */
}

static void grant_calls(void)
{
    struct gnttab_setup_table setup = { .dom = NOBODY, .nr_frames = 1 };

    for (unsigned int cmd = GNTTABOP_map_grant_ref; cmd <= GNTTABOP_unmap_grant_ref; cmd++) {
        expect_eq(HYPERVISOR_grant_table_op(cmd, (void *)NON_CANONICAL, 0), -EFAULT);
        expect_eq(HYPERVISOR_grant_table_op(cmd, (void *)NOWHERE, 0), 0);
    }
    set_xen_guest_handle(setup.frame_list, (void *)HYPERVISORS);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), -EFAULT); /* before the domain */
    set_xen_guest_handle(setup.frame_list, (void *)NOWHERE);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    expect_eq(setup.status, GNTST_bad_domain);
}

static grant_entry_v1_t *grant_table(void)
{
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
    grant_entry_v1_t *table = pv_vaddr_reserve(1);
    xen_pfn_t frame;

    set_xen_guest_handle(setup.frame_list, &frame);
    require(!HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1) && !setup.status, "a grant table");
    require(table && !pv_map((unsigned long)table, pv_pte(mfn(frame), PTE_KERNEL)), "mapping it");
    return table;
}

static int map_grant(uint32_t ref, void *at)
{
    grant_handle_t handle;

    return pv_grant_map(pv_domid(), ref, at, false, &handle);
}

static int copy_grant(uint32_t ref)
{
    struct gnttab_copy c = { .source.u.ref = ref,
                             .source.domid = pv_domid(),
                             .len = 8,
                             .dest.domid = DOMID_SELF,
                             .flags = GNTCOPY_source_gref };

    c.dest.u.gmfn = pv_virt_to_mfn(test_page()).v;
    require(!pv_grant_copy(&c, 1), "copying");
    return c.status;
}

/* An entry for a part of a page can be copied and not mapped, version 1 though it is. */
static void sub_page(grant_entry_v1_t *entry, uint32_t ref, void *window)
{
    entry->domid = pv_domid();
    entry->frame = (uint32_t)pv_virt_to_mfn(test_page()).v;
    entry->flags = GTF_permit_access | GTF_sub_page;
    expect_eq(map_grant(ref, window), GNTST_general_error);
    expect_eq(copy_grant(ref), GNTST_okay);
    entry->flags = 0;
}

/* A device address says nothing of a mapping that is none for devices. */
static void device_address(grant_entry_v1_t *entry, uint32_t ref, void *window)
{
    struct gnttab_unmap_grant_ref unmap = { .host_addr = (unsigned long)window, .dev_bus_addr = PAGE_SIZE };

    entry->frame = (uint32_t)pv_virt_to_mfn(test_page()).v;
    entry->flags = GTF_permit_access;
    require(!pv_grant_map(pv_domid(), ref, window, false, &unmap.handle), "map");
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    expect_eq(unmap.status, GNTST_okay);
    entry->flags = 0;
}

/* A grant whose frame is gone though a mapping counts: the guest took the entry away and gave the frame back.
 * The mapping stays in the books for ever, and gives nobody anything. */
static void grant_of_nothing(grant_entry_v1_t *entry, uint32_t ref, void *window)
{
    uint64_t *page = test_page();
    xen_pfn_t frame = pv_virt_to_mfn(page).v;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    entry->frame = (uint32_t)frame;
    entry->flags = GTF_permit_access;
    expect_eq(map_grant(ref, window), GNTST_okay);
    require(!pv_map((unsigned long)window, 0) && !pv_map((unsigned long)page, 0), "unmap");
    set_xen_guest_handle(r.extent_start, &frame);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 1);
    expect_eq(map_grant(ref, window), GNTST_general_error);
    expect_eq(copy_grant(ref), GNTST_bad_domain);
}

static struct xen_memory_exchange exchange(xen_pfn_t *in, xen_pfn_t *out)
{
    struct xen_memory_exchange x = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 1, .domid = DOMID_SELF } };

    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    return x;
}

static void exchanges(void)
{
    static xen_pfn_t in, out;
    struct xen_memory_exchange x = exchange(&in, &out);

    x.nr_exchanged = 2; /* and too large */
    x.in.extent_order = x.out.extent_order = 20;
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &x), -EPERM);
    x = exchange((void *)HIGHEST, &out);
    x.in.domid = x.out.domid = NOBODY;
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &x), -ESRCH);
}

/* Only whether an entry is for users, global and the like may change without a look at whose frame it is;
 * what the guest shares with the hypervisor is cached as all memory is. */
static void entries(void *window)
{
    uint64_t *page = test_page();

    require(!pv_map((unsigned long)window, test_pte(page, PTE_USER)), "map");
    if (pv_is_dom0())
        expect_eq(HYPERVISOR_update_va_mapping_otherdomain((unsigned long)window,
                                                           test_pte(page, PTE_USER | PTE_G), 0, DOMID_IO),
                  0);
    expect_eq(pv_map((unsigned long)window,
                     pv_pte(mfn(pv_start_info->shared_info >> PAGE_SHIFT), PTE_KERNEL | PTE_PCD)),
              pv_is_dom0() ? -EACCES : -EINVAL);
    expect_eq(pv_map((unsigned long)window,
                     pv_pte(mfn(pv_start_info->shared_info >> PAGE_SHIFT), PTE_KERNEL_RO | PTE_PWT)),
              pv_is_dom0() ? -EACCES : -EINVAL);
}

void test_main(void)
{
    grant_entry_v1_t *table = grant_table();
    void *window = pv_vaddr_reserve(1);

    require(window, "a window");
    events();
    devices();
    areas();
    versions();
    descriptors();
    grant_calls();
    sub_page(&table[20], 20, window);
    table[21].domid = table[22].domid = pv_domid();
    device_address(&table[21], 21, window);
    grant_of_nothing(&table[22], 22, window);
    exchanges();
    entries(window);
}
