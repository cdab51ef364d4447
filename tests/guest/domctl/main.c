/* SPDX-License-Identifier: MIT
 *
 * The control calls of domain 0: what they refuse, and a domain from its creation to its end by them.
 * xen/domctl.h; docs/safety.md XSA-296 (arguments), not_privileged has the other side.
 */
#include "libpv/domctl.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/child.h"

TEST("domctl");
ROLE(dom0);
// ramdisk: itself

#define NOBODY        77
#define NON_CANONICAL 0x0000800000000000UL

static struct xen_domctl op;

static struct xen_domctl *call(uint32_t cmd, domid_t domid)
{
    memset(&op, 0, sizeof(op));
    op.cmd = cmd;
    op.domain = domid;
    return &op;
}

static void refused(void)
{
    call(XEN_DOMCTL_getdomaininfo, 0)->interface_version = XEN_DOMCTL_INTERFACE_VERSION + 1;
    expect_eq(HYPERVISOR_domctl(&op), -EACCES);
    expect_eq(HYPERVISOR_domctl((void *)NOWHERE), -EFAULT);
    expect_eq(pv_domctl(call(999, 0)), -ENOSYS);
    expect_eq(pv_domctl(call(XEN_DOMCTL_pausedomain, NOBODY)), -ESRCH);
    expect_eq(pv_domctl(call(XEN_DOMCTL_unpausedomain, NOBODY)), -ESRCH);
    expect_eq(pv_domctl(call(XEN_DOMCTL_destroydomain, NOBODY)), -ESRCH);
    expect_eq(pv_domctl(call(XEN_DOMCTL_max_mem, NOBODY)), -ESRCH);
    expect_eq(pv_domctl(call(XEN_DOMCTL_setvcpucontext, NOBODY)), -ESRCH);
    expect_eq(pv_domctl(call(XEN_DOMCTL_getdomaininfo, NOBODY)), -ESRCH);
    expect_eq(pv_domctl(call(XEN_DOMCTL_getdomaininfo, DOMID_FIRST_RESERVED)), -EINVAL);
    expect_eq(pv_domctl(call(XEN_DOMCTL_pausedomain, 0)), -EINVAL);
    expect_eq(pv_domctl(call(XEN_DOMCTL_destroydomain, 0)), -EINVAL);
    expect_eq(pv_domctl(call(XEN_DOMCTL_setvcpucontext, 0)), -EINVAL);
    expect_eq(pv_domctl(call(XEN_DOMCTL_unpausedomain, 0)), -EINVAL); /* it is not paused */
}

static struct xen_domctl *creation(domid_t domid, uint32_t vcpus)
{
    call(XEN_DOMCTL_createdomain, domid);
    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = (uint32_t)-1;
    op.u.createdomain.max_grant_frames = -1;
    op.u.createdomain.max_maptrack_frames = -1;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    return &op;
}

static void bad_domains(void)
{
    expect_eq(pv_domctl(creation(0, 0)), -EINVAL);
    expect_eq(pv_domctl(creation(0, 100000)), -EINVAL);
    creation(0, 1)->u.createdomain.flags = 1U << 30;
    expect_eq(pv_domctl(&op), -EINVAL);
    creation(0, 1)->u.createdomain.iommu_opts = 1U << 30;
    expect_eq(pv_domctl(&op), -EINVAL);
    creation(0, 1)->u.createdomain.arch.emulation_flags = 1U << 30;
    expect_eq(pv_domctl(&op), -EINVAL);
}

