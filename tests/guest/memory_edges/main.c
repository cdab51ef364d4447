/* SPDX-License-Identifier: MIT
 *
 * memory_op at the edges of its arguments: null, zeros, all ones, progress bits where none belong, other
 * domains, exchanges whose two sides don't fit. Each number was read off stock Xen 4.17.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include <xen/memory.h>

TEST("memory_edges");
ROLE(dom0, domU);

#define PROGRESS(extent) ((extent) << 6)
#define ANY              1000 /* a number that depends on the machine */

static const struct {
    unsigned int op;
    int null, zeros, progress, ones;
} rows[] = {
    { XENMEM_increase_reservation, 0, 0, 1, 0 },
    { XENMEM_decrease_reservation, 0, 0, 1, 0 },
    { XENMEM_current_reservation, -EFAULT, ANY, -EINVAL, -ESRCH },
    { XENMEM_maximum_reservation, -EFAULT, ANY, -EINVAL, -ESRCH },
    { XENMEM_machphys_mfn_list, -EFAULT, 0, -ENOSYS, -EFAULT },
    { XENMEM_populate_physmap, 0, 0, 1, 0 },
    { XENMEM_add_to_physmap, -EFAULT, -EACCES, -EACCES, -ESRCH },
    { 8, -ENOSYS, -ENOSYS, -ENOSYS, -ENOSYS },
    { XENMEM_memory_map, -EFAULT, -ENOSYS, -ENOSYS, -ENOSYS },
    { XENMEM_exchange, -EFAULT, 0, -EINVAL, -EPERM },
    { XENMEM_machphys_mapping, -EFAULT, 0, -ENOSYS, 0 },
    { XENMEM_remove_from_physmap, -EFAULT, -EACCES, -EINVAL, -ESRCH },
    { XENMEM_add_to_physmap_batch, -EFAULT, -EACCES, -EACCES, -ESRCH },
};

static uint64_t buf[32];

static void one(unsigned int op, unsigned int progress, void *arg, int fill, int want)
{
    long got;

    memset(buf, fill, sizeof(buf));
    got = HYPERVISOR_memory_op(op | PROGRESS(progress), arg);
    if (want == ANY) /* a domain 0 is domain "zeros"; who isn't may not ask about it */
        check(pv_is_dom0() ? got > 0 : got == -EPERM, "op %u: %ld", op, got);
    else
        check(got == want, "op %u, progress %u, filled with %d: %ld, not %d", op, progress, fill, got, want);
}

static void all_calls(void)
{
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        one(rows[i].op, 0, NULL, 0, rows[i].null);
        one(rows[i].op, 0, buf, 0, rows[i].zeros);
        one(rows[i].op, 1, buf, 0, rows[i].progress);
        one(rows[i].op, 0, buf, 0xff, rows[i].ones);
    }
    if (!pv_is_dom0())
        expect_eq(HYPERVISOR_memory_op(XENMEM_machine_memory_map, NULL), -EPERM);
}

static void domains(void)
{
    static xen_pfn_t frame = 5;
    domid_t nobody = 77, io = DOMID_IO, self = pv_domid();
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = 77 };

    set_xen_guest_handle(r.extent_start, &frame);
    expect_eq(HYPERVISOR_memory_op(XENMEM_current_reservation, &nobody), -ESRCH);
    expect_eq(HYPERVISOR_memory_op(XENMEM_current_reservation, &io), -ESRCH);
    expect_eq(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &io), -ESRCH);
    check(HYPERVISOR_memory_op(XENMEM_current_reservation, &self) > 0, "its own number is itself here");
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 0); /* extents done */
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    r.domid = DOMID_SELF;
    r.extent_order = 10;
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    r.extent_order = 0;
    frame = test_foreign_mfn();
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
}

static struct xen_memory_exchange exchange_of(xen_pfn_t *in, xen_pfn_t *out)
{
    struct xen_memory_exchange e = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                     .out = { .nr_extents = 1, .domid = DOMID_SELF } };

    set_xen_guest_handle(e.in.extent_start, in);
    set_xen_guest_handle(e.out.extent_start, out);
    return e;
}

static long exchange(struct xen_memory_exchange e)
{
    return HYPERVISOR_memory_op(XENMEM_exchange, &e);
}

static void exchanges(void)
{
    static xen_pfn_t in, out;
    struct xen_memory_exchange e = exchange_of(&in, &out);

    in = pv_virt_to_mfn(pv_kernel_l4()).v;
    e.in.extent_order = 13;
    expect_eq(exchange(e), pv_is_dom0() ? -EINVAL : -EPERM);
    e = exchange_of(&in, &out);
    e.in.nr_extents = 2;
    expect_eq(exchange(e), -EINVAL);
    e = exchange_of(&in, &out);
    e.nr_exchanged = 2;
    expect_eq(exchange(e), -EINVAL);
    e = exchange_of(&in, &out);
    e.in.domid = e.out.domid = 77;
    expect_eq(exchange(e), -ESRCH);
    e.in.domid = DOMID_SELF;
    expect_eq(exchange(e), -EINVAL);
    in = ~0UL;
    expect_eq(exchange(exchange_of(&in, &out)), -EINVAL);
    expect_eq(exchange(exchange_of((xen_pfn_t *)NOWHERE, &out)), -EFAULT);
    e = exchange_of((xen_pfn_t *)0xffff820000000000UL, &out);
    expect_eq(exchange(e), -EFAULT);
    e.in.nr_extents = e.out.nr_extents = 0;
    expect_eq(exchange(e), 0); /* nothing to do, no list is looked at */
}

void test_main(void)
{
    all_calls();
    domains();
    exchanges();
}
