/* SPDX-License-Identifier: MIT
 *
 * Long hypercalls with a timer that fires all the time: each must be interrupted and go on where it was, with
 * nothing done twice and nothing left out. docs/safety.md XSA-45, 290, 344,
 * 380.
 */
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"

TEST("preempt");
ROLE(dom0, domU);

#define N 2048

static volatile unsigned int ticks;
static uint64_t *being_pinned;      /* what the interrupted call pins; NULL: nothing */
static volatile unsigned int early; /* upcalls that found it not pinned yet */

static void tick(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    ticks++;
    pv_timer_set(pv_time_ns() + 50000);
    if (!being_pinned)
        return;
    if (test_unpin(being_pinned) == -EINVAL)
        early++;
    else /* it was done a moment ago */
        require(!test_pin(2, being_pinned), "pin it again");
}

/* Runs a statement with the timer firing. */
#define INTERRUPTED(...)                   \
    do {                                   \
        pv_events_on();                    \
        pv_timer_set(pv_time_ns() + 1000); \
        __VA_ARGS__;                       \
        pv_events_off();                   \
        pv_timer_set(0);                   \
    } while (0)

static uint64_t *l1s[4]; /* N entries */

static uint64_t *entry(unsigned int i)
{
    return &l1s[i / 512][i % 512];
}

static void updates(void)
{
    static struct mmu_update u[N];
    uint64_t *page = test_page();
    unsigned int done = 0, wrong = 0, before, most = 0;

    for (unsigned int i = 0; i < 4; i++) {
        l1s[i] = test_table_page();
        require(!test_pin(1, l1s[i]), "an L1");
    }
    for (int round = 0; round < 20 || (round < 100 && most <= 2) || round % 2;
         round++) { /* the last one clears */
        uint64_t val = round % 2 ? 0 : test_pte(page, PTE_KERNEL);

        for (unsigned int i = 0; i < N; i++)
            u[i] = (struct mmu_update){ pv_virt_to_maddr(entry(i)).v, val };
        done = 0;
        before = ticks;
        INTERRUPTED(wrong += HYPERVISOR_mmu_update(u, N, &done, DOMID_SELF) != 0);
        most = ticks - before > most ? ticks - before : most;
        wrong += done != N;
        for (unsigned int i = 0; i < N; i++)
            wrong += !*entry(i) != !val;
    }
    expect_eq(wrong, 0);
    check(most > 2, "at most %u upcalls in one call", most); /* one may come before it, and one behind */
    /* One bad entry near the end: exactly those before it are done. */
    for (unsigned int i = 0; i < N; i++)
        u[i].val = test_pte(page, PTE_KERNEL);
    u[N - 7].val = test_pte(l1s[0], PTE_KERNEL);
    done = 0;
    long err;
    INTERRUPTED(err = HYPERVISOR_mmu_update(u, N, &done, DOMID_SELF));
    expect_eq(err, -EBUSY);
    expect_eq(done, N - 7);
    check(*entry(N - 8) && !*entry(N - 7) && !*entry(N - 1), "stopped where it says");
    for (unsigned int i = 0; i < 4; i++)
        expect_eq(test_unpin(l1s[i]), 0);
}

static void pins(void)
{
    static struct mmuext_op op[512];
    unsigned int wrong = 0, done;

    for (int round = 0; round < 10; round++) {
        for (unsigned int i = 0; i < 512; i++) {
            op[i].cmd = i % 2 ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L1_TABLE;
            op[i].arg1.mfn = pv_virt_to_mfn(l1s[i / 2 % 4]).v;
        }
        done = 0;
        INTERRUPTED(wrong += HYPERVISOR_mmuext_op(op, 512, &done, DOMID_SELF) != 0);
        wrong += done != 512;
    }
    expect_eq(wrong, 0);
}

/* One long pin: the timer's upcall comes before it is done, and then it goes on to its end. */
static void long_pin(void)
{
    uint64_t *l2 = test_page(), *page = test_page();
    unsigned int wrong = 0;
    long err = 0;

    for (unsigned int i = 0; i < 64; i++) {
        uint64_t *l1 = test_page();

        for (unsigned int n = 0; n < 512; n++)
            l1[n] = test_pte(page, PTE_KERNEL);
        test_readonly(l1, true);
        l2[i * 8] = test_pte(l1, PTE_TABLE);
    }
    test_readonly(l2, true);
    for (int i = 0; i < 100 && !early; i++) { /* by real time a busy host's timers may be late */
        being_pinned = l2;
        INTERRUPTED(err = test_pin(2, l2));
        being_pinned = NULL;
        expect_eq(err, 0);
        if (!early)
            require(!test_unpin(l2), "unpin it again");
    }
    check(early > 0, "an upcall before the pin was done");
    for (unsigned int i = 0; i < 64; i++) /* its tables are tables: no page of them may be written */
        wrong += test_update(MMU_NORMAL_PT_UPDATE, &l1s[0][0], l2[i * 8] & ~PTE_US) == 0;
    expect_eq(wrong, 0);
    expect_eq(test_unpin(l2), 0);
    expect_eq(test_unpin(l2), -EINVAL);
}