/* No memory, no state: what can be asked of it. */
static void empty_domain(void)
{
    struct xen_domctl_getdomaininfo info;
    domid_t id;

    require(!pv_domctl(creation(5, 2)), "domain 5");
    expect_eq(op.domain, 5);
    expect_eq(pv_domctl(creation(5, 2)), -EEXIST);
    expect_eq(pv_domain_info(5, &info), 0);
    expect_eq(info.domain, 5);
    expect_eq(info.tot_pages, 0);
    check(info.flags & XEN_DOMINF_paused, "flags %x", info.flags);
    check(!(info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_running)), "flags %x",
          info.flags);
    expect_eq(pv_domain_info(1, &info), 0); /* the next one */
    expect_eq(info.domain, 5);
    call(XEN_DOMCTL_max_vcpus, 5)->u.max_vcpus.max = 3;
    expect_eq(pv_domctl(&op), -EINVAL);
    call(XEN_DOMCTL_max_vcpus, 5)->u.max_vcpus.max = 2;
    expect_eq(pv_domctl(&op), 0);
    call(XEN_DOMCTL_getvcpuinfo, 5)->u.getvcpuinfo.vcpu = 1;
    expect_eq(pv_domctl(&op), 0);
    expect_eq(op.u.getvcpuinfo.online, 0);
    expect_eq(op.u.getvcpuinfo.cpu_time, 0);
    call(XEN_DOMCTL_getvcpuinfo, 5)->u.getvcpuinfo.vcpu = 2;
    expect_eq(pv_domctl(&op), -EINVAL);
    call(XEN_DOMCTL_hypercall_init, 5)->u.hypercall_init.gmfn = pv_virt_to_mfn(test_page()).v;
    expect_eq(pv_domctl(&op), -EINVAL); /* not its own */

    call(XEN_DOMCTL_settscinfo, 5)->u.tsc_info.tsc_mode = PV_TSC_NATIVE;
    expect_eq(pv_domctl(&op), 0);
    call(XEN_DOMCTL_settscinfo, 5)->u.tsc_info.tsc_mode = 0; /* whatever suits */
    expect_eq(pv_domctl(&op), 0);
    call(XEN_DOMCTL_settscinfo, 5)->u.tsc_info.tsc_mode = 99;
    expect_eq(pv_domctl(&op), -EINVAL);
    call(XEN_DOMCTL_settscinfo, NOBODY)->u.tsc_info.tsc_mode = 2;
    expect_eq(pv_domctl(&op), -ESRCH);
    call(XEN_DOMCTL_settscinfo, 0)->u.tsc_info.tsc_mode = 2;
    expect_eq(pv_domctl(&op), -EINVAL);

    /* Numbers are given out upwards, and not again at once. */
    require(!pv_domctl(creation(0, 1)), "any domain");
    id = op.domain;
    check(id != 0 && id != 5, "domain %u", id);
    expect_eq(pv_domain_destroy(id), 0);
    require(!pv_domctl(creation(0, 1)), "any domain");
    check(op.domain != id, "domain %u again", id);
    expect_eq(pv_domain_destroy(op.domain), 0);
    expect_eq(pv_domain_destroy(5), 0);
}

static void memory(void)
{
    static xen_pfn_t list[8];
    struct xen_memory_reservation r = { .nr_extents = 8 };
    struct xen_domctl_getdomaininfo info;
    domid_t id = 0;

    require(!pv_domain_create(&id, 1, 6), "a domain of 6 frames");
    r.domid = id;
    for (unsigned int i = 0; i < 8; i++)
        list[i] = i;
    set_xen_guest_handle(r.extent_start, list);
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 6);
    expect_eq(pv_domain_info(id, &info), 0);
    expect_eq(info.tot_pages, 6);
    expect_eq(info.max_pages, 6);
    for (unsigned int i = 0; i < 6; i++)
        check(machine_to_phys_mapping[list[i]] == i, "frame %lx", list[i]);
    expect_eq(pv_domain_destroy(id), 0);
}

static struct vcpu_guest_context context;

static long set_context(domid_t id, uint32_t vcpu, uint64_t root)
{
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel;
    context.user_regs.rip = context.user_regs.rsp = 0x1000;
    context.user_regs.cs = PV_CS;
    context.user_regs.ss = PV_SS;
    context.kernel_ss = PV_SS;
    context.ctrlreg[3] = root << PAGE_SHIFT;
    call(XEN_DOMCTL_setvcpucontext, id)->u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
    return pv_domctl(&op);
}

static void contexts(const struct child *c)
{
    domid_t id = c->build.domid;

    expect_eq(set_context(id, 2, 1), -EINVAL);                                /* no such vcpu */
    expect_eq(set_context(id, 1, pv_virt_to_mfn(pv_kernel_l4()).v), -EINVAL); /* not its table */
    expect_eq(set_context(id, 1, c->build.console_frame), -EINVAL); /* no table: its entries are not valid */
    call(XEN_DOMCTL_setvcpucontext, id);
    set_xen_guest_handle(op.u.vcpucontext.ctxt, (vcpu_guest_context_t *)NOWHERE);
    expect_eq(pv_domctl(&op), -EFAULT);
}

static uint32_t flags_of(domid_t id)
{
    struct xen_domctl_getdomaininfo info;

    expect_eq(pv_domain_info(id, &info), 0);
    return info.flags;
}

