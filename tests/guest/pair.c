/* SPDX-License-Identifier: MIT
 *
 * The meeting of two test domains: pair.h.
 */
#include "tests/guest/pair.h"
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/time.h"

#define LIMIT 20000000000UL

struct pair pair;

static void pause(void)
{
    struct sched_poll poll = { .timeout = pv_time_ns() + 2000000 };

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

/* Ports are given out from low numbers; those before the wanted one are closed again. */
static void open_port(void)
{
    int ports[PAIR_PORT], n = 0, port;

    while ((port = pv_event_alloc_unbound(pair.peer, NULL, NULL)) > 0 && port < PAIR_PORT && n < PAIR_PORT)
        ports[n++] = port;
    require(port == PAIR_PORT, "port %d came, not %d", port, PAIR_PORT);
    while (n > 0)
        pv_event_close((unsigned int)ports[--n]);
    pair.port = PAIR_PORT;
}

static void find_port(uint64_t until)
{
    int port;

    while ((port = pv_event_bind_interdomain(pair.peer, PAIR_PORT, NULL, NULL)) < 0 && pv_time_ns() < until)
        pause();
    require(port > 0, "domain %u never opened its port: %d", pair.peer, port);
    pair.port = (unsigned int)port;
}

static void find_page(uint64_t until)
{
    void *va = pv_vaddr_reserve(1);
    grant_handle_t handle;
    int status;

    while ((status = pv_grant_map(pair.peer, PAIR_REF, va, false, &handle)) != GNTST_okay &&
           pv_time_ns() < until)
        pause();
    require(status == GNTST_okay, "domain %u never granted its page: %d", pair.peer, status);
    pair.page = va;
}

void pair_init(void)
{
    uint64_t until = pv_time_ns() + LIMIT;
    char word[8];

    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    require(pv_cmdline_option("peer", word, sizeof(word)), "the word peer=N");
    pair.peer = (domid_t)strtoul(word, NULL, 10);
    require(pv_cmdline_option("role", word, sizeof(word)), "the word role=a or role=b");
    pair.is_a = word[0] == 'a';
    int err = pv_grant_init();
    require(!err, "grants: %d", err);
    if (pair.is_a) {
        void *page = test_page();

        pair.page = page;
        open_port();
        pv_grant_set(PAIR_REF, pair.peer, pv_virt_to_mfn(page), false);
    } else {
        find_port(until);
        find_page(until);
    }
    pair_sync();
}

void pair_sync(void)
{
    volatile uint32_t *mine = &pair.page->step[pair.is_a ? 0 : 1],
                      *other = &pair.page->step[pair.is_a ? 1 : 0];
    uint64_t until = pv_time_ns() + LIMIT;

    __atomic_store_n(mine, ++pair.steps, __ATOMIC_RELEASE);
    while (__atomic_load_n(other, __ATOMIC_ACQUIRE) < pair.steps && pv_time_ns() < until)
        pause();
    require(__atomic_load_n(other, __ATOMIC_ACQUIRE) >= pair.steps, "the other side didn't come to step %u",
            pair.steps);
}