static void multicalls(void)
{
    static struct multicall_entry calls[N];
    static struct mmu_update u[64];
    unsigned int wrong = 0, before, upcalls = 0;

    for (unsigned int i = 0; i < 64; i++)
        u[i] = (struct mmu_update){ pv_virt_to_maddr(entry(i)).v | MMU_PT_UPDATE_PRESERVE_AD, 0 };
    require(!test_pin(1, l1s[0]), "an L1");
    for (int round = 0; round < 100 && upcalls <= 3; round++) { /* a busy host's timers may be late */
        for (unsigned int i = 0; i < N; i++) {
            calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .args = { XENVER_version } };
            if (i % 8 == 0)
                calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_mmu_update,
                                                     .args = { (unsigned long)u, 64, 0, DOMID_SELF } };
            calls[i].result = 0x5555;
        }
        before = ticks;
        INTERRUPTED(wrong += HYPERVISOR_multicall(calls, N) != 0);
        upcalls = ticks - before;
        for (unsigned int i = 0; i < N; i++)
            wrong += calls[i].result != (i % 8 ? 0x40011 : 0);
    }
    check(upcalls > 3, "%u upcalls in one call", upcalls);
    expect_eq(wrong, 0);
    expect_eq(test_unpin(l1s[0]), 0);
}

static void reservations(void)
{
    static xen_pfn_t frames[N];
    static void *pages[N];
    struct xen_memory_reservation r = { .nr_extents = N, .domid = DOMID_SELF };
    unsigned int wrong = 0;
    long n;

    for (unsigned int i = 0; i < N; i++) {
        pages[i] = test_page();
        frames[i] = pv_virt_to_mfn(pages[i]).v;
        require(!pv_map((unsigned long)pages[i], 0), "unmap");
    }
    set_xen_guest_handle(r.extent_start, frames);
    INTERRUPTED(n = HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r));
    expect_eq(n, N);
    for (unsigned int i = 0; i < N; i++)
        frames[i] = pv_virt_to_pfn(pages[i]).v;
    INTERRUPTED(n = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r));
    expect_eq(n, N);
    for (unsigned int i = 0; i < N; i++) {
        wrong += pv_mfn_to_pfn(mfn(frames[i])).v != pv_virt_to_pfn(pages[i]).v;
        pv_set_p2m(pv_virt_to_pfn(pages[i]), mfn(frames[i]));
        wrong += pv_map((unsigned long)pages[i], pv_pte(mfn(frames[i]), PTE_KERNEL)) != 0;
        *(volatile uint64_t *)pages[i] = i;
    }
    for (unsigned int i = 0; i < N; i++)
        wrong += *(volatile uint64_t *)pages[i] != i; /* each has a frame of its own */
    expect_eq(wrong, 0);
}

static void grants(void)
{
    static struct gnttab_copy c[N];
    uint64_t *from = test_page(), *to = test_page();
    unsigned int wrong = 0;
    int ref;

    require(!pv_grant_init(), "grants");
    ref = pv_grant_access(pv_domid(), pv_virt_to_mfn(from), true);
    for (unsigned int i = 0; i < N; i++) {
        c[i] = (struct gnttab_copy){ .source.u.ref = (grant_ref_t)ref,
                                     .source.domid = pv_domid(),
                                     .dest.u.gmfn = pv_virt_to_mfn(to).v,
                                     .dest.domid = DOMID_SELF,
                                     .len = 2048,
                                     .flags = GNTCOPY_source_gref,
                                     .status = 99 };
        c[i].dest.offset = (uint16_t)(i % 2 * 2048);
    }
    from[0] = 17;
    INTERRUPTED(wrong += pv_grant_copy(c, N) != 0);
    for (unsigned int i = 0; i < N; i++)
        wrong += c[i].status != GNTST_okay;
    expect_eq(wrong, 0);
    check(to[0] == 17 && to[256] == 17, "copied");
    check(pv_grant_end(ref), "given up");
}

void test_main(void)
{
    require(pv_event_bind_virq(VIRQ_TIMER, tick, NULL) > 0, "VIRQ_TIMER");
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    updates();
    pins();
    require(!test_pin(1, l1s[0]), "an L1");
    long_pin();
    require(!test_unpin(l1s[0]), "an L1");
    multicalls();
    reservations();
    grants();
    check(ticks > 20, "%u ticks meanwhile", ticks);
}