/* Pauses are counted, and a paused domain does not run. */
static void pauses(struct child *c)
{
    domid_t id = c->build.domid;
    uint64_t count;

    expect_eq(flags_of(id) & XEN_DOMINF_paused, XEN_DOMINF_paused);
    child_run(c, 1);
    expect_eq(flags_of(id) & XEN_DOMINF_paused, 0);
    expect_eq(pv_domain_unpause(id), -EINVAL);
    for (unsigned int i = 0; i < 20; i++) {
        expect_eq(pv_domain_pause(id), 0);
        expect_eq(flags_of(id) & XEN_DOMINF_running, 0); /* not even on its way out of a CPU */
        expect_eq(pv_domain_unpause(id), 0);
        rest_ns(1000000);
    }
    expect_eq(pv_domain_pause(id), 0);
    expect_eq(pv_domain_pause(id), 0);
    count = c->page->words[CHILD_COUNT];
    rest_ns(50000000);
    expect_eq(c->page->words[CHILD_COUNT], count);
    expect_eq(pv_domain_unpause(id), 0);
    rest_ns(50000000);
    expect_eq(c->page->words[CHILD_COUNT], count);
    expect_eq(pv_domain_unpause(id), 0);
    rest_ns(50000000);
    check(c->page->words[CHILD_COUNT] != count, "it goes on");
    for (unsigned int i = 0; i < 255; i++)
        expect_eq(pv_domain_pause(id), 0);
    check(pv_domain_pause(id) < 0, "256 pauses");
}

static void a_life(void)
{
    struct child c;

    child_make(&c, "count", 2);
    contexts(&c);
    pauses(&c);
    call(XEN_DOMCTL_getvcpuinfo, c.build.domid);
    expect_eq(pv_domctl(&op), 0);
    expect_eq(op.u.getvcpuinfo.online, 1);
    check(op.u.getvcpuinfo.cpu_time > 0, "it has run");
    child_end(&c);
}

static long affinity(uint32_t cmd, domid_t domid, uint32_t vcpu, uint32_t flags, uint64_t *cpus)
{
    call(cmd, domid);
    op.u.vcpuaffinity.vcpu = vcpu;
    op.u.vcpuaffinity.flags = flags;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, (uint8_t *)cpus);
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    return pv_domctl(&op);
}

/* Every machine has a CPU 0, and ours no CPU 63. */
static void affinities(void)
{
    const uint32_t set = XEN_DOMCTL_setvcpuaffinity, get = XEN_DOMCTL_getvcpuaffinity;
    uint64_t cpus = 1, none = 1UL << 63;

    expect_eq(affinity(get, 0, 0, XEN_VCPUAFFINITY_HARD, &cpus), 0);
    check(cpus & 1, "at first it may run on %lx", cpus);
    cpus = 1 | none;
    expect_eq(affinity(set, 0, 0, XEN_VCPUAFFINITY_HARD, &cpus), 0);
    expect_eq(cpus, 1);
    expect_eq(affinity(get, 0, 0, XEN_VCPUAFFINITY_HARD, &cpus), 0);
    check(cpus & 1, "then on %lx", cpus);
    expect_eq(affinity(set, 0, 0, XEN_VCPUAFFINITY_HARD, &none), -EINVAL);
    expect_eq(affinity(set, 0, 0, 0, &cpus), -EINVAL);
    expect_eq(affinity(set, 0, 31, XEN_VCPUAFFINITY_HARD, &cpus), -EINVAL);
    expect_eq(affinity(set, NOBODY, 0, XEN_VCPUAFFINITY_HARD, &cpus), -ESRCH);
    expect_eq(affinity(set, 0, 0, XEN_VCPUAFFINITY_HARD, (void *)NOWHERE), -EFAULT);
    cpus = ~0UL; /* of which only so many bits count as the call says */
    call(set, 0)->u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, (uint8_t *)&cpus);
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 1;
    expect_eq(pv_domctl(&op), 0);
    expect_eq(affinity(get, 0, 0, XEN_VCPUAFFINITY_HARD, &cpus), 0);
    expect_eq(cpus, 1);
    cpus = ~0UL;
    expect_eq(affinity(set, 0, 0, XEN_VCPUAFFINITY_HARD, &cpus), 0);
}

void test_main(void)
{
    if (child_word()) {
        child_step(1);
        child_count();
    }
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    refused();
    bad_domains();
    empty_domain();
    memory();
    affinities();
    a_life();
}
