/* SPDX-License-Identifier: MIT
 *
 * The bounds of grants: how often an entry may be in use and by whom, how many mappings there are, what an
 * unmap must match, and the arguments of the smaller sub-operations. xen/grant_table.h; docs/safety.md
 * XSA-224 (a count per kind), 234 (the whole entry), 226.
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("grant_limits");
ROLE(dom0, domU);

#define BATCH 64
#define TIMES 128 /* mappings of one kind that an entry can count */

static domid_t self;
static struct gnttab_map_grant_ref maps[BATCH];
static struct gnttab_unmap_grant_ref unmaps[BATCH];

static struct gnttab_map_grant_ref map_device(int ref, uint32_t flags)
{
    struct gnttab_map_grant_ref m = { .flags = GNTMAP_device_map | flags,
                                      .ref = (grant_ref_t)ref,
                                      .dom = self };

    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
    return m;
}

static int unmap_device(grant_handle_t handle, uint64_t bus)
{
    struct gnttab_unmap_grant_ref u = { .dev_bus_addr = bus, .handle = handle };

    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
    return u.status;
}

/* An entry's count of one kind is full; another kind still goes. */
static void too_often(void)
{
    static grant_handle_t handles[TIMES];
    uint64_t *page = test_page(), bus = pv_virt_to_maddr(page).v;
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), false);
    struct gnttab_map_grant_ref m;
    unsigned int n;

    for (n = 0; n < TIMES; n++) {
        m = map_device(ref, GNTMAP_readonly);
        if (m.status != GNTST_okay)
            break;
        handles[n] = m.handle;
    }
    expect_eq(n, TIMES);
    expect_eq(map_device(ref, GNTMAP_readonly).status, GNTST_general_error);
    struct gnttab_map_grant_ref other = map_device(ref, 0);
    expect_eq(other.status, GNTST_okay);
    expect_eq(unmap_device(other.handle, bus), GNTST_okay);
    while (n-- > 0)
        expect_eq(unmap_device(handles[n], bus), GNTST_okay);
    m = map_device(ref, 0);
    expect_eq(m.status, GNTST_okay);
    expect_eq(unmap_device(m.handle, bus), GNTST_okay);
    check(pv_grant_end(ref), "given up");
}

static void device_address(void)
{
    uint64_t *page = test_page(), bus = pv_virt_to_maddr(page).v;
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), false);
    struct gnttab_map_grant_ref m = map_device(ref, 0);

    expect_eq(m.status, GNTST_okay);
    expect_eq(m.dev_bus_addr, bus);
    expect_eq(unmap_device(m.handle, bus + PAGE_SIZE), GNTST_bad_dev_addr);
    expect_eq(unmap_device(m.handle, bus), GNTST_okay);
    expect_eq(unmap_device(m.handle, bus), GNTST_bad_handle);
    check(pv_grant_end(ref), "given up");
}

static void replace_by_entry(void)
{
    uint64_t *page = test_page();
    unsigned long va = (unsigned long)pv_vaddr_reserve(1);
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), false);
    struct gnttab_map_grant_ref m = { .host_addr = pv_walk_maddr(va).v,
                                      .flags = GNTMAP_host_map | GNTMAP_contains_pte,
                                      .ref = (grant_ref_t)ref,
                                      .dom = self };
    struct gnttab_unmap_and_replace r = { .host_addr = m.host_addr, .new_addr = (unsigned long)page };
    struct gnttab_unmap_grant_ref u = { .host_addr = m.host_addr };

    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
    expect_eq(m.status, GNTST_okay);
    r.handle = u.handle = m.handle;
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_unmap_and_replace, &r, 1), 0);
    expect_eq(r.status, GNTST_general_error);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
    expect_eq(u.status, GNTST_okay);
    check(pv_grant_end(ref), "given up");
}

static void swap_in_use(void)
{
    uint64_t *page = test_page();
    int a = pv_grant_access(self, pv_virt_to_mfn(page), false), b = pv_grant_alloc();
    struct gnttab_map_grant_ref m = map_device(a, 0);
    struct gnttab_swap_grant_ref s = { .ref_a = (grant_ref_t)a, .ref_b = (grant_ref_t)b };

    expect_eq(m.status, GNTST_okay);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
    expect_eq(s.status, GNTST_eagain);
    s = (struct gnttab_swap_grant_ref){ .ref_a = (grant_ref_t)b, .ref_b = (grant_ref_t)a };
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
    expect_eq(s.status, GNTST_eagain);
    s.ref_b = 1000000;
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1), 0);
    expect_eq(s.status, GNTST_bad_gntref);
    expect_eq(unmap_device(m.handle, pv_virt_to_maddr(page).v), GNTST_okay);
    check(pv_grant_end(a), "given up");
    pv_grant_free(b);
}

static void cache_flush(void)
{
    uint64_t *page = test_page(), bus = pv_virt_to_maddr(page).v;
    static const struct {
        uint16_t offset, length;
        uint32_t op;
        int err;
    } cases[] = { { 0, PAGE_SIZE, GNTTAB_CACHE_CLEAN, 0 },
                  { 0, 0, GNTTAB_CACHE_CLEAN, 0 },
                  { 0, 8, 0, 0 },
                  { PAGE_SIZE, 8, GNTTAB_CACHE_CLEAN, -EINVAL },
                  { 8, PAGE_SIZE, GNTTAB_CACHE_CLEAN, -EINVAL },
                  { 0, PAGE_SIZE + 8, GNTTAB_CACHE_CLEAN, -EINVAL },
                  { 0, 8, 4, -EINVAL },
                  { 0, 8, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_SOURCE_GREF, -EINVAL },
                  { 0, 8, GNTTAB_CACHE_INVAL, -EOPNOTSUPP },
                  { 0, 8, GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN, 0 } };
    struct gnttab_cache_flush f;

    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f = (struct gnttab_cache_flush){
            .a.dev_bus_addr = bus, .offset = cases[i].offset, .length = cases[i].length, .op = cases[i].op
        };
        long err = HYPERVISOR_grant_table_op(GNTTABOP_cache_flush, &f, 1);
        check(err == cases[i].err, "case %u: %ld", i, err);
    }
    f = (struct gnttab_cache_flush){ .a.dev_bus_addr = 1UL << 50, .length = 8, .op = GNTTAB_CACHE_CLEAN };
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_cache_flush, &f, 1), -EINVAL);
    f.a.dev_bus_addr = test_foreign_mfn() << PAGE_SHIFT;
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_cache_flush, &f, 1), -EPERM);
}

static void counts(void)
{
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, maps, ~0U), -EINVAL);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, unmaps, 1U << 31), -EINVAL);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_copy, maps, 1U << 31), -EINVAL);
}

void test_main(void)
{
    self = pv_domid();
    require(!pv_grant_init(), "the grant table");
    too_often();
    device_address();
    replace_by_entry();
    swap_in_use();
    cache_flush();
    counts();
}
