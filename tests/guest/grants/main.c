/* SPDX-License-Identifier: MIT
 *
 * Grants from this domain to itself: table set-up, map, unmap, entries of page tables by address,
 * unmap_and_replace, copy, versions; and that an entry in use can't be taken back. xen/grant_table.h;
 * docs/safety.md "Grants" (XSA-224, 227, 234, 396).
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("grants");
ROLE(dom0, domU);

static domid_t self;
static struct grant_entry_v1 *table; /* our own view of the first frame */

static long op(unsigned int cmd, void *arg)
{
    return HYPERVISOR_grant_table_op(cmd, arg, 1);
}

static void set_up(void)
{
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
    struct gnttab_set_version v = { .version = 1 };
    struct gnttab_get_version g = { .dom = DOMID_SELF };
    xen_pfn_t frame = 0;

    expect_eq(op(GNTTABOP_set_version, &v), 0);
    expect_eq(op(GNTTABOP_get_version, &g), 0);
    expect_eq(g.version, 1);
    v.version = 3;
    expect_eq(op(GNTTABOP_set_version, &v), -EINVAL);
    expect_eq(op(GNTTABOP_query_size, &q), 0);
    expect_eq(q.status, GNTST_okay);
    check(q.max_nr_frames >= 4 && q.nr_frames >= 1, "%u of %u frames", q.nr_frames, q.max_nr_frames);
    q.dom = 77;
    expect_eq(op(GNTTABOP_query_size, &q), 0);
    expect_eq(q.status, GNTST_bad_domain);
    set_xen_guest_handle(s.frame_list, &frame);
    expect_eq(op(GNTTABOP_setup_table, &s), 0);
    expect_eq(s.status, GNTST_okay);
    table = pv_vaddr_reserve(1);
    require(!pv_map((unsigned long)table, pv_pte(mfn(frame), PTE_KERNEL)), "map the table's first frame");
    s.nr_frames = 100000;
    expect_eq(op(GNTTABOP_setup_table, &s), 0);
    expect_eq(s.status, GNTST_general_error);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &s, 2), -EINVAL);
    s.dom = 77;
    s.nr_frames = 1;
    expect_eq(op(GNTTABOP_setup_table, &s), 0);
    expect_eq(s.status, GNTST_bad_domain);
    require(!pv_grant_init(), "libpv's grant table");
}

static struct gnttab_map_grant_ref map(int ref, const void *va, uint32_t flags)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = (unsigned long)va, .flags = flags, .ref = (grant_ref_t)ref, .dom = self
    };

    expect_eq(op(GNTTABOP_map_grant_ref, &m), 0);
    return m;
}

static int unmap(grant_handle_t handle, const void *va)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = (unsigned long)va, .handle = handle };

    expect_eq(op(GNTTABOP_unmap_grant_ref, &u), 0);
    return u.status;
}

static void map_and_unmap(void)
{
    volatile uint64_t *window = pv_vaddr_reserve(1);
    uint64_t *page = test_page();
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), false);
    struct gnttab_map_grant_ref m = map(ref, (void *)window, GNTMAP_host_map);

    expect_eq(m.status, GNTST_okay);
    page[0] = 99;
    expect_eq(window[0], 99);
    expect_no_fault(window[1] = 5);
    expect_eq(table[ref].flags, GTF_permit_access | GTF_reading | GTF_writing);
    check(!pv_grant_end(ref), "a mapped entry isn't given up");
    expect_eq(unmap(m.handle + 1000, (void *)window), GNTST_bad_handle);
    expect_eq(unmap(m.handle, (char *)window + PAGE_SIZE), GNTST_general_error);
    expect_eq(window[0], 99);
    expect_eq(unmap(m.handle, (void *)window), GNTST_okay);
    expect_fault(PF, 0, window[0]);
    expect_eq(table[ref].flags, GTF_permit_access);
    expect_eq(unmap(m.handle, (void *)window), GNTST_bad_handle);
    check(pv_grant_end(ref), "now it is given up");
    expect_eq(table[ref].flags, 0);
    m = map(ref, (void *)window, GNTMAP_host_map);
    check(m.status == GNTST_general_error || m.status == GNTST_bad_gntref, "an empty entry: %d", m.status);
}

