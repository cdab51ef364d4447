/* SPDX-License-Identifier: MIT
 *
 * Control calls, and others' frames in our page tables: see domctl.h.
 */
#include "libpv/domctl.h"
#include <xen/sysctl.h>
#include "libpv/hypercall.h"
#include "libpv/memory.h"

#define BATCH 32

int pv_domctl(struct xen_domctl *op)
{
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return (int)HYPERVISOR_domctl(op);
}

static int simple(uint32_t cmd, domid_t domid)
{
    struct xen_domctl op = { .cmd = cmd, .domain = domid };

    return pv_domctl(&op);
}

int pv_domain_create(domid_t *domid, unsigned int vcpus, unsigned long pages)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain, .domain = *domid };
    int err;

    op.u.createdomain = (struct xen_domctl_createdomain){ .max_vcpus = vcpus,
                                                          .max_evtchn_port = (uint32_t)-1,
                                                          .max_grant_frames = -1,
                                                          .max_maptrack_frames = -1,
                                                          .grant_opts = XEN_DOMCTL_GRANT_version(1) };
    err = pv_domctl(&op);
    if (err)
        return err;
    *domid = op.domain;
    op = (struct xen_domctl){ .cmd = XEN_DOMCTL_max_vcpus, .domain = *domid, .u.max_vcpus.max = vcpus };
    err = pv_domctl(&op);
    op = (struct xen_domctl){ .cmd = XEN_DOMCTL_max_mem,
                              .domain = *domid,
                              .u.max_mem.max_memkb = pages << (PAGE_SHIFT - 10) };
    if (!err)
        err = pv_domctl(&op);
    op = (struct xen_domctl){ .cmd = XEN_DOMCTL_settscinfo,
                              .domain = *domid,
                              .u.tsc_info.tsc_mode = PV_TSC_NATIVE };
    if (!err)
        err = pv_domctl(&op);
    if (err)
        pv_domain_destroy(*domid);
    return err;
}

int pv_domain_destroy(domid_t domid)
{
    return simple(XEN_DOMCTL_destroydomain, domid);
}

int pv_domain_pause(domid_t domid)
{
    return simple(XEN_DOMCTL_pausedomain, domid);
}

int pv_domain_unpause(domid_t domid)
{
    return simple(XEN_DOMCTL_unpausedomain, domid);
}

int pv_domain_pin(domid_t domid, unsigned int vcpu, uint64_t cpus)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_setvcpuaffinity, .domain = domid };

    op.u.vcpuaffinity.vcpu = vcpu;
    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, (uint8_t *)&cpus);
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    return pv_domctl(&op);
}

int pv_domain_info(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_getdomaininfo, .domain = domid };
    int err = pv_domctl(&op);

    *info = op.u.getdomaininfo;
    return err;
}

uint64_t pv_free_pages(void)
{
    struct xen_sysctl op = { .cmd = XEN_SYSCTL_physinfo, .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    struct parador_machine_info machine;

    if (HYPERVISOR_parador(PARADOR_machine_info, &machine) == 0)
        return machine.free_frames;
    return hypercall1(__HYPERVISOR_sysctl, &op) == 0 ? op.u.physinfo.free_pages : 0;
}

/* Sets the entries of n pages from va on; frames NULL: to nothing. */
static int set_entries(domid_t domid, char *va, const uint64_t *frames, unsigned int n)
{
    struct mmu_update u[BATCH];

    while (n) {
        unsigned int part = n < BATCH ? n : BATCH;
        int err;

        for (unsigned int i = 0; i < part; i++, va += PAGE_SIZE)
            u[i] = (struct mmu_update){ .ptr = pv_walk_maddr((unsigned long)va).v | MMU_NORMAL_PT_UPDATE,
                                        .val = frames ? pv_pte(mfn(frames[i]), PTE_KERNEL) : 0 };
        err = (int)HYPERVISOR_mmu_update(u, part, NULL, domid);
        if (err)
            return err;
        frames = frames ? frames + part : NULL;
        n -= part;
    }
    return 0;
}

int pv_foreign_map(domid_t domid, void *va, const uint64_t *frames, unsigned int n)
{
    int err = set_entries(domid, va, frames, n);

    if (err)
        pv_foreign_unmap(va, n);
    return err;
}

void pv_foreign_unmap(void *va, unsigned int n)
{
    struct mmuext_op flush = { .cmd = MMUEXT_TLB_FLUSH_ALL };

    set_entries(DOMID_SELF, va, NULL, n);
    HYPERVISOR_mmuext_op(&flush, 1, NULL, DOMID_SELF);
}
