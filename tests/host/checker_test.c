/* SPDX-License-Identifier: MIT
 *
 * The invariant checker must notice what is wrong with ports, grants, vcpus and locks (page_checker_test.c:
 * with frames): each test breaks one thing on purpose, and reads the complaint.
 */
// sources: tests/host/fake_hv.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c hypervisor/mm/page_type.c
// sources: hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c hypervisor/mm/grant_map.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
// sources: hypervisor/domain/evtchn.c hypervisor/domain/grant.c hypervisor/domain/grant_map.c
// sources: hypervisor/lib/lock.c
#include <criterion/criterion.h>
#include <string.h>
#include "domain/grant_table.h"
#include "lib/bits.h"
#include "mm/paging.h"
#include "tests/host/fake_hv.h"
#include "x86/cpu.h"

static struct domain *a, *b;
static struct vcpu *v; /* a's */
static mfn_t l1;       /* b's, for mappings by entry */

void vcpu_wake(struct vcpu *who)
{
    (void)who;
}

static void begin(void)
{
    fake_machine();
    a = fake_domain(1, 100);
    b = fake_domain(2, 100);
    v = a->vcpu[0];
    cr_assert(!evtchn_init(a) && !evtchn_init(b) && !grant_init(a) && !grant_init(b));
    l1 = fake_frame(b);
    cr_assert_eq(pin_table(b, l1, FT_L1), 0);
    cr_assert_eq(check_machine(), 0);
}

TestSuite(checker, .init = begin);

/* A complaint has these words. */
static void expect_noticed(const char *words)
{
    fake_said[0] = '\0';
    cr_assert_neq(check_machine(), 0, "unnoticed: %s", words);
    cr_assert(strstr(fake_said, words), "%s not in:\n%s", words, fake_said);
}

/* ---- Ports ---- */

static void channel(uint32_t *near, uint32_t *far)
{
    cr_assert_eq(evtchn_alloc_unbound(a, b->domid, near), 0);
    cr_assert_eq(evtchn_bind_interdomain(b, a->domid, *near, far), 0);
    cr_assert_eq(check_machine(), 0);
}

Test(checker, a_channel_that_does_not_lead_back)
{
    uint32_t near, far;

    channel(&near, &far);
    evtchn_port(&b->evtchn, far)->remote_port++;
    expect_noticed("domain 1: port 1 leads to port 1 of domain 2, which does not lead back");
    expect_noticed("domain 2: port 1 leads to port 2 of domain 1, which does not lead back");
    evtchn_port(&b->evtchn, far)->remote_port--;
    evtchn_port(&b->evtchn, far)->state = ECS_UNBOUND;
    expect_noticed("domain 1: port 1 leads to port 1 of domain 2, which does not lead back");
}

Test(checker, a_channel_to_a_domain_that_is_gone)
{
    uint32_t near, far;

    channel(&near, &far);
    evtchn_port(&a->evtchn, near)->remote = (struct domain *)&near;
    expect_noticed("domain 1: port 1 leads to port 1 of domain 2");
}

Test(checker, counts_of_ports)
{
    uint32_t near, far;

    channel(&near, &far);
    a->evtchn.in_use++;
    expect_noticed("domain 1: 1 ports in use, 2 by its count");
    a->evtchn.in_use--;
    a->evtchn.lowest_free = 10;
    expect_noticed("domain 1: port 2 is free, below 10 none should be");
    a->evtchn.lowest_free = 2;
    evtchn_port(&a->evtchn, 5)->state = ECS_RESERVED;
    expect_noticed("domain 1: port 5 has state 1");
    evtchn_port(&a->evtchn, 5)->state = ECS_FREE;
    evtchn_port(&a->evtchn, near)->vcpu = 1;
    expect_noticed("domain 1: port 1 notifies vcpu 1");
}

Test(checker, a_virq_and_its_vcpu)
{
    uint32_t port;

    cr_assert_eq(evtchn_bind_virq(a, VIRQ_TIMER, 0, &port), 0);
    cr_assert_eq(check_machine(), 0);
    v->virq_port[VIRQ_TIMER] = 0;
    expect_noticed("domain 1: port 1 is VIRQ 0 of vcpu 0, which does not have it");
    v->virq_port[VIRQ_TIMER] = (uint16_t)port;
    v->virq_port[VIRQ_DEBUG] = (uint16_t)port;
    expect_noticed("domain 1 vcpu 0: VIRQ 1 has port 1, which is none of it");
    v->virq_port[VIRQ_DEBUG] = 4000;
    expect_noticed("domain 1 vcpu 0: VIRQ 1 has port 4000, which is none of it");
}

/* ---- Grants ---- */

static struct maptrack *mapping; /* b's of a's grant 8 */
static struct grant_active *use;

static void map(uint32_t flags)
{
    mfn_t frame = fake_frame(a);
    struct gnttab_map_grant_ref op = { .host_addr = mfn_to_maddr(l1),
                                       .flags = GNTMAP_host_map | GNTMAP_contains_pte | flags,
                                       .ref = 8,
                                       .dom = a->domid };

    grant_fill(a, 8, b->domid, frame.v);
    cr_assert_eq(fake_grant_map(b->vcpu[0], &op), GNTST_okay);
    cr_assert_eq(check_machine(), 0);
    mapping = grant_handle(b->grant, op.handle);
    use = grant_active(a->grant, 8);
}

Test(checker, a_use_of_a_grant_too_many)
{
    map(0);
    use->pins += PIN_HOST_RW;
    expect_noticed("domain 1: grant 8 has 2 uses, handles say 1");
}

