/* SPDX-License-Identifier: MIT
 *
 * Domain 0 destroys domains in every state that they can be in, and each time all of it comes back: frames,
 * ports, grants. What others still map stays, with the dying domain, until it is unmapped. docs/safety.md
 * XSA-45, 290, 380 (teardown), 217, 287; xen/domctl.h.
 */
#include "libpv/domctl.h"
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/shutdown.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/time.h"
#include "tests/guest/child.h"
#include "tests/guest/vcpus.h"

TEST("destroy_states");
ROLE(dom0);
// ramdisk: itself

#define VCPUS  4
#define TABLES 48 /* of the tree that is pinned and unpinned */
#define PAGES  5  /* that are granted, or mapped */
#define NOBODY 77 /* no domain has this number */
#define REF    20 /* of the first grant, on both sides */

enum { COUNT = CHILD_COUNT, IN_PIN, DELAY, PORT, FRAMES = 16 }; /* words of the shared page */

/* ---- the children ---- */

/* All its vcpus run. */
static void child_vcpus(void)
{
    static struct vcpu_guest_context c;

    for (unsigned int i = 1; i < VCPUS; i++) {
        test_context(&c, child_count, (char *)test_page() + PAGE_SIZE);
        if (HYPERVISOR_vcpu_op(VCPUOP_initialise, i, &c) || HYPERVISOR_vcpu_op(VCPUOP_up, i, NULL))
            child_count(); /* without step 1 */
    }
    child_step(1);
    child_count();
}

/* Pins and unpins a large tree all the time, and says when it is in one of the two calls. */
static void child_pins(void)
{
    uint64_t *l2 = test_page(), *page = test_page();

    for (unsigned int t = 0; t < TABLES; t++) {
        uint64_t *l1 = test_page();

        for (unsigned int i = 0; i < 512; i++)
            l1[i] = test_pte(page, PTE_KERNEL_RO);
        test_readonly(l1, true);
        l2[t] = test_pte(l1, PTE_TABLE);
    }
    test_readonly(l2, true);
    for (volatile uint64_t i = child_page()->words[DELAY] * 12000; i; i--)
        ;
    child_step(1);
    for (;;) {
        child_page()->words[IN_PIN] = 1;
        test_pin(2, l2);
        child_page()->words[IN_PIN] = 2;
        test_unpin(l2);
        child_page()->words[IN_PIN] = 0;
        child_page()->words[COUNT]++;
    }
}

/* Grants pages to domain 0, and maps what domain 0 grants it. */
static void child_grants(bool maps)
{
    grant_handle_t handle;

    pv_grant_init();
    for (int i = 0; i < PAGES; i++) {
        uint64_t *page = maps ? pv_vaddr_reserve(1) : test_page();

        if (maps && pv_grant_map(0, REF + (grant_ref_t)i, page, i & 1, &handle) != GNTST_okay)
            child_count();
        if (!maps) {
            page[0] = 0x1000 + (uint64_t)i;
            pv_grant_set(REF + i, 0, pv_virt_to_mfn(page), false);
            child_page()->words[FRAMES + i] = pv_virt_to_mfn(page).v;
        }
    }
    child_step(1);
}

static void no_event(unsigned int port, void *data)
{
    (void)port, (void)data;
}

/* Ports of all kinds, and timers. */
static void child_ports(void)
{
    struct vcpu_set_periodic_timer period = { .period_ns = 1000000 };

    for (int i = 0; i < 200; i++)
        pv_event_alloc_unbound(0, NULL, NULL);
    pv_event_bind_ipi(no_event, NULL);
    pv_event_bind_virq(VIRQ_TIMER, no_event, NULL);
    HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &period);
    pv_event_bind_interdomain(0, (unsigned int)child_page()->words[PORT], NULL, NULL);
    child_page()->words[PORT] = (uint64_t)pv_event_alloc_unbound(0, NULL, NULL);
    child_step(1);
    child_await(1);
    pv_events_on();
}

static void child(const char *word)
{
    if (!strcmp(word, "vcpus"))
        child_vcpus();
    if (!strcmp(word, "pins"))
        child_pins();
    if (!strcmp(word, "grants") || !strcmp(word, "maps"))
        child_grants(word[0] == 'm');
    if (!strcmp(word, "ports"))
        child_ports();
    child_step(1);
    if (!strcmp(word, "blocks"))
        rest_ns(3600UL * 1000000000);
    if (!strcmp(word, "ends"))
        pv_poweroff();
    child_count();
}

/* ---- the parent ---- */

