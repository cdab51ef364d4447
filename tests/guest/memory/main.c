/* SPDX-License-Identifier: MIT
 *
 * memory_op: giving frames back and getting others, exchange, the figures, the memory map and the
 * machine-to-physical table's frames. xen/memory.h; docs/safety.md XSA-214 (a frame that changes owner) and
 * 212 (exchange's handle).
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("memory");
ROLE(dom0, domU);

static struct xen_memory_reservation one(xen_pfn_t *frame)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, frame);
    return r;
}

static long reserved(void)
{
    domid_t d = DOMID_SELF;

    return HYPERVISOR_memory_op(XENMEM_current_reservation, &d);
}

static void figures(void)
{
    domid_t d = DOMID_SELF;
    long now = reserved(), max = HYPERVISOR_memory_op(XENMEM_maximum_reservation, &d);
    long top = HYPERVISOR_memory_op(XENMEM_maximum_ram_page, NULL);

    check(now >= (long)pv_nr_pages(), "%ld pages now", now);
    check(max >= now, "%ld pages at most", max);
    check(top > (long)pv_virt_to_mfn(pv_start_info).v, "the machine's last frame is %lx", top);
    d = 77;
    expect_eq(HYPERVISOR_memory_op(XENMEM_current_reservation, &d), -ESRCH);
    expect_eq(HYPERVISOR_memory_op(XENMEM_current_reservation, (void *)NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_memory_op(60, &d), -ENOSYS);
}

/* Stock Xen doesn't scrub what a living domain gives back, so its content says nothing here. */
static void balloon(void)
{
    uint64_t *page = test_page();
    pfn_t p = pv_virt_to_pfn(page);
    xen_pfn_t frame = pv_pfn_to_mfn(p).v;
    struct xen_memory_reservation r = one(&frame);
    long before = reserved();

    memset(page, 0x5a, PAGE_SIZE);
    require(!pv_map((unsigned long)page, 0), "unmap");
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 1);
    expect_eq(reserved(), before - 1);
    check(pv_map((unsigned long)page, pv_pte(mfn(frame), PTE_KERNEL)) < 0, "it isn't ours any more");
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    frame = p.v;
    r = one(&frame);
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 1);
    expect_eq(reserved(), before);
    expect_eq(pv_mfn_to_pfn(mfn(frame)).v, p.v); /* populate enters it into the table */
    pv_set_p2m(p, mfn(frame));
    expect_eq(pv_map((unsigned long)page, pv_pte(mfn(frame), PTE_KERNEL)), 0);
    page[0] = 1;
}

static void in_use(void)
{
    uint64_t *l1 = test_table_page();
    xen_pfn_t frames[3] = { pv_virt_to_mfn(l1).v, test_foreign_mfn(), 1UL << 40 };
    struct xen_memory_reservation r = one(frames);
    long before = reserved();

    require(!test_pin(1, l1), "an L1");
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r),
              1); /* a pinned table: the pin holds it */
    expect_eq(reserved(), before);
    check(test_unpin(l1) == 0, "it is still pinned");
    r = one(frames + 1);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    r = one(frames + 2);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
}

static void refusals(void)
{
    xen_pfn_t frame = 0;
    struct xen_memory_reservation r = one(&frame);

    r.domid = 77;
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0); /* extents done */
    r = one(&frame);
    r.extent_order = 30;
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 0);
    r = one((void *)NOWHERE);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    r = one((void *)0xffff820000000000UL);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    r = one(&frame);
    r.nr_extents = ~0UL;
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), 0);
    expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, (void *)NOWHERE), 0);
}

static void exchange(void)
{
    uint64_t *page = test_page();
    pfn_t p = pv_virt_to_pfn(page);
    xen_pfn_t in = pv_pfn_to_mfn(p).v, out = p.v;
    struct xen_memory_exchange e = { .in = one(&in), .out = one(&out) };
    long before = reserved();

    require(!pv_map((unsigned long)page, 0), "unmap");
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &e), 0);
    expect_eq(e.nr_exchanged, 1);
    expect_eq(reserved(), before);
    check(out != p.v, "a frame number came back: %lx", out);
    expect_eq(pv_mfn_to_pfn(mfn(out)).v, p.v);
    pv_set_p2m(p, mfn(out));
    expect_eq(pv_map((unsigned long)page, pv_pte(mfn(out), PTE_KERNEL)), 0);
    page[1] = 2;
    /* Sizes that don't fit, and an array in the hypervisor's space. */
    e = (struct xen_memory_exchange){ .in = one(&in), .out = one(&out) };
    e.out.nr_extents = 2;
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &e), -EINVAL);
    e = (struct xen_memory_exchange){ .in = one(&in), .out = one((void *)0xffff820000000000UL) };
    expect_eq(HYPERVISOR_memory_op(XENMEM_exchange, &e), -EFAULT);
}

struct e820 {
    uint64_t start, size;
    uint32_t type;
} __attribute__((packed));

static void maps(void)
{
    static struct e820 entries[64];
    struct xen_memory_map m = { .nr_entries = 64 };
    long err;

    set_xen_guest_handle(m.buffer, entries);
    err = HYPERVISOR_memory_op(XENMEM_memory_map, &m);
    if (err != -ENOSYS) { /* a domain whose builder set none */
        expect_eq(err, 0);
        check(m.nr_entries > 0 && m.nr_entries < 64, "%u entries", m.nr_entries);
    }
    m.nr_entries = 64;
    err = HYPERVISOR_memory_op(XENMEM_machine_memory_map, &m);
    expect_eq(err, pv_is_dom0() ? 0 : -EPERM);
    if (!err)
        check(m.nr_entries > 0 && entries[0].type == 1 && entries[0].size, "the machine's map");
}

static void machphys(void)
{
    struct xen_machphys_mapping m;
    struct xen_machphys_mfn_list l = { .max_extents = 1 };
    xen_pfn_t first = 0;

    expect_eq(HYPERVISOR_memory_op(XENMEM_machphys_mapping, &m), 0);
    expect_eq(m.v_start, MACH2PHYS_VIRT_START);
    check(m.v_end > m.v_start && m.max_mfn >= pv_virt_to_mfn(pv_start_info).v, "up to %lx, frame %lx",
          m.v_end, m.max_mfn);
    set_xen_guest_handle(l.extent_start, &first);
    expect_eq(HYPERVISOR_memory_op(XENMEM_machphys_mfn_list, &l), 0);
    expect_eq(l.nr_extents, 1);
    check(first != 0, "its first frame is %lx", first);
}

void test_main(void)
{
    figures();
    balloon();
    in_use();
    refusals();
    exchange();
    maps();
    machphys();
}
