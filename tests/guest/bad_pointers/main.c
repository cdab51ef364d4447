/* SPDX-License-Identifier: MIT
 *
 * Every call that takes a pointer, given one into the hypervisor's slots (256 to 271), one that no table
 * maps, one to read-only memory where it writes, and one that isn't canonical. All get -EFAULT or another
 * refusal, and nothing is written. docs/safety.md XSA-29, 212.
 */
#include "libpv/console.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("bad_pointers");
ROLE(dom0, domU);

/* The calls; `ptr` stands where the argument PTR is. */
#define PTR 0xfeedUL
static const struct {
    unsigned long nr, args[4];
    const char *name;
} calls[] = {
    { __HYPERVISOR_set_trap_table, { PTR }, "set_trap_table" },
    { __HYPERVISOR_mmu_update, { PTR, 1, 0, DOMID_SELF }, "mmu_update" },
    { __HYPERVISOR_set_gdt, { PTR, 512 }, "set_gdt" },
    { __HYPERVISOR_memory_op, { XENMEM_machphys_mapping, PTR }, "memory_op machphys_mapping" },
    { __HYPERVISOR_memory_op, { XENMEM_current_reservation, PTR }, "memory_op current_reservation" },
    { __HYPERVISOR_memory_op, { XENMEM_exchange, PTR }, "memory_op exchange" },
    { __HYPERVISOR_multicall, { PTR, 1 }, "multicall" },
    { __HYPERVISOR_xen_version, { XENVER_extraversion, PTR }, "xen_version extraversion" },
    { __HYPERVISOR_xen_version, { XENVER_get_features, PTR }, "xen_version get_features" },
    { __HYPERVISOR_grant_table_op, { GNTTABOP_map_grant_ref, PTR, 1 }, "grant map" },
    { __HYPERVISOR_grant_table_op, { GNTTABOP_unmap_grant_ref, PTR, 1 }, "grant unmap" },
    { __HYPERVISOR_grant_table_op, { GNTTABOP_copy, PTR, 1 }, "grant copy" },
    { __HYPERVISOR_grant_table_op, { GNTTABOP_transfer, PTR, 1 }, "grant transfer" },
    { __HYPERVISOR_grant_table_op, { GNTTABOP_query_size, PTR, 1 }, "grant query_size" },
    { __HYPERVISOR_grant_table_op, { GNTTABOP_setup_table, PTR, 1 }, "grant setup_table" },
    { __HYPERVISOR_vcpu_op, { VCPUOP_get_runstate_info, 0, PTR }, "vcpu_op get_runstate_info" },
    { __HYPERVISOR_vcpu_op, { VCPUOP_set_singleshot_timer, 0, PTR }, "vcpu_op set_singleshot_timer" },
    { __HYPERVISOR_vcpu_op, { VCPUOP_register_vcpu_info, 0, PTR }, "vcpu_op register_vcpu_info" },
    { __HYPERVISOR_mmuext_op, { PTR, 1, 0, DOMID_SELF }, "mmuext_op" },
    { __HYPERVISOR_sched_op, { SCHEDOP_poll, PTR }, "sched_op poll" },
    { __HYPERVISOR_sched_op, { SCHEDOP_shutdown, PTR }, "sched_op shutdown" },
    { __HYPERVISOR_callback_op, { CALLBACKOP_register, PTR }, "callback_op register" },
    { __HYPERVISOR_event_channel_op, { EVTCHNOP_alloc_unbound, PTR }, "event alloc_unbound" },
    { __HYPERVISOR_event_channel_op, { EVTCHNOP_bind_virq, PTR }, "event bind_virq" },
    { __HYPERVISOR_event_channel_op, { EVTCHNOP_send, PTR }, "event send" },
    { __HYPERVISOR_event_channel_op, { EVTCHNOP_status, PTR }, "event status" },
    { __HYPERVISOR_physdev_op, { PHYSDEVOP_set_iopl, PTR }, "physdev_op set_iopl" },
};

#define N (sizeof(calls) / sizeof(calls[0]))

static long call(unsigned int i, unsigned long ptr)
{
    unsigned long a[4];

    for (int k = 0; k < 4; k++)
        a[k] = calls[i].args[k] == PTR ? ptr : calls[i].args[k];
    return pv_hypercall(calls[i].nr, a[0], a[1], a[2], a[3], 0);
}

static void everywhere(unsigned long ptr)
{
    for (unsigned int i = 0; i < N; i++) {
        long err = call(i, ptr);

        check(err == -EFAULT, "%s at %lx: %ld", calls[i].name, ptr, err);
    }
}

/* A result that can't be written back. */
static void readonly_results(void)
{
    static const unsigned char writing[] = { 3, 7, 8 }; /* machphys_mapping, extraversion, get_features */
    char *page = (char *)test_table_page();

    for (unsigned int i = 0; i < sizeof(writing); i++)
        check(call(writing[i], (unsigned long)page) == -EFAULT, "%s into read-only memory",
              calls[writing[i]].name);
    for (unsigned int i = 0; i < PAGE_SIZE; i++) {
        if (!check(!page[i], "byte %u was written", i))
            break;
    }
}

void test_main(void)
{
    static const unsigned long bad[] = { 0xffff800000000000UL,
                                         0xffff820000000000UL,
                                         0xffff838000000000UL,
                                         0xffff87fffffff000UL,
                                         NOWHERE,
                                         1UL << 47,
                                         0xffff7ffffffffff8UL };

    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        everywhere(bad[i]);
    readonly_results();
}
