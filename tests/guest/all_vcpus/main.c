/* SPDX-License-Identifier: MIT
 *
 * Four vcpus at once: each has its own timer, IPI port, mask and vcpu_info, and events come to the vcpu that
 * their port is bound to; one mapping's flush reaches all of them. And libpv's locks, grant references and
 * pages, taken by all at the same time. xen/vcpu.h, xen/event_channel.h; xen.h MMUEXT_INVLPG_MULTI.
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/hypercall.h"
#include "libpv/lock.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"

TEST("all_vcpus");
ROLE(dom0, domU);
// vcpus: 4

#define VCPUS  4u
#define TURNS  2000u
#define REFS   40u
#define MS     1000000ull
#define HALTED 30000 /* ms that a wait may take, on a busy host */

static struct pv_lock lock;
static unsigned int plain; /* guarded by lock */
static unsigned int arrived[16], timers[VCPUS], ipis[VCPUS], wrong_vcpu, moved;
static int ipi_port[VCPUS];
static int grant_owner[16 * 512], unsorted;
static uint64_t latest;

/* All wait here for all. */
static void barrier(unsigned int which)
{
    __atomic_fetch_add(&arrived[which], 1, __ATOMIC_SEQ_CST);
    for (unsigned int n = 0; __atomic_load_n(&arrived[which], __ATOMIC_SEQ_CST) < VCPUS; n++)
        pv_spin(n);
}

static void count(unsigned int *counts, void *data)
{
    if (data != (void *)(unsigned long)pv_vcpu_id())
        __atomic_fetch_add(&wrong_vcpu, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts[pv_vcpu_id()], 1, __ATOMIC_RELAXED);
}

static void on_timer(unsigned int port, void *data)
{
    (void)port;
    count(timers, data);
}

static void on_ipi(unsigned int port, void *data)
{
    (void)port;
    count(ipis, data);
}

static void on_moved(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    __atomic_store_n(&moved, 1 + pv_vcpu_id(), __ATOMIC_RELEASE);
}

