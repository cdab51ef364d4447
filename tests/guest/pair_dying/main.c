/* SPDX-License-Identifier: MIT
 *
 * A domain that ends while another maps a page of it: the mapped page stays what it was, no further entry of
 * the dead domain can be used, and its frames come back with the last unmap (the runner compares the counts).
 * docs/safety.md XSA-380 (teardown), grants.
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/shutdown.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/time.h"
#include "tests/guest/pair.h"

TEST("pair_dying");
ROLE(pair);

enum { FIRST, SECOND };

static void rest(uint64_t ns)
{
    struct sched_poll poll = { .timeout = pv_time_ns() + ns };

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

static void survivor(void)
{
    volatile uint64_t *first = pv_vaddr_reserve(1), *second = pv_vaddr_reserve(1);
    grant_handle_t handle, other;
    int status = GNTST_okay;

    pair_sync();
    grant_ref_t refs[] = { (grant_ref_t)pair.page->words[FIRST], (grant_ref_t)pair.page->words[SECOND] };
    expect_eq(pv_grant_map(pair.peer, refs[0], (void *)first, false, &handle), GNTST_okay);
    expect_eq(first[0], 0x1234);
    pair_sync();
    /* a powers off now. Stock Xen keeps a domain that was shut down until its tools destroy it. */
    for (int i = 0; i < 100 && status == GNTST_okay; i++) {
        rest(5000000);
        status = pv_grant_map(pair.peer, refs[1], (void *)second, true, &other);
        if (status == GNTST_okay)
            expect_eq(pv_grant_unmap(other, (void *)second), GNTST_okay);
    }
    if (test_on_parador())
        check(status == GNTST_general_error, "the dead domain's other page: %d", status);
    expect_eq(first[0], 0x1234); /* what is mapped stays */
    first[1] = 1;
    expect_eq(pv_grant_unmap(handle, (void *)first), GNTST_okay);
    expect_fault(PF, 0, first[0]);
}

void test_main(void)
{
    pair_init();
    if (pair.is_a) {
        uint64_t *first = test_page(), *second = test_page();

        first[0] = 0x1234;
        pair.page->words[FIRST] = (uint64_t)pv_grant_access(pair.peer, pv_virt_to_mfn(first), false);
        pair.page->words[SECOND] = (uint64_t)pv_grant_access(pair.peer, pv_virt_to_mfn(second), false);
        pair_sync();
        pair_sync();
        check(first[0] == 0x1234, "mapped by b");
    } else {
        survivor();
    }
}
