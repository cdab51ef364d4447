/* SPDX-License-Identifier: MIT
 *
 * Memory that changes hands carries nothing over: a fills pages with a pattern and ends; b then takes as many
 * frames as it may have, and finds the pattern in none of them. How many of a's frames came is printed.
 * docs/safety.md "a frame is zeroed before another domain gets it"; XSA-214.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/time.h"
#include "tests/guest/pair.h"

TEST("pair_secrets");
ROLE(pair);

#define SECRET 0x5ec2e75ec2e75ec2UL
#define PAGES  2048
enum { FIRST, LAST, COUNT }; /* words: the range of a's frame numbers */

static xen_pfn_t frames[PAGES];

static struct xen_memory_reservation all(unsigned long n)
{
    struct xen_memory_reservation r = { .nr_extents = n, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, frames);
    return r;
}

/* a: the pattern in PAGES pages. */
static void hide(void)
{
    uint64_t first = ~0UL, last = 0;

    for (unsigned int i = 0; i < PAGES; i++) {
        uint64_t *page = test_page();
        uint64_t frame = pv_virt_to_mfn(page).v;

        for (unsigned int k = 0; k < 512; k++)
            page[k] = SECRET;
        first = frame < first ? frame : first;
        last = frame > last ? frame : last;
    }
    pair.page->words[FIRST] = first;
    pair.page->words[LAST] = last;
}

/* b: gives PAGES frames back, so that it may have as many again. */
static void make_room(void)
{
    struct xen_memory_reservation r = all(PAGES);

    for (unsigned int i = 0; i < PAGES; i++) {
        uint64_t *page = test_page();

        frames[i] = pv_virt_to_mfn(page).v;
        require(!pv_map((unsigned long)page, 0), "unmap");
    }
    require(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r) == PAGES, "give %u pages back", PAGES);
}

static bool holds_secret(volatile uint64_t *page)
{
    for (unsigned int k = 0; k < 512; k++)
        if (page[k] == SECRET)
            return true;
    return false;
}

static void seek(uint64_t first, uint64_t last)
{
    unsigned long window = (unsigned long)pv_vaddr_reserve(1);
    struct xen_memory_reservation r = all(PAGES);
    long n = HYPERVISOR_memory_op(XENMEM_increase_reservation, &r);
    unsigned int in_range = 0, found = 0;

    check(n == PAGES, "%ld frames came", n);
    for (long i = 0; i < n; i++) {
        in_range += frames[i] >= first && frames[i] <= last;
        require(!pv_map(window, pv_pte(mfn(frames[i]), PTE_KERNEL)), "map frame %lx", frames[i]);
        found += holds_secret((volatile uint64_t *)window);
    }
    pv_printf("%ld frames, %u of them from where a had its own\n", n, in_range);
    check(found == 0, "a's pattern in %u frames", found);
    require(!pv_map(window, 0), "unmap");
}

/* Until a's grant of the shared page can't be used any more, or long enough for its end. */
static void wait_for_end(void)
{
    struct sched_poll poll;

    for (int i = 0; i < 40; i++) {
        poll = (struct sched_poll){ .timeout = pv_time_ns() + 20000000 };
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    }
}

void test_main(void)
{
    pair_init();
    if (pair.is_a) {
        hide();
        pair_sync();
        check(pair.steps > 0, "b is there");
        return;
    }
    make_room();
    pair_sync();
    uint64_t first = pair.page->words[FIRST], last = pair.page->words[LAST];
    wait_for_end();
    seek(first, last);
}