static uint64_t before; /* free frames of the machine */
static bool measure;

/* All is back, at once or soon. Stock Xen's pools keep a frame or two, now and then. */
static void all_back(const char *what)
{
    uint64_t least = before - (test_on_parador() ? 0 : PAGES - 1);

    for (int i = 0; i < 20000 && measure && machine_free() < least; i++)
        rest_ns(2000000);
    check(!measure || machine_free() >= least, "%s: %lu free frames, not %lu", what,
          (unsigned long)machine_free(), (unsigned long)before);
}

static void without_running(void)
{
    struct child c;

    child_make(&c, "spins", 1);
    child_end(&c);
    all_back("never ran");
}

static void in_state(const char *word, unsigned int vcpus, bool paused)
{
    struct child c;

    child_make(&c, word, vcpus);
    child_run(&c, 1);
    rest_ns(20000000);
    if (paused)
        expect_eq(pv_domain_pause(c.build.domid), 0);
    child_end(&c);
    all_back(word);
}

/* On Parador it is destroyed when it ends, on stock Xen it waits for that. */
static void after_its_end(void)
{
    struct child c;
    int err;

    child_make(&c, "ends", 1);
    child_run(&c, 1);
    rest_ns(20000000);
    child_unmap(&c);
    err = pv_domain_destroy(c.build.domid);
    check(err == 0 || (test_on_parador() && err == -ESRCH), "destroyed: %d", err);
    check(child_gone(&c), "it is there");
    all_back("ended by itself");
}

/*
 * At different moments of its calls, which are long enough that most moments are inside one: until both were
 * interrupted, which on stock Xen, whose timing isn't ours to know, one of them may never be.
 */
static void in_the_middle_of_a_pin(void)
{
    enum { LEAST = 16, MOST = 100 };
    unsigned int pinning = 0, unpinning = 0;

    for (unsigned int i = 0; i < (test_on_parador() && !(pinning && unpinning) ? MOST : LEAST); i++) {
        struct child c;

        child_make(&c, "pins", 1);
        c.page->words[DELAY] = i; /* its time slice ends at another place */
        child_run(&c, 1);
        while (!c.page->words[IN_PIN] && !c.page->words[COUNT])
            rest_ns(1000000); /* a busy host lets it begin late */
        rest_ns(5000000 + 370000 * i);
        expect_eq(pv_domain_pause(c.build.domid), 0);
        pinning += c.page->words[IN_PIN] == 1;
        unpinning += c.page->words[IN_PIN] == 2;
        child_end(&c);
        all_back("pin");
    }
    check(pinning + unpinning > 0 && (!test_on_parador() || (pinning && unpinning)),
          "in a pin %u times, in an unpin %u times", pinning, unpinning);
}

static bool is_dying(const struct child *c)
{
    struct xen_domctl_getdomaininfo info;

    return !pv_domain_info(c->build.domid, &info) && info.domain == c->build.domid &&
           info.flags & XEN_DOMINF_dying && info.tot_pages == PAGES;
}

/* What can be done to a domain that is dying: to look at it, and to destroy it again. */
static void calls_of_dying(const struct child *c)
{
    domid_t id = c->build.domid;
    xen_pfn_t pfn = 1;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = id };
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = c->build.store_frame };

    set_xen_guest_handle(r.extent_start, &pfn);
    expect_eq(pv_domain_destroy(id), 0);
    expect_eq(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r), 0);
    check(HYPERVISOR_mmuext_op(&pin, 1, NULL, id) < 0, "a table of it is pinned");
}

/* They stay until the last is unmapped. by_grant: or by number, as domain 0 may. */
static void mapped_by_domain_0(bool by_grant)
{
    struct child c;
    uint64_t *window[PAGES];
    grant_handle_t handle[PAGES];

    child_make(&c, "grants", 1);
    child_run(&c, 1);
    for (int i = 0; i < PAGES; i++) {
        uint64_t frame = c.page->words[FRAMES + i];

        window[i] = pv_vaddr_reserve(1);
        require((by_grant ? pv_grant_map(c.build.domid, REF + (grant_ref_t)i, window[i], false, &handle[i])
                          : pv_foreign_map(c.build.domid, window[i], &frame, 1)) == 0,
                "map %d", i);
    }
    child_unmap(&c);
    expect_eq(pv_domain_destroy(c.build.domid), 0);
    check(is_dying(&c), "it keeps %u frames", PAGES);
    calls_of_dying(&c);
    for (int i = 0; i < PAGES; i++) {
        expect_eq(window[i][0], 0x1000 + i);
        window[i][1] = 1;
        check(!test_on_parador() || machine_free() < before, "frame %d is free and mapped", i);
        if (by_grant)
            expect_eq(pv_grant_unmap(handle[i], window[i]), GNTST_okay);
        else
            pv_foreign_unmap(window[i], 1);
    }
    check(child_gone(&c), "the last was unmapped");
    all_back(by_grant ? "granted" : "mapped");
}