/* Sleeps until *counter is no longer 0. The timer ends each nap; so an event lost shows as a failure. */
static bool comes(unsigned int *counter)
{
    for (unsigned int i = 0; !__atomic_load_n(counter, __ATOMIC_ACQUIRE) && i < HALTED; i++) {
        pv_events_off(); /* or the nap may be over before the block, on a slow machine */
        pv_timer_set(pv_time_ns() + MS);
        pv_block();
    }
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static void under_the_lock(void)
{
    for (unsigned int i = 0; i < TURNS; i++) {
        bool events = pv_lock_take(&lock);
        uint64_t now = pv_time_ns();

        plain++;
        unsorted += now < latest;
        latest = now;
        pv_lock_drop(&lock, events);
    }
}

static void references_and_pages(unsigned int self)
{
    int ref[REFS];
    void *page[REFS];

    for (unsigned int i = 0; i < REFS; i++) {
        int free = 0;

        ref[i] = pv_grant_alloc();
        page[i] = pv_page_alloc();
        if (!check(ref[i] > 0 && page[i], "vcpu %u: reference %d, page %p", self, ref[i], page[i]))
            return;
        check(__atomic_compare_exchange_n(&grant_owner[ref[i]], &free, 1 + (int)self, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST),
              "reference %d is vcpu %d's already", ref[i], free - 1);
        *(volatile unsigned int *)page[i] = self;
    }
    barrier(3);
    for (unsigned int i = 0; i < REFS; i++) {
        check(*(volatile unsigned int *)page[i] == self, "another vcpu has got this page too");
        __atomic_store_n(&grant_owner[ref[i]], 0, __ATOMIC_SEQ_CST);
        pv_grant_free(ref[i]);
        pv_page_free(page[i]);
    }
}

/* vcpu 0 changes where an address of all leads to, and says so to all. */
static void shoot_down(unsigned int self)
{
    static volatile unsigned long *window;
    static void *frame[2];
    const unsigned long vcpus = (1ul << VCPUS) - 1;

    if (self == 0) {
        window = pv_vaddr_reserve(1);
        for (unsigned int i = 0; i < 2; i++) {
            frame[i] = test_page();
            *(unsigned long *)frame[i] = 100 + i;
        }
        expect_eq(pv_map((unsigned long)window, pv_pte(pv_virt_to_mfn(frame[0]), PTE_KERNEL)), 0);
    }
    barrier(4);
    check(*window == 100, "vcpu %u reads %lu", self, *window);
    barrier(5);
    if (self == 0) {
        struct mmuext_op op = { .cmd = MMUEXT_INVLPG_MULTI, .arg1.linear_addr = (unsigned long)window };

        set_xen_guest_handle(op.arg2.vcpumask, &vcpus);
        expect_eq(HYPERVISOR_update_va_mapping((unsigned long)window,
                                               pv_pte(pv_virt_to_mfn(frame[1]), PTE_KERNEL), 0),
                  0);
        expect_eq(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
    }
    barrier(6);
    check(*window == 101, "vcpu %u reads %lu through a translation that is gone", self, *window);
}

/* What vcpu 3 is refused, vcpu 0 can ask for. */
static void refusal_of_another(unsigned int self)
{
    struct parador_why why = { .domid = DOMID_SELF };

    if (self == 3)
        expect_eq(HYPERVISOR_vcpu_op(VCPUOP_up, 1000, NULL), -ENOENT);
    barrier(8);
    if (self || !test_on_parador())
        return;
    expect_eq(HYPERVISOR_parador(PARADOR_why, &why), 0);
    expect_eq(why.error, -ENOENT);
    check(why.count > 0, "the refusals are counted");
}

static void one(void *arg)
{
    unsigned int self = pv_vcpu_id(), next = (self + 1) % VCPUS;
    static int wandering;

    (void)arg;
    check(pv_vcpu_self() == &pv_vcpus[self] && pv_vcpu_info() == &pv_vcpus[self].info, "vcpu %u has its own",
          self);
    check(pv_event_bind_virq(VIRQ_TIMER, on_timer, (void *)(unsigned long)self) > 0, "vcpu %u: a timer",
          self);
    if (self == 1) /* the domain's, whichever vcpu asks */
        check(pv_event_bind_virq(VIRQ_DOM_EXC, NULL, NULL) > 0, "vcpu 1: VIRQ_DOM_EXC");
    ipi_port[self] = pv_event_bind_ipi(on_ipi, (void *)(unsigned long)self);
    check(ipi_port[self] > 0, "vcpu %u: bind_ipi gives %d", self, ipi_port[self]);
    if (self == 0)
        wandering = pv_event_alloc_unbound(DOMID_SELF, NULL, NULL);
    barrier(0);
    pv_events_on();
    expect_eq(pv_event_send((unsigned int)ipi_port[next]), 0);
    check(comes(&ipis[self]), "vcpu %u gets the IPI of the one before it", self);
    pv_timer_set(pv_time_ns() + MS);
    check(comes(&timers[self]), "vcpu %u gets its timer", self);
    barrier(1);
    if (self == 1) { /* an interdomain port, with ourselves, is moved from vcpu 0 to vcpu 3 */
        int port = pv_event_bind_interdomain(pv_domid(), (unsigned int)wandering, on_moved, NULL);

        check(comes(&moved) && moved == 1 + 0, "binding raises it, on vcpu %u", moved - 1);
        moved = 0;
        expect_eq(pv_event_bind_vcpu((unsigned int)port, 3), 0);
    }
    barrier(7);
    if (self == 1)
        expect_eq(pv_event_send((unsigned int)wandering), 0);
    check(comes(&moved) && moved == 1 + 3, "vcpu %u: it came to vcpu %u", self, moved - 1);
    barrier(2);
    under_the_lock();
    references_and_pages(self);
    shoot_down(self);
    refusal_of_another(self);
}

void test_main(void)
{
    expect_eq(pv_grant_init(), 0);
    expect_eq(pv_vcpus_run(one, NULL), 0);
    expect_eq(plain, VCPUS * TURNS);
    expect_eq(unsorted, 0);
    expect_eq(wrong_vcpu, 0);
    for (unsigned int i = 1; i < VCPUS; i++)
        check(pv_vcpus[i].upcalls > 0, "vcpu %u took %lu upcalls", i, pv_vcpus[i].upcalls);
}