static void readonly(void)
{
    volatile uint64_t *window = pv_vaddr_reserve(1);
    uint64_t *page = test_page();
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), true);
    struct gnttab_map_grant_ref m = map(ref, (void *)window, GNTMAP_host_map);

    check(m.status != GNTST_okay, "a read-only grant is not mapped writable");
    m = map(ref, (void *)window, GNTMAP_host_map | GNTMAP_readonly);
    expect_eq(m.status, GNTST_okay);
    expect_eq(table[ref].flags, GTF_permit_access | GTF_readonly | GTF_reading);
    expect_fault(PF, 3, window[0] = 1);
    expect_eq(pv_map((unsigned long)window, test_pte(page, PTE_KERNEL)),
              0); /* it is our own frame: no harm */
    expect_eq(unmap(m.handle, (void *)window),
              GNTST_general_error); /* but the mapping isn't that of the grant */
    expect_eq(pv_map((unsigned long)window, test_pte(page, PTE_KERNEL_RO)), 0);
    expect_eq(unmap(m.handle, (void *)window), GNTST_okay);
    check(pv_grant_end(ref), "given up");
}

/* Each mapping counts for itself, by kind. */
static void counts(void)
{
    char *window = pv_vaddr_reserve(3);
    uint64_t *page = test_page();
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), false);
    struct gnttab_map_grant_ref a = map(ref, window, GNTMAP_host_map),
                                b = map(ref, window + PAGE_SIZE, GNTMAP_host_map | GNTMAP_readonly),
                                c = map(ref, window + 2 * PAGE_SIZE, GNTMAP_host_map);

    check(!a.status && !b.status && !c.status, "three mappings");
    expect_eq(test_pin(1, page), -EINVAL); /* a frame mapped writable is no table */
    expect_eq(unmap(a.handle, window), GNTST_okay);
    expect_eq(table[ref].flags & (GTF_reading | GTF_writing), GTF_reading | GTF_writing);
    expect_eq(unmap(c.handle, window + 2 * PAGE_SIZE), GNTST_okay);
    expect_eq(table[ref].flags & (GTF_reading | GTF_writing), GTF_reading);
    expect_eq(unmap(b.handle, window + PAGE_SIZE), GNTST_okay);
    check(pv_grant_end(ref), "none left");
}

static void by_entry(void)
{
    volatile uint64_t *window = pv_vaddr_reserve(1);
    uint64_t *page = test_page();
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), false);
    maddr_t pte = pv_walk_maddr((unsigned long)window);
    struct gnttab_map_grant_ref m = map(ref, (void *)pte.v, GNTMAP_host_map | GNTMAP_contains_pte);

    expect_eq(m.status, GNTST_okay);
    page[3] = 77;
    expect_eq(window[3], 77);
    expect_eq(unmap(m.handle, (void *)pte.v), GNTST_okay);
    expect_fault(PF, 0, window[3]);
    m = map(ref, (void *)(pte.v + 4), GNTMAP_host_map | GNTMAP_contains_pte); /* misaligned */
    check(m.status != GNTST_okay, "misaligned entry: %d", m.status);
    m = map(ref, (void *)pv_virt_to_maddr(page).v, GNTMAP_host_map | GNTMAP_contains_pte); /* no table */
    check(m.status != GNTST_okay, "an entry in a page that is no table: %d", m.status);
    check(pv_grant_end(ref), "given up");
}

static void replace(void)
{
    volatile uint64_t *window = pv_vaddr_reserve(2), *other = window + 512;
    uint64_t *page = test_page(), *mine = test_page();
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), false);
    struct gnttab_map_grant_ref m = map(ref, (void *)window, GNTMAP_host_map);
    struct gnttab_unmap_and_replace r = { .host_addr = (unsigned long)window,
                                          .new_addr = (unsigned long)other };

    require(!pv_map((unsigned long)other, test_pte(mine, PTE_KERNEL)), "map");
    mine[0] = 55;
    r.handle = m.handle;
    expect_eq(op(GNTTABOP_unmap_and_replace, &r), 0);
    expect_eq(r.status, GNTST_okay);
    expect_eq(window[0], 55);
    expect_fault(PF, 0, other[0]);
    check(pv_grant_end(ref), "given up");
}

static int16_t copy(struct gnttab_copy c)
{
    static struct gnttab_copy one;

    one = c;
    expect_eq(pv_grant_copy(&one, 1), 0);
    return one.status;
}