static void mapping_domain_0(void)
{
    struct child c;
    uint64_t *page[PAGES];

    child_make(&c, "maps", 1);
    for (int i = 0; i < PAGES; i++) {
        page[i] = test_page();
        pv_grant_set(REF + i, c.build.domid, pv_virt_to_mfn(page[i]), i & 1);
    }
    child_run(&c, 1);
    check(!pv_grant_revoke(REF), "it is in use");
    child_end(&c);
    for (int i = 0; i < PAGES; i++) {
        check(pv_grant_revoke(REF + i), "grant %d", i);
        test_readonly(page[i], true);
        expect_eq(test_pin(1, page[i]), 0); /* nobody can write to it any more */
        expect_eq(test_unpin(page[i]), 0);
    }
    all_back("maps ours");
}

static void ports_bound_on_both_sides(void)
{
    struct child c;
    struct evtchn_status status = { .dom = DOMID_SELF };
    int ours, theirs;

    child_make(&c, "ports", 1);
    ours = pv_event_alloc_unbound(c.build.domid, NULL, NULL);
    c.page->words[PORT] = (uint64_t)ours;
    child_run(&c, 1);
    theirs = pv_event_bind_interdomain(c.build.domid, (unsigned int)c.page->words[PORT], NULL, NULL);
    require(ours > 0 && theirs > 0, "ports %d and %d", ours, theirs);
    check(pv_event_connected((unsigned int)ours), "it has bound ours");
    c.page->parent = 1;
    expect_eq(pv_event_send((unsigned int)theirs), 0);
    rest_ns(20000000);
    child_end(&c);
    for (int i = 0; i < 2; i++) {
        status.port = (evtchn_port_t)(i ? ours : theirs);
        expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_status, &status), 0);
        expect_eq(status.status, EVTCHNSTAT_unbound); /* its end was closed */
        expect_eq(pv_event_send(status.port), 0);
        pv_event_close(status.port);
    }
    all_back("ports");
}

static volatile unsigned int calls_meanwhile, wrong;

static void calls_of_another(unsigned int port, void *data)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_pausedomain, .domain = NOBODY };

    (void)port, (void)data;
    wrong += pv_domctl(&op) != -ESRCH;
    op = (struct xen_domctl){ .cmd = XEN_DOMCTL_destroydomain, .domain = NOBODY };
    wrong += pv_domctl(&op) != -ESRCH;
    calls_meanwhile++;
    rest_ns(20000000); /* Parador destroys it meanwhile */
}

/* A call that destroys is interrupted, and control calls of other domains come between its steps. */
static void with_other_calls_between(void)
{
    struct child c;
    int port = pv_event_bind_virq(VIRQ_TIMER, calls_of_another, NULL);

    child_make(&c, "spins", 1);
    child_run(&c, 1);
    child_unmap(&c);
    pv_events_on();
    pv_timer_set(pv_time_ns() + 50000);
    expect_eq(pv_domain_destroy(c.build.domid), 0);
    pv_events_off();
    pv_timer_set(0);
    pv_event_close((unsigned int)port);
    check(child_gone(&c), "it is there");
    check(!wrong, "%u other calls went wrong", wrong);
    check(calls_meanwhile > 0 || !test_on_parador(), "nothing came between");
    all_back("other calls");
}

void test_main(void)
{
    if (child_word())
        child(child_word());
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    require(!pv_grant_init(), "grants");
    /* What is made once and kept: windows, pages of handles, pools of the hypervisor's allocators. */
    before = machine_free();
    in_state("vcpus", VCPUS, false);
    mapped_by_domain_0(true);
    measure = true;
    rest_ns(300000000); /* stock Xen gives some of a domain's memory back later */
    before = machine_free();
    without_running();
    in_state("spins", 1, false);
    in_state("spins", 1, true);
    in_state("blocks", 1, false);
    in_state("vcpus", VCPUS, false);
    in_state("vcpus", VCPUS, true);
    after_its_end();
    in_the_middle_of_a_pin();
    mapped_by_domain_0(true);
    mapped_by_domain_0(false);
    mapping_domain_0();
    ports_bound_on_both_sides();
    with_other_calls_between();
}
