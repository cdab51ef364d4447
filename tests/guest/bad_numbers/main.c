/* SPDX-License-Identifier: MIT
 *
 * Numbers out of range in every call that takes one: calls and sub-operations that don't exist, domains,
 * ports' processors, interrupt lines, versions, addresses that aren't aligned. docs/safety.md XSA-20, 21,
 * 227, 231, 296.
 */
#include <stdint.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include "libpv/event.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("bad_numbers");
ROLE(dom0, domU);

#define NOBODY 77 /* no domain has this number */

static void calls(void)
{
    static const unsigned long numbers[] = { 11, 47, 54, 63, 64, 127, 1000, ~0UL, 1UL << 32 };
    struct multicall_entry m = { .op = 0 };

    for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        long err = pv_hypercall(numbers[i], 0, 0, 0, 0, 0);

        check(err == -ENOSYS, "hypercall %lu: %ld", numbers[i], err);
        m.op = numbers[i];
        expect_eq(HYPERVISOR_multicall(&m, 1), 0);
        check((long)m.result == -ENOSYS, "hypercall %lu in a multicall: %ld", numbers[i], (long)m.result);
    }
}

static void sub_operations(void)
{
    static const struct {
        unsigned int nr, op;
    } ops[] = { { __HYPERVISOR_memory_op, 63 },        { __HYPERVISOR_xen_version, 99 },
                { __HYPERVISOR_console_io, 99 },       { __HYPERVISOR_grant_table_op, 99 },
                { __HYPERVISOR_vm_assist, 99 },        { __HYPERVISOR_vcpu_op, 99 },
                { __HYPERVISOR_sched_op, 99 },         { __HYPERVISOR_callback_op, 99 },
                { __HYPERVISOR_event_channel_op, 99 }, { __HYPERVISOR_physdev_op, 99 },
                { __HYPERVISOR_sched_op_compat, 99 } };

    for (unsigned int i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        long err = pv_hypercall(ops[i].nr, ops[i].op, 0, 0, 0, 0);

        check(err == -ENOSYS || (ops[i].nr == __HYPERVISOR_console_io && err == -EPERM), /* a domU of Xen */
              "hypercall %u, sub-operation %u: %ld", ops[i].nr, ops[i].op, err);
    }
    expect_eq(test_mmuext_mfn(99, 0), -ENOSYS);
    expect_eq(HYPERVISOR_vm_assist(VMASST_CMD_enable, 31), -EINVAL);
}

static void domains(void)
{
    struct evtchn_alloc_unbound alloc = { .dom = NOBODY };
    struct evtchn_bind_interdomain bind = { .remote_dom = NOBODY };
    struct evtchn_status status = { .dom = NOBODY };
    struct evtchn_reset reset = { .dom = NOBODY };
    struct gnttab_query_size size = { .dom = NOBODY };
    struct gnttab_get_version version = { .dom = NOBODY };
    struct mmu_update u = { .ptr = 0 };
    struct sched_remote_shutdown down = { .domain_id = NOBODY };
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = NOBODY };
    domid_t id = NOBODY;

    expect_eq(HYPERVISOR_memory_op(XENMEM_increase_reservation, &r), 0); /* extents done */
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -ESRCH);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &bind), -ESRCH);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_status, &status), -ESRCH);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), -ESRCH);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    expect_eq(size.status, GNTST_bad_domain);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &version, 1), -ESRCH);
    expect_eq(HYPERVISOR_memory_op(XENMEM_current_reservation, &id), -ESRCH);
    expect_eq(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &id), -ESRCH);
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, NOBODY), -ESRCH);
    expect_eq(HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF | (NOBODY + 1U) << 16), -ESRCH);
    expect_eq(HYPERVISOR_mmuext_op(&(struct mmuext_op){ .cmd = MMUEXT_TLB_FLUSH_LOCAL }, 1, NULL, NOBODY),
              -ESRCH);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(NOWHERE, 0, 0, NOBODY), -ESRCH);
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &down), -ESRCH);
}

static void events(void)
{
    struct evtchn_bind_virq virq = { .virq = VIRQ_CONSOLE, .vcpu = 1 };
    struct evtchn_bind_pirq pirq = { .pirq = 1000000 };
    int port = pv_event_alloc_unbound(DOMID_SELF, NULL, NULL);
    struct evtchn_set_priority priority = { .port = (evtchn_port_t)port };

    require(port > 0, "a port: %d", port);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), -EINVAL);
    virq.virq = 24;
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), -EINVAL);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &pirq), -EINVAL);
    pirq.pirq = 3;
    if (!pv_is_dom0()) /* an interrupt line of others */
        expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &pirq), -EPERM);
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_set_priority, &priority), -ENOSYS); /* two-level */
    pv_event_close((unsigned int)port);
}

static void descriptors(void)
{
    uint64_t *page = test_page();

    expect_eq(HYPERVISOR_update_descriptor(pv_virt_to_maddr(page).v + 4, 0), -EINVAL);
    expect_eq(HYPERVISOR_update_descriptor(pv_virt_to_maddr(page).v + 7, 0), -EINVAL);
    expect_eq(HYPERVISOR_update_descriptor(1UL << 60, 0), -EINVAL);
}

/* Domain 0's calls: their fields, and that others may not make them. */
static void platform(void)
{
    static struct xen_platform_op op;

    op = (struct xen_platform_op){ .cmd = XENPF_settime64, .interface_version = 0x1234 };
    expect_eq(HYPERVISOR_platform_op(&op), -EACCES);
    op.interface_version = XENPF_INTERFACE_VERSION;
    op.u.settime64.mbz = 1;
    expect_eq(HYPERVISOR_platform_op(&op), pv_is_dom0() ? -EINVAL : -EPERM);
    op.cmd = 9999;
    expect_eq(HYPERVISOR_platform_op(&op), pv_is_dom0() ? -ENOSYS : -EPERM);
}

static void devices(void)
{
    struct physdev_map_pirq map = { .domid = DOMID_SELF, .type = 77 };
    struct physdev_eoi eoi = { .irq = 1000000 };
    struct physdev_pci_device pci = { .seg = 0xffff, .bus = 0xff, .devfn = 0xff };

    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_eoi, &eoi), -EINVAL);
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_map_pirq, &map), pv_is_dom0() ? -EINVAL : -EPERM);
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_pci_device_remove, &pci), pv_is_dom0() ? -ENODEV : -EPERM);
}

/* What xen_version has for nobody, or not for all. */
static void version(void)
{
    static char id[256];
    long res = HYPERVISOR_xen_version(XENVER_build_id, NULL);

    if (pv_is_dom0())
        check(res > 0 || res == -ENODATA, "build id: %ld", res); /* stock Xen may have one */
    else
        expect_eq(res, -EPERM);
    expect_eq(HYPERVISOR_xen_version(XENVER_pagesize, id), -EINVAL);
}

/* The reason of the domain's end can be told before; the first one counts, others are ignored. */
static void shutdown_code(void)
{
    struct sched_shutdown s = { .reason = SHUTDOWN_poweroff };

    expect_eq(HYPERVISOR_sched_op(SCHEDOP_shutdown_code, &s), 0);
    s.reason = SHUTDOWN_crash;
    expect_eq(HYPERVISOR_sched_op(SCHEDOP_shutdown_code, &s), 0);
}

void test_main(void)
{
    calls();
    sub_operations();
    domains();
    events();
    descriptors();
    platform();
    devices();
    version();
    shutdown_code();
}