static void copies(void)
{
    uint64_t *from = test_page(), *to = test_page(), *l1 = test_table_page();
    int ref = pv_grant_access(self, pv_virt_to_mfn(from), true),
        wref = pv_grant_access(self, pv_virt_to_mfn(to), false);
    struct gnttab_copy c = { .source.u.ref = (grant_ref_t)ref,
                             .source.domid = self,
                             .dest.u.gmfn = pv_virt_to_mfn(to).v,
                             .dest.domid = DOMID_SELF,
                             .len = PAGE_SIZE,
                             .flags = GNTCOPY_source_gref };

    memset(from, 0x5a, PAGE_SIZE);
    expect_eq(copy(c), GNTST_okay);
    expect_eq(memcmp(from, to, PAGE_SIZE), 0);
    expect_eq(table[ref].flags, GTF_permit_access | GTF_readonly);
    c.source.offset = 8;
    expect_eq(copy(c), GNTST_bad_copy_arg); /* over the page's end */
    c.len = 16;
    c.dest.offset = PAGE_SIZE - 8;
    expect_eq(copy(c), GNTST_bad_copy_arg);
    c.dest.offset = 0;
    memset(to, 0, PAGE_SIZE);
    expect_eq(copy(c), GNTST_okay);
    check(to[0] == 0x5a5a5a5a5a5a5a5aUL && to[1] == to[0] && to[2] == 0, "16 bytes");
    c.source.u.ref = 500;
    check(copy(c) != GNTST_okay, "an empty entry");
    c.source.u.ref = 0xffffff;
    expect_eq(copy(c), GNTST_bad_gntref);
    c = (struct gnttab_copy){ .source.u.gmfn = pv_virt_to_mfn(from).v,
                              .source.domid = DOMID_SELF,
                              .dest.u.ref = (grant_ref_t)wref,
                              .dest.domid = self,
                              .len = 8,
                              .flags = GNTCOPY_dest_gref };
    from[0] = 4711;
    expect_eq(copy(c), GNTST_okay);
    expect_eq(to[0], 4711);
    c.dest.u.ref = (grant_ref_t)ref; /* read-only */
    check(copy(c) != GNTST_okay, "into a read-only grant");
    c.flags = 0;
    c.dest.u.gmfn = pv_virt_to_mfn(l1).v;
    c.dest.domid = DOMID_SELF;
    require(!test_pin(1, l1), "an L1");
    check(copy(c) != GNTST_okay, "into a page table");
    expect_eq(l1[0], 0);
    c.dest.u.gmfn = test_foreign_mfn();
    check(copy(c) != GNTST_okay, "into nobody's frame");
    c.dest.u.gmfn = pv_virt_to_mfn(to).v;
    c.dest.domid = 77;
    check(copy(c) != GNTST_okay, "into another domain's frame");
    check(pv_grant_end(ref) && pv_grant_end(wref), "given up");
}

static void refusals(void)
{
    void *window = pv_vaddr_reserve(1);
    uint64_t *page = test_page();
    int ref = pv_grant_access(self, pv_virt_to_mfn(page), false),
        bad = pv_grant_access(self, mfn(test_foreign_mfn()), false);
    int others = pv_grant_access(77, pv_virt_to_mfn(page), false);
    struct gnttab_map_grant_ref m = { .host_addr = (unsigned long)window,
                                      .flags = GNTMAP_host_map,
                                      .dom = 77 };

    expect_eq(op(GNTTABOP_map_grant_ref, &m), 0);
    expect_eq(m.status, GNTST_bad_domain);
    expect_eq(map(0x7fffffff, window, GNTMAP_host_map).status, GNTST_bad_gntref);
    expect_eq(map(ref, window, 0).status, GNTST_bad_gntref); /* neither host nor device */
    check(map(bad, window, GNTMAP_host_map).status != GNTST_okay, "a frame that isn't the granter's");
    check(map(others, window, GNTMAP_host_map).status != GNTST_okay, "a grant for another domain");
    check(map(ref, (void *)0xffff820000000000UL, GNTMAP_host_map).status != GNTST_okay,
          "into the hypervisor");
    check(map(ref, (void *)NOWHERE, GNTMAP_host_map).status != GNTST_okay, "where there is no L1");
    expect_eq(table[ref].flags, GTF_permit_access);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, (void *)NOWHERE, 1), -EFAULT);
    expect_eq(HYPERVISOR_grant_table_op(99, page, 1), -ENOSYS);
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &m, 0), 0);
    check(pv_grant_end(ref) && pv_grant_end(bad) && pv_grant_end(others), "given up");
}

/* More references than one frame of the table holds: it grows. */
static void growth(void)
{
    static int refs[1500];
    uint64_t *page = test_page();
    unsigned int bad = 0;

    for (int i = 0; i < 1500; i++) {
        refs[i] = pv_grant_access(self, pv_virt_to_mfn(page), true);
        bad += refs[i] < PV_GRANT_RESERVED;
    }
    expect_eq(bad, 0);
    void *window = pv_vaddr_reserve(1);
    struct gnttab_map_grant_ref m = map(refs[1499], window, GNTMAP_host_map | GNTMAP_readonly);
    expect_eq(m.status, GNTST_okay);
    expect_eq(unmap(m.handle, window), GNTST_okay);
    for (int i = 0; i < 1500; i++)
        bad += !pv_grant_end(refs[i]);
    expect_eq(bad, 0);
}

void test_main(void)
{
    self = pv_domid();
    set_up();
    map_and_unmap();
    readonly();
    counts();
    by_entry();
    replace();
    copies();
    refusals();
    growth();
}
