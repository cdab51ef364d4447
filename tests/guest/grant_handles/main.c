/* SPDX-License-Identifier: MIT
 *
 * A domain maps grants until there is no handle left: that is refused, and one that is given back can be had
 * again. What is left when the domain ends is the hypervisor's to undo. docs/safety.md: bound what a guest
 * can make you hold; XSA-380.
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("grant_handles");
ROLE(domU);

#define TIMES  128     /* mappings of one kind that an entry can count */
#define ROUNDS 600     /* of TIMES mappings: more than Parador has handles */
#define MOST   5000000 /* more than any hypervisor gives */

static struct gnttab_map_grant_ref maps[TIMES];

/* TIMES mappings of a fresh entry. How many were made; what stopped them in *status. */
static unsigned int map_entry(uint64_t *page, int *status)
{
    int ref = pv_grant_access(pv_domid(), pv_virt_to_mfn(page), true);
    unsigned int n = 0;

    require(ref > 0, "a grant reference");
    for (unsigned int i = 0; i < TIMES; i++)
        maps[i] = (struct gnttab_map_grant_ref){ .flags = GNTMAP_device_map | GNTMAP_readonly,
                                                 .ref = (grant_ref_t)ref,
                                                 .dom = pv_domid() };
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, maps, TIMES), 0);
    while (n < TIMES && maps[n].status == GNTST_okay)
        n++;
    *status = n < TIMES ? maps[n].status : GNTST_okay;
    return n;
}

/* Flags that mean nothing do nothing: such a mapping ends like any other, and its handle is free again. */
static void unknown_flags(uint64_t *page)
{
    int ref = pv_grant_access(pv_domid(), pv_virt_to_mfn(page), true), status = GNTST_okay;
    struct gnttab_unmap_grant_ref u[TIMES];

    require(ref > 0, "a grant reference");
    for (unsigned int round = 0; round < ROUNDS && status == GNTST_okay; round++) {
        for (unsigned int i = 0; i < TIMES; i++)
            maps[i] = (struct gnttab_map_grant_ref){ .flags = GNTMAP_device_map | GNTMAP_readonly | 0xff00,
                                                     .ref = (grant_ref_t)ref,
                                                     .dom = pv_domid() };
        expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, maps, TIMES), 0);
        for (unsigned int i = 0; i < TIMES; i++)
            u[i] = (struct gnttab_unmap_grant_ref){ .dev_bus_addr = maps[i].dev_bus_addr,
                                                    .handle = maps[i].handle };
        expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, u, TIMES), 0);
        for (unsigned int i = 0; i < TIMES && status == GNTST_okay; i++)
            status = maps[i].status ? maps[i].status : u[i].status;
    }
    expect_eq(status, GNTST_okay);
}

void test_main(void)
{
    uint64_t *page = test_page();
    unsigned long total = 0;
    int status = GNTST_okay;
    struct gnttab_map_grant_ref again, first;
    struct gnttab_unmap_grant_ref u = { .dev_bus_addr = pv_virt_to_maddr(page).v };

    require(!pv_grant_init(), "the grant table");
    unknown_flags(page);
    require(map_entry(page, &status) == TIMES, "the first mappings");
    first = maps[0];
    for (total = TIMES; status == GNTST_okay && total < MOST;)
        total += map_entry(page, &status);
    check(total < MOST && total >= 1024, "%lu mappings", total);
    expect_eq(status, GNTST_no_space);
    u.handle = first.handle;
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
    expect_eq(u.status, GNTST_okay);
    again = (struct gnttab_map_grant_ref){ .flags = first.flags, .ref = first.ref, .dom = first.dom };
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &again, 1), 0);
    expect_eq(again.status, GNTST_okay);
}
