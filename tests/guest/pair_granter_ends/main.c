/* SPDX-License-Identifier: MIT
 *
 * The granter's domain ends while the other side still maps its frame: the port's other end is closed, the
 * frame stays readable and writable until the last unmap, and nothing new can be mapped. On Parador the
 * runner's check of free frames then shows that the frame was freed after all.
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/hypercall.h"
#include "libpv/string.h"
#include "libpv/time.h"
#include <xen/event_channel.h>
#include "tests/guest/pair.h"

TEST("pair_granter_ends");
ROLE(pair);

enum { FRAME = 21, NEVER_MAPPED };

#define LIMIT 20000000000UL

static void pause(void)
{
    struct sched_poll poll = { .timeout = pv_time_ns() + 2000000 };

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

/* The other end is gone: this one is unbound again. */
static bool peer_ended(void)
{
    struct evtchn_status s = { .dom = DOMID_SELF, .port = pair.port };
    uint64_t until = pv_time_ns() + LIMIT;

    do {
        pause();
        require(!HYPERVISOR_event_channel_op(EVTCHNOP_status, &s), "status of port %u", pair.port);
    } while (s.status == EVTCHNSTAT_interdomain && pv_time_ns() < until);
    return s.status == EVTCHNSTAT_unbound;
}

/* Whether an entry of the peer's can no longer be mapped. Parador refuses as soon as the domain ends; on Xen
 * the frames can be had until the tools have freed them. */
static bool nothing_given(int entry)
{
    uint64_t until = pv_time_ns() + (test_on_parador() ? 0 : LIMIT);
    void *spare = pv_vaddr_reserve(1);
    grant_handle_t h;

    while (pv_grant_map(pair.peer, (grant_ref_t)entry, spare, false, &h) == GNTST_okay) {
        expect_eq(pv_grant_unmap(h, spare), GNTST_okay);
        if (pv_time_ns() >= until)
            return false;
        pause();
    }
    return true;
}

static void b_side(volatile uint64_t *window, grant_handle_t handle)
{
    check(peer_ended(), "the port is closed at the other end");
    expect_eq(pv_event_send(pair.port), 0); /* to nobody */
    expect_eq(window[3], 0x7777777777777777UL);
    window[3] = 0xb;
    expect_eq(window[3], 0xb);
    check(nothing_given(NEVER_MAPPED), "a new mapping");
    expect_eq(pv_grant_unmap(handle, (void *)window), GNTST_okay);
    expect_fault(PF, 0, window[3]);
    check(nothing_given(FRAME), "the same again");
}

void test_main(void)
{
    volatile uint64_t *window = NULL;
    grant_handle_t handle = 0;

    pair_init();
    if (pair.is_a) {
        uint64_t *page = test_page();

        memset(page, 0x77, PAGE_SIZE);
        pv_grant_set(FRAME, pair.peer, pv_virt_to_mfn(page), false);
        pv_grant_set(NEVER_MAPPED, pair.peer, pv_virt_to_mfn(test_page()), false);
    }
    pair_sync();
    if (!pair.is_a) {
        window = pv_vaddr_reserve(1);
        require(pv_grant_map(pair.peer, FRAME, (void *)window, false, &handle) == GNTST_okay, "map");
    }
    pair_sync();
    if (pair.is_a)
        check(!pv_grant_revoke(FRAME), "it is mapped: it can't be taken back"); /* and so it ends */
    else
        b_side(window, handle);
}
