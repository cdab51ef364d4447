/* SPDX-License-Identifier: MIT
 *
 * A domain ends without unmapping what it maps of another's: the granter gets its frames back, and its
 * entries can be taken away. xen/grant_table.h: GTF_reading, GTF_writing.
 */
#include "libpv/grant.h"
#include "libpv/hypercall.h"
#include "libpv/string.h"
#include "libpv/time.h"
#include "tests/guest/pair.h"

TEST("pair_mapper_ends");
ROLE(pair);

enum { FIRST = 21, GRANTS = 8 };

#define LIMIT 20000000000UL

static void pause(void)
{
    struct sched_poll poll = { .timeout = pv_time_ns() + 2000000 };

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

static bool given_back(int ref)
{
    uint64_t until = pv_time_ns() + LIMIT;

    while (!pv_grant_revoke(ref) && pv_time_ns() < until)
        pause();
    return pv_grant_revoke(ref);
}

static void b_maps(void)
{
    grant_handle_t handle;

    for (int i = 0; i < GRANTS; i++) {
        volatile uint64_t *window = pv_vaddr_reserve(1);

        require(pv_grant_map(pair.peer, FIRST + (grant_ref_t)i, (void *)window, i & 1, &handle) == GNTST_okay,
                "map %d", i);
        expect_eq(window[0], 0x100UL + (unsigned long)i);
        if (!(i & 1))
            window[1] = 0xb;
    }
}

void test_main(void)
{
    uint64_t *pages[GRANTS];

    pair_init();
    for (int i = 0; pair.is_a && i < GRANTS; i++) {
        pages[i] = test_page();
        pages[i][0] = 0x100 + (uint64_t)i;
        pv_grant_set(FIRST + i, pair.peer, pv_virt_to_mfn(pages[i]), i & 1);
    }
    pair_sync();
    if (!pair.is_a)
        b_maps();
    pair_sync();
    if (!pair.is_a)
        return; /* and end, with all of it mapped */
    for (int i = 0; i < GRANTS; i++) {
        check(given_back(FIRST + i), "entry %d", i);
        expect_eq(pages[i][1], i & 1 ? 0 : 0xb);
        memset(pages[i], 0, PAGE_SIZE);
        require(!pv_map((unsigned long)pages[i], test_pte(pages[i], PTE_KERNEL_RO)), "read-only");
        expect_eq(test_pin(1, pages[i]), 0); /* nobody writes to it any more: it can be a page table */
        expect_eq(test_unpin(pages[i]), 0);
    }
}