Test(checker, a_use_of_a_grant_too_few)
{
    map(GNTMAP_device_map);
    use->pins -= PIN_DEV_RW;
    expect_noticed("domain 1: grant 8 has 1 uses, handles say 2");
    expect_noticed("domain 2: handle 0 maps grant 8 of domain 1, whose pins (100) do not say so");
    expect_noticed("2 references and 1 uses found, its word says 3 and 2");
}

Test(checker, a_grant_of_another_frame)
{
    map(0);
    use->mfn++;
    expect_noticed("domain 2: handle 0 maps frame");
    use->mfn--;
    use->domid = 0;
    expect_noticed("for domain 0");
}

Test(checker, a_granted_frame_that_changed_hands)
{
    map(GNTMAP_readonly | GNTMAP_device_map);
    use->mfn = mapping->mfn = l1.v;
    expect_noticed("domain 1: grant 8 is frame 3fea, not its own, and a device has it");
}

Test(checker, a_mapping_without_a_handle)
{
    map(0);
    mapping->flags = 0;
    expect_noticed("others map it 1 times more than its grants allow");
    expect_noticed("domain 2: 0 handles map, 1 by its count, 255 are free, of 256");
    expect_noticed("domain 1: grant 8 has 1 uses, handles say 0");
}

Test(checker, a_second_mapping_by_one_handle)
{
    map(GNTMAP_readonly);
    fake_words(l1)[7] = fake_words(l1)[0];
    frame_of(MFN(mapping->mfn))->word++;
    expect_noticed("others map it 1 times more than its grants allow");
}

Test(checker, a_handle_of_nothing)
{
    map(0);
    mapping->ref = 100000;
    expect_noticed("domain 2: handle 0 is of grant 100000 of domain 1, which does not exist");
}

Test(checker, a_handle_that_is_forever_ending)
{
    map(0);
    mapping->flags = (uint16_t)(mapping->flags | GNTMAP_host_map << MAP_ENDING_SHIFT);
    expect_noticed("domain 2: handle 0 is about to end");
}

Test(checker, counts_of_grants)
{
    map(0);
    a->grant->nr_active++;
    expect_noticed("domain 1: 1 grants in use, 2 by its count");
    a->grant->nr_active--;
    b->grant->nr_mapped++;
    expect_noticed("domain 2: 1 handles map, 2 by its count");
    b->grant->nr_mapped--;
    b->grant->free_handle = grant_handle(b->grant, b->grant->free_handle)->ref;
    expect_noticed("domain 2: 1 handles map, 1 by its count, 254 are free, of 256");
}

/* ---- Vcpus ---- */

Test(checker, a_vcpu_info_elsewhere)
{
    v->info++;
    expect_noticed("domain 1 vcpu 0: its vcpu_info is at");
}

Test(checker, who_is_in_a_queue)
{
    struct list queue;

    list_init(&queue);
    v->sched.state = VS_RUNNABLE;
    expect_noticed("domain 1 vcpu 0: state 1, pause 0, not in a run queue");
    list_add_before(&queue, &v->sched.node);
    cr_assert_eq(check_machine(), 0);
    v->sched.pause = PAUSE_DOWN;
    expect_noticed("domain 1 vcpu 0: state 1, pause 4, in a run queue");
    v->sched.pause = 0;
    v->sched.state = VS_BLOCKED;
    expect_noticed("domain 1 vcpu 0: state 0, pause 0, in a run queue");
}

Test(checker, who_runs_and_who_polls)
{
    v->sched.state = VS_RUNNING;
    expect_noticed("domain 1 vcpu 0: it runs, and on no CPU");
    v->sched.on_cpu = true;
    cr_assert_eq(check_machine(), 0);
    set_bit(0, &a->evtchn.pollers);
    expect_noticed("domain 1 vcpu 0: it polls, and is not blocked");
}

Test(checker, a_timer_on_no_list)
{
    list_init(&v->singleshot.node);
    v->singleshot.node.next = &v->periodic.node;
    list_init(&v->periodic.node);
    v->singleshot.armed = true;
    expect_noticed("domain 1 vcpu 0: a timer is armed and on no list");
}

/* ---- CPUs, locks, references ---- */

Test(checker, what_is_loaded)
{
    this_cpu()->vcpu = v;
    expect_noticed("domain 1 vcpu 0 is loaded and doesn't know it");
    v->sched.on_cpu = true;
    cr_assert_eq(check_machine(), 0);
    this_cpu()->cr3 = 0x5000;
    expect_noticed("CR3 holds 5000, no root of its vcpu's");
    this_cpu()->cr3 = 0;
    this_cpu()->tlb_clock = tlb_clock + 1;
    expect_noticed("its last flush was at");
}

Test(checker, locks)
{
    struct {
        struct lock *lock;
        const char *words;
    } const locks[] = { { &a->lock, "domain 1: its own lock is taken" },
                        { &a->page_lock, "domain 1: its page-list lock is taken" },
                        { &a->evtchn.lock, "domain 1: its event-channel lock is taken" },
                        { &b->grant->lock, "domain 2: its grant lock is taken" } };

    for (unsigned int i = 0; i < ARRAY_SIZE(locks); i++) {
        locks[i].lock->taken = 1;
        expect_noticed(locks[i].words);
        locks[i].lock->taken = 0;
    }
    this_cpu()->held_locks = 1 << LOCK_CONSOLE;
    expect_noticed("CPU 0: it holds locks (200, bits by their order)");
    this_cpu()->held_locks = 0;
    cr_assert_eq(check_machine(), 0);
}

Test(checker, references_to_a_domain)
{
    domain_ref(a);
    expect_noticed("domain 1: 1 references, with nobody to have one");
}
