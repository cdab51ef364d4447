/* SPDX-License-Identifier: MIT
 *
 * The small calls and what they refuse: physdev_op, platform_op, odd sub-operations everywhere, and on
 * Parador arch_0 with its privileges. Errnos as Xen 4.17 gives them to a domain 0 and to others.
 * xen/physdev.h, xen/platform.h, libpv/parador.h.
 */
#include <stdint.h>
#include <xen/xen.h>
#include <xen/platform.h>
#include "libpv/hypercall.h"
#include "libpv/print.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/test.h"

TEST("calls");
ROLE(dom0, domU);

static char buf[512];

static long physdev(unsigned int op, void *arg)
{
    memset(buf, 0, sizeof(buf));
    return HYPERVISOR_physdev_op((int)op, arg);
}

/* Numbers that name nothing, structures that aren't there. */
static void test_physdev(void)
{
    static const unsigned int nothing[] = { 0, 1, 2, 3, 11, 18, 22, 32, 35, 1000, ~0u };
    static const unsigned int with_structure[] = { 5,  6,  7,  8,  9,  10, 12, 13, 14, 15, 16,
                                                   17, 19, 20, 21, 23, 25, 26, 27, 28, 30, 31 };
    static const unsigned int domain0s[] = { 8, 9, 10, 13, 14, 15, 16, 19, 20, 21, 25, 26, 27, 30, 31 };

    for (unsigned int i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
        check(physdev(nothing[i], buf) == -ENOSYS, "physdev_op %u", nothing[i]);
    for (unsigned int i = 0; i < sizeof(with_structure) / sizeof(*with_structure); i++)
        check(physdev(with_structure[i], NULL) == -EFAULT, "physdev_op %u without a structure",
              with_structure[i]);
    for (unsigned int i = 0; i < sizeof(domain0s) / sizeof(*domain0s); i++)
        check(pv_is_dom0() || physdev(domain0s[i], buf) == -EPERM, "physdev_op %u, not domain 0",
              domain0s[i]);
    expect_eq(physdev(PHYSDEVOP_IRQ_UNMASK_NOTIFY, NULL), 0);
    expect_eq(physdev(PHYSDEVOP_irq_status_query, buf), 0);
    expect_eq(physdev(PHYSDEVOP_eoi, buf), -EINVAL);
}

static long platform(struct xen_platform_op *op)
{
    return hypercall1(__HYPERVISOR_platform_op, op);
}

static void test_platform(void)
{
    struct xen_platform_op op = { .cmd = XENPF_settime64, .interface_version = XENPF_INTERFACE_VERSION + 1 };
    long other = pv_is_dom0() ? -ENOSYS : -EPERM;

    expect_eq(platform(NULL), -EFAULT);
    expect_eq(platform(&op), -EACCES);
    op.interface_version = XENPF_INTERFACE_VERSION;
    for (unsigned int cmd = 18; cmd < 31; cmd++) {
        op.cmd = cmd;
        check(platform(&op) == other, "platform_op %u", cmd);
    }
    op.cmd = XENPF_settime64;
    op.u.settime64.mbz = 1;
    expect_eq(platform(&op), pv_is_dom0() ? -EINVAL : -EPERM);
}

/* The wall clock is domain 0's to set: secs and nsecs are what it was at system_time. */
static void test_settime(void)
{
    struct xen_platform_op op = { .cmd = XENPF_settime64, .interface_version = XENPF_INTERFACE_VERSION };

    op.u.settime64.secs = 1000000;
    op.u.settime64.nsecs = 5;
    op.u.settime64.system_time = 100ULL * 1000000000;
    if (!expect_eq(platform(&op), pv_is_dom0() ? 0 : -EPERM) || !pv_is_dom0())
        return;
    expect_eq(pv_shared_info.wc_sec, 999900);
    expect_eq(pv_shared_info.wc_nsec, 5);
    check(!(pv_shared_info.wc_version & 1), "the version is even: nobody is writing");
    op.cmd = XENPF_settime32;
    op.u.settime32.secs = 77;
    op.u.settime32.nsecs = 0;
    op.u.settime32.system_time = 0;
    expect_eq(platform(&op), 0);
    expect_eq(pv_shared_info.wc_sec, 77);
}

static void test_odd_ones(void)
{
    expect_eq(HYPERVISOR_xen_version(XENVER_pagesize, buf), -EINVAL);
    expect_eq(HYPERVISOR_xen_version(XENVER_pagesize, NULL), 4096);
    expect_eq(HYPERVISOR_xen_version(11, buf), -ENOSYS);
    if (!pv_is_dom0())
        expect_eq(HYPERVISOR_xen_version(XENVER_build_id, NULL), -EPERM);
}

/* Parador's own. */
static void test_arch_0(void)
{
    struct parador_why why = { .domid = DOMID_SELF };
    struct parador_domain_info info = { .idx = 0 };
    struct parador_machine_info machine;
    bool dom0 = pv_is_dom0();
    uint32_t domid = 0;
    int32_t status = 256;

    expect_eq(HYPERVISOR_parador(PARADOR_machine_info, &machine), 0);
    check(machine.free_frames < machine.total_frames && machine.nr_domains, "figures of the machine");
    expect_eq(HYPERVISOR_parador(PARADOR_domain_info, &info), dom0 ? 0 : -EPERM);
    expect_eq(HYPERVISOR_parador(PARADOR_exit_status, &status), dom0 ? -EINVAL : -EPERM);
    expect_eq(HYPERVISOR_parador(PARADOR_destroy, &domid), dom0 ? -EINVAL : -EPERM);
    domid = 0x12345678;
    expect_eq(HYPERVISOR_parador(PARADOR_destroy, &domid), dom0 ? -ESRCH : -EPERM);
    expect_eq(HYPERVISOR_parador(99, NULL), -ENOSYS);
    expect_eq(HYPERVISOR_parador(PARADOR_why, &why), 0);
    expect_eq(why.error, -ENOSYS);
    check(!strcmp(why.text, "arch_0 has no sub-operation 99"), "why: %s", why.text);
    why.domid = dom0 ? 200 : 0;
    expect_eq(HYPERVISOR_parador(PARADOR_why, &why), dom0 ? -ESRCH : -EPERM);
    info.idx = 1000;
    if (dom0)
        expect_eq(HYPERVISOR_parador(PARADOR_domain_info, &info), -ENOENT);
}

void test_main(void)
{
    test_physdev();
    test_platform();
    test_settime();
    test_odd_ones();
    if (test_on_parador())
        test_arch_0();
}
