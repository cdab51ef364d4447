/* SPDX-License-Identifier: MIT
 *
 * A domain that asks for more and more of one thing: grant mappings, grant entries, frames. Each has a bound;
 * at it the calls are refused, what was there still works, and all can be given back and had again.
 * docs/safety.md "bound every number", XSA-224.
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("exhaust");
ROLE(dom0, domU);

#define MAPS 20000

static grant_handle_t handles[MAPS];

/* One page mapped again and again, always at another address. */
static unsigned int map_all(char *area, unsigned int room, int ref, int *status)
{
    unsigned int n = 0;

    *status = GNTST_okay;
    for (; n < room && n < MAPS; n++) {
        *status = pv_grant_map(pv_domid(), (grant_ref_t)ref, area + n * PAGE_SIZE, true, &handles[n]);
        if (*status != GNTST_okay)
            break;
    }
    return n;
}

static void mappings(void)
{
    const unsigned int room = MAPS;
    char *area = pv_vaddr_reserve(room);
    uint64_t *page = test_page();
    int ref = pv_grant_access(pv_domid(), pv_virt_to_mfn(page), true), status;
    unsigned int first, again, bad = 0;

    require(area, "address space");
    page[0] = 77;
    first = map_all(area, room, ref, &status);
    check(first >= 120, "%u mappings of one grant", first); /* seven bits count them */
    check(first == room || status < 0, "then status %d", status);
    for (unsigned int i = 0; i < first; i++)
        bad += *(volatile uint64_t *)(area + i * PAGE_SIZE) != 77;
    expect_eq(bad, 0);
    for (unsigned int i = 0; i < first; i++)
        bad += pv_grant_unmap(handles[i], area + i * PAGE_SIZE) != GNTST_okay;
    expect_eq(bad, 0);
    again = map_all(area, room, ref, &status);
    expect_eq(again, first);
    for (unsigned int i = 0; i < again; i++)
        bad += pv_grant_unmap(handles[i], area + i * PAGE_SIZE) != GNTST_okay;
    expect_eq(bad, 0);
    check(pv_grant_end(ref), "given up");
}

static void handles_run_out(void)
{
    const unsigned int room = MAPS;
    char *area = pv_vaddr_reserve(room);
    uint64_t *page = test_page();
    unsigned int n = 0, bad = 0;
    int refs[200], nr = 0, status = GNTST_okay;

    require(area, "address space");
    while (n < room && status == GNTST_okay) {
        if (n % 100 == 0)
            refs[nr++] = pv_grant_access(pv_domid(), pv_virt_to_mfn(page), true);
        status = pv_grant_map(pv_domid(), (grant_ref_t)refs[nr - 1], area + n * PAGE_SIZE, true, &handles[n]);
        n += status == GNTST_okay;
    }
    check(n >= 1000, "%u handles", n);
    check(n == room || status == GNTST_no_space || status == GNTST_general_error, "then status %d", status);
    for (unsigned int i = 0; i < n; i++)
        bad += pv_grant_unmap(handles[i], area + i * PAGE_SIZE) != GNTST_okay;
    expect_eq(bad, 0);
    for (int i = 0; i < nr; i++)
        bad += !pv_grant_end(refs[i]);
    expect_eq(bad, 0);
}

static void entries(void)
{
    static uint16_t refs[PV_GRANT_FRAMES * 512];
    unsigned int n = 0;
    int ref;

    while ((ref = pv_grant_alloc()) > 0)
        refs[n++] = (uint16_t)ref;
    check(n >= 500, "%u entries", n);
    for (unsigned int i = 0; i < n; i++)
        pv_grant_free(refs[i]);
    check(pv_grant_alloc() > 0, "and again");
}

/* More frames than the domain may have. */
static void frames(void)
{
    static xen_pfn_t list[4096];
    struct xen_memory_reservation r = { .nr_extents = 4096, .domid = DOMID_SELF };
    domid_t self = DOMID_SELF;
    long now = HYPERVISOR_memory_op(XENMEM_current_reservation, &self);
    long max = HYPERVISOR_memory_op(XENMEM_maximum_reservation, &self);
    long got = 0, n;

    if (max - now > 100000) {
        pv_printf("no bound on frames here: %ld of %ld\n", now, max);
        return;
    }
    do {
        for (unsigned int i = 0; i < 4096; i++)
            list[i] = pv_nr_pages() + (unsigned long)got + i;
        set_xen_guest_handle(r.extent_start, list);
        n = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
        got += n > 0 ? n : 0;
        if (n > 0) {
            r.nr_extents = (xen_ulong_t)n;
            expect_eq(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r), n);
        }
        r.nr_extents = 4096;
    } while (n == 4096 && got < 100000);
    check(n < 4096 && n <= max - now, "%ld frames at once, with room for %ld", n, max - now);
    expect_eq(HYPERVISOR_memory_op(XENMEM_current_reservation, &self), now);
}

void test_main(void)
{
    require(!pv_grant_init(), "grants");
    mappings();
    handles_run_out();
    entries();
    frames();
}
