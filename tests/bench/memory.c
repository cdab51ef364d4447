/* SPDX-License-Identifier: MIT
 *
 * What the hypervisor keeps of the machine's memory for itself, bytes, asked of it by domain 0 while that is
 * the only domain: all memory, less what is free, less what domain 0 has.
 */
#include "tests/bench/bench.h"
#include <xen/sysctl.h>
#include "libpv/hypercall.h"
#include "libpv/start.h"

static uint64_t xen_pages(void)
{
    struct xen_sysctl op = { .cmd = XEN_SYSCTL_physinfo, .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    domid_t self = DOMID_SELF;
    long own = HYPERVISOR_memory_op(XENMEM_current_reservation, &self);

    bench_must(own, "current_reservation");
    bench_must(hypercall1(__HYPERVISOR_sysctl, &op), "physinfo");
    return op.u.physinfo.total_pages - op.u.physinfo.free_pages - (uint64_t)own;
}

void bench_memory(void)
{
    struct parador_machine_info machine;

    if (!bench_wanted("hypervisor_memory"))
        return;
    if (HYPERVISOR_parador(PARADOR_machine_info, &machine))
        bench_figure("hypervisor_memory", "bytes", xen_pages() * 4096);
    else
        bench_figure("hypervisor_memory", "bytes", machine.hypervisor_frames * 4096);
}
