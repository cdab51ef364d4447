/* SPDX-License-Identifier: MIT
 *
 * Domain 0 sends a running domain's vcpus from CPU to CPU, pauses it, and destroys it in the midst of that.
 * Wherever its vcpus are, a flush that one of them asks for reaches the others, and a pause stops them all.
 * xen/domctl.h; docs/safety.md, flushes reach every CPU.
 */
#include "libpv/domctl.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/child.h"
#include "tests/guest/vcpus.h"

TEST("pushed_about");
ROLE(dom0);
// ramdisk: itself

#define VCPUS    4u
#define CHILDREN 6
#define PUSHES   60

enum { CHANGES, READS, STALE }; /* words of the shared page */

/* ---- the child: vcpu 0 changes what is mapped and flushes all, the others look ---- */

static volatile uint64_t *window; /* one of two pages that say at which change they were mapped */
static uint64_t changed;

static void reader(void)
{
    volatile struct child_page *shared = child_page();

    for (;;) {
        uint64_t least = __atomic_load_n(&changed, __ATOMIC_ACQUIRE);

        if (*window < least)
            __atomic_fetch_add(&shared->words[STALE], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&shared->words[READS], 1, __ATOMIC_RELAXED);
        test_let_others();
    }
}

static void change(uint64_t *page, uint64_t n)
{
    struct mmuext_op flush = { .cmd = MMUEXT_INVLPG_ALL, .arg1.linear_addr = (unsigned long)window };

    *page = n;
    if (HYPERVISOR_update_va_mapping((unsigned long)window, test_pte(page, PTE_KERNEL), 0) ||
        HYPERVISOR_mmuext_op(&flush, 1, NULL, DOMID_SELF))
        child_page()->words[STALE] = ~0UL;
    __atomic_store_n(&changed, n, __ATOMIC_RELEASE);
}

static void child(void)
{
    static struct vcpu_guest_context c;
    uint64_t *pages[2] = { test_page(), test_page() };

    window = pv_vaddr_reserve(1);
    change(pages[0], 0);
    for (unsigned int i = 1; i < VCPUS; i++) {
        test_context(&c, reader, (char *)test_page() + PAGE_SIZE);
        if (HYPERVISOR_vcpu_op(VCPUOP_initialise, i, &c) || HYPERVISOR_vcpu_op(VCPUOP_up, i, NULL))
            return; /* without step 1 */
    }
    child_step(1);
    for (uint64_t n = 1;; n++) {
        change(pages[n % 2], n);
        child_page()->words[CHANGES] = n;
        test_let_others();
    }
}

/* ---- the parent ---- */

static void set_affinity(domid_t domid, uint32_t vcpu, uint64_t cpus)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_setvcpuaffinity, .domain = domid };
    long rc;

    op.u.vcpuaffinity.vcpu = vcpu;
    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, (uint8_t *)&cpus);
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    rc = pv_domctl(&op);
    check(rc == 0 || rc == -EINVAL, "affinity: %ld", rc); /* there may be none of these CPUs */
}

static void expect_stopped(const struct child *c)
{
    struct xen_domctl_getdomaininfo info;
    uint64_t changes, reads;

    expect_eq(pv_domain_pause(c->build.domid), 0);
    changes = c->page->words[CHANGES];
    reads = c->page->words[READS];
    expect_eq(pv_domain_info(c->build.domid, &info), 0);
    expect_eq(info.flags & XEN_DOMINF_running, 0);
    rest_ns(2000000);
    expect_eq(c->page->words[CHANGES], changes);
    expect_eq(c->page->words[READS], reads);
}

static void push_about(unsigned int seed)
{
    uint64_t random = seed, before;
    struct child c;

    child_make(&c, "runs", VCPUS);
    child_run(&c, 1);
    for (unsigned int i = 0; i < PUSHES; i++) {
        uint64_t r = test_random(&random) >> 32;

        set_affinity(c.build.domid, r % VCPUS, 1 + r / 16 % 15);
        if (i % 12 == 11) {
            expect_stopped(&c);
            set_affinity(c.build.domid, r / 4 % VCPUS, 1 + r / 256 % 15);
            expect_eq(pv_domain_unpause(c.build.domid), 0);
        }
        rest_ns(r / 4096 % 500000);
    }
    for (unsigned int i = 0; i < VCPUS; i++)
        set_affinity(c.build.domid, i, ~0UL);
    before = c.page->words[CHANGES];
    for (unsigned int i = 0; i < 500 && c.page->words[CHANGES] == before; i++)
        rest_ns(2000000);
    check(c.page->words[CHANGES] != before, "it goes on");
    check(c.page->words[READS] > 0, "the others read");
    expect_eq(c.page->words[STALE], 0);
    set_affinity(c.build.domid, seed % VCPUS, 1UL << seed % 2);
    child_end(&c);
}

void test_main(void)
{
    if (child_word()) {
        child();
        child_count();
    }
    for (unsigned int i = 0; i < CHILDREN; i++)
        push_about(i);
}
