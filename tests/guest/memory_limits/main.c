/* SPDX-License-Identifier: MIT
 *
 * The bounds of a domain's memory: more frames than it may have, blocks that are too large, frames in use
 * that it would give away, and the calls of guests that have a physical address space. xen/memory.h; XSA-231.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("memory_limits");
ROLE(dom0, domU);

static struct xen_memory_reservation extents(xen_pfn_t *frames, unsigned long n, unsigned int order)
{
    struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, frames);
    return r;
}

/* A domain's maximum. Domain 0 has none: exhaust_machine. */
static void maximum(void)
{
    static xen_pfn_t frames[512];
    domid_t self = DOMID_SELF;
    long left = HYPERVISOR_memory_op(XENMEM_maximum_reservation, &self) -
                HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
    long got = 0, n;

    if (pv_is_dom0())
        return;
    require(left >= 0 && left < 100000, "%ld frames are left", left);
    for (;;) {
        struct xen_memory_reservation r = extents(frames, 512, 0);

        n = HYPERVISOR_memory_op(XENMEM_increase_reservation, &r);
        got += n;
        if (n < 512)
            break;
    }
    check(got == left, "%ld frames came, %ld were left", got, left);
    struct xen_memory_reservation r = extents(frames, 1, 0);
    frames[0] = 5;
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 0);
}

static void orders(void)
{
    xen_pfn_t frame = 0;
    struct xen_memory_reservation r = extents(&frame, 1, 40);

    expect_eq(HYPERVISOR_memory_op(XENMEM_increase_reservation, &r), 0);
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 0);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
}

/* A node of memory that doesn't exist: some other memory, or none (XSA-231). */
static void nodes(void)
{
    xen_pfn_t frame = 0;
    struct xen_memory_reservation r = extents(&frame, 1, 0);
    long n;

    r.mem_flags = XENMEMF_exact_node(200);
    n = HYPERVISOR_memory_op(XENMEM_increase_reservation, &r);
    check(n == 0 || n == 1, "%ld frames of node 200", n);
    if (n == 1)
        expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 1);
}

static long exchange(xen_pfn_t in, unsigned int in_order, unsigned int out_order)
{
    xen_pfn_t out = 5;
    struct xen_memory_exchange e = { .in = extents(&in, 1, in_order), .out = extents(&out, 1, out_order) };
    long err = HYPERVISOR_memory_op(XENMEM_exchange, &e);

    expect_eq(e.nr_exchanged, 0);
    return err;
}

/* Frames that are mapped, a table, somebody else's, or don't exist, stay where they are. */
static void not_givable(void)
{
    uint64_t *page = test_page(), *l1 = test_table_page();
    struct xen_memory_exchange e;
    xen_pfn_t frame = pv_virt_to_mfn(page).v;

    require(!test_pin(1, l1), "an L1");
    expect_eq(exchange(frame, 0, 0), -EINVAL);
    expect_eq(exchange(pv_virt_to_mfn(l1).v, 0, 0), -EINVAL);
    expect_eq(exchange(test_foreign_mfn(), 0, 0), -EINVAL);
    expect_eq(exchange(1UL << 40, 0, 0), -EINVAL);
    expect_eq(exchange(frame, 40, 40), -EPERM);
    page[0] = 1;
    expect_eq(test_unpin(l1), 0);
    e = (struct xen_memory_exchange){ .in = extents(&frame, 1, 0), .out = extents(&frame, 1, 0) };
    e.nr_exchanged = 2;
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &e), -EINVAL);
    e.nr_exchanged = 0;
    e.out.domid = 0x7abc;
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &e), -EINVAL);
}

/* A PV guest has machine memory alone. */
static void no_physmap(void)
{
    struct xen_add_to_physmap add = { .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info };
    struct xen_remove_from_physmap rm = { .domid = DOMID_SELF };

    expect_eq(HYPERVISOR_memory_op(XENMEM_add_to_physmap, &add), -EACCES);
    expect_eq(HYPERVISOR_memory_op(XENMEM_remove_from_physmap, &rm), -EACCES);
}

void test_main(void)
{
    orders();
    nodes();
    not_givable();
    no_physmap();
    maximum();
}
