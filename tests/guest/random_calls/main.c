/* SPDX-License-Identifier: MIT
 *
 * A guest that makes pseudo-random calls on twelve pages: as tables of all levels, as descriptors, mapped,
 * granted, cleared, given back. It judges nothing but its own survival; the machine's invariant checker
 * judges the rest. The same seed gives the same calls everywhere, so that two hypervisors can be compared:
 * the line `hash` is of all results so far, and the words from=N to=M print the calls of steps N to M with
 * theirs.
 *
 *     seed=1 steps=20000 from=0 to=0 balloon=1
 *
 * With balloon=0 no frame changes hands; else what old entries in a page refer to depends on the hypervisor's
 * allocator.
 */
#include "libpv/grant.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include "tests/guest/random.h"

TEST("random_calls");
ROLE(dom0, domU);

#define PAGES   12
#define WINDOWS 8

static bool no_balloon;

static uint64_t *page[PAGES];
static volatile uint64_t *window[WINDOWS];
static grant_handle_t handle[WINDOWS];
static bool granted[WINDOWS];
static int ref[PAGES];   /* a grant of each page to ourselves */
static bool gone[PAGES]; /* given back */

/* Parador's own words for a refusal, where they are new. */
static void why(void)
{
    static uint32_t count;
    struct parador_why w = { .domid = DOMID_SELF };

    if (HYPERVISOR_parador(PARADOR_why, &w) || w.count == count)
        return;
    count = w.count;
    pv_printf("    why: %s\n", w.text);
}

/* One call's result, into the hash and, where wanted, onto the console. */
static void result(long r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void result(long r, const char *fmt, ...)
{
    random_mix((uint32_t)r);
    if (random_shown()) {
        va_list args;

        pv_printf("%lu: ", random_step);
        va_start(args, fmt);
        pv_vprintf(fmt, args);
        va_end(args);
        pv_printf(" = %ld\n", r);
        why();
    }
}

/* Entries as guests try them: a page of ours, with plausible and bad flags. */
static uint64_t some_entry(unsigned int *j)
{
    static const uint64_t flags[] = {
        PTE_KERNEL, PTE_KERNEL_RO,      PTE_USER,         PTE_P | PTE_US,    PTE_TABLE,
        PTE_TABLE,  PTE_USER | PTE_PSE, PTE_USER | PTE_G, PTE_USER | PTE_NX, 0
    };

    *j = random(PAGES);
    return test_pte(page[*j], flags[random(10)]);
}

static void protect(void)
{
    unsigned int i = random(PAGES), ro = random(2);

    result(pv_set_readonly(page[i], ro), "page %u %s", i, ro ? "read-only" : "writable");
}

static void pin(void)
{
    unsigned int i = random(PAGES), level = 1 + random(4);

    result(test_pin(level, page[i]), "pin L%u page %u", level, i);
}

static void unpin(void)
{
    unsigned int i = random(PAGES);

    result(test_unpin(page[i]), "unpin page %u", i);
}

/* Low slots only, so that calls meet each other. */
static void update(void)
{
    unsigned int i = random(PAGES), k = random(3), cmd = random(3) ? 0 : random(2) * 2, j;
    uint64_t e = some_entry(&j);

    result(test_update(cmd, &page[i][k], e), "mmu_update %u page %u[%u] <- page %u, %lx", cmd, i, k, j,
           e & 0x1ff);
}

static void clear_entry(void)
{
    unsigned int i = random(PAGES), k = random(3);

    result(test_update(0, &page[i][k], 0), "mmu_update page %u[%u] <- 0", i, k);
}

static void store(void)
{
    static unsigned int i, k, j;
    static uint64_t e;

    i = random(PAGES), k = random(3), e = random(3) ? some_entry(&j) : 0;
    result(FAULT(*(volatile uint64_t *)&page[i][k] = e), "store page %u[%u] <- page %u, %lx", i, k, j,
           e & 0x1ff);
}

static void map(void)
{
    unsigned int w = random(WINDOWS), j;
    uint64_t e = some_entry(&j);
    long err;

    if (granted[w])
        return;
    err = HYPERVISOR_update_va_mapping((unsigned long)window[w], e, random(2) ? UVMF_INVLPG : UVMF_NONE);
    result(err, "map window %u <- page %u, %lx", w, j, e & 0x1ff);
}

/* Perhaps through a translation that nobody flushed: whether it still works is the processor's affair, so
 * that is no result. */
static void touch(void)
{
    FAULT(window[random(WINDOWS)][5] = 0);
}

static void content(void)
{
    unsigned int i = random(PAGES), j = random(PAGES);
    struct mmuext_op op = { .cmd = MMUEXT_COPY_PAGE, .arg1.mfn = pv_virt_to_mfn(page[i]).v };

    if (random(2)) {
        result(test_mmuext(MMUEXT_CLEAR_PAGE, page[i]), "clear page %u", i);
        return;
    }
    op.arg2.src_mfn = pv_virt_to_mfn(page[j]).v;
    result(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), "copy page %u <- page %u", i, j);
}

static void user_root(void)
{
    unsigned int i = random(PAGES);

    if (random(2))
        result(test_mmuext_mfn(MMUEXT_NEW_USER_BASEPTR, 0), "no user root");
    else
        result(test_mmuext(MMUEXT_NEW_USER_BASEPTR, page[i]), "user root page %u", i);
}

static void descriptors(void)
{
    static const uint64_t d[] = { 0,
                                  0x00cff2000000ffffUL,
                                  0x00cf92000000ffffUL,
                                  0x0000890000000067UL,
                                  0x0000820000000fffUL,
                                  0x00008c00e0080000UL };
    unsigned int i = random(PAGES), k = random(3), n = random(6);
    xen_pfn_t frame = pv_virt_to_mfn(page[i]).v;

    if (random(2))
        result(HYPERVISOR_update_descriptor(pv_virt_to_maddr(&page[i][k]).v, d[n]),
               "descriptor page %u[%u] <- %u", i, k, n);
    else if (random(2))
        result(HYPERVISOR_set_gdt(&frame, 512), "gdt page %u", i);
    else
        result(HYPERVISOR_set_gdt(&frame, 0), "no gdt");
}

static void grant_map(void)
{
    unsigned int w = random(WINDOWS), j = random(PAGES), ro = random(2);
    int status;

    if (granted[w]) {
        status = pv_grant_unmap(handle[w], (void *)window[w]);
        granted[w] = status != GNTST_okay;
        result(status, "unmap grant at window %u", w);
        return;
    }
    if (pv_map((unsigned long)window[w], 0))
        return;
    status = pv_grant_map(pv_domid(), (grant_ref_t)ref[j], (void *)window[w], ro, &handle[w]);
    granted[w] = status == GNTST_okay;
    result(status, "map grant of page %u at window %u%s", j, w, ro ? ", read-only" : "");
}

static void grant_copy(void)
{
    unsigned int i = random(PAGES), j = random(PAGES);
    struct gnttab_copy c = { .source.u.ref = (grant_ref_t)ref[i],
                             .source.domid = pv_domid(),
                             .len = 8,
                             .dest.u.gmfn = pv_virt_to_mfn(page[j]).v,
                             .dest.domid = DOMID_SELF,
                             .flags = GNTCOPY_source_gref };

    c.source.offset = c.dest.offset = 64;
    result(pv_grant_copy(&c, 1), "grant copy");
    result(c.status, "  page %u -> page %u", i, j);
}

/* The frame goes back if nothing holds it; then it is fetched again, perhaps another one. */
static void balloon(void)
{
    unsigned int i = random(PAGES);
    xen_pfn_t frame = pv_virt_to_mfn(page[i]).v;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    long err, n;

    if (no_balloon)
        return;
    err = pv_map((unsigned long)page[i], 0);
    result(err, "unmap page %u", i);
    if (err)
        return;
    set_xen_guest_handle(r.extent_start, &frame);
    n = HYPERVISOR_memory_op(XENMEM_decrease_reservation, &r);
    result(n, "give page %u back", i);
    err = pv_map((unsigned long)page[i], test_pte(page[i], PTE_KERNEL_RO));
    result(err, "map page %u again", i);
    if (!err)
        return; /* something still held it */
    gone[i] = true;
}

/* Pages that are gone come back at one time, when there are many. */
static void refill(void)
{
    for (unsigned int i = 0; i < PAGES; i++) {
        xen_pfn_t frame = pv_virt_to_pfn(page[i]).v;
        struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
        long n;

        if (!gone[i])
            continue;
        set_xen_guest_handle(r.extent_start, &frame);
        n = HYPERVISOR_memory_op(XENMEM_populate_physmap, &r);
        result(n, "fetch page %u", i);
        if (n != 1)
            continue;
        gone[i] = false;
        pv_set_p2m(pv_virt_to_pfn(page[i]), mfn(frame));
        result(pv_map((unsigned long)page[i], pv_pte(mfn(frame), PTE_KERNEL)), "map page %u", i);
        result(test_mmuext(MMUEXT_CLEAR_PAGE, page[i]), "clear page %u", i);
        if (!pv_grant_revoke(ref[i]))
            result(-1, "grant of page %u is in use", i);
        else
            pv_grant_set(ref[i], pv_domid(), mfn(frame), false);
    }
}

static void flush(void)
{
    result(test_mmuext_mfn(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
}

static void (*const calls[])(void) = { protect,    protect, pin,         pin,       unpin,       update,
                                       update,     update,  clear_entry, store,     store,       map,
                                       map,        touch,   content,     user_root, descriptors, grant_map,
                                       grant_copy, balloon, refill,      refill,    flush };

/* What is in the pages at the end, entries as page numbers and flags. */
static void show(void)
{
    static const unsigned char slots[] = { 0, 1, 2, 5, 8 };

    for (unsigned int i = 0; i < PAGES; i++) {
        pv_printf("page %u %lx %s:", i, pv_virt_to_mfn(page[i]).v,
                  gone[i]                                     ? "gone"
                  : *pv_walk((unsigned long)page[i]) & PTE_RW ? "rw"
                                                              : "ro");
        for (unsigned int k = 0; !gone[i] && k < sizeof(slots); k++) {
            uint64_t e = page[i][slots[k]];
            unsigned int j = 0;

            while (j < PAGES && pv_pte_mfn(e).v != pv_virt_to_mfn(page[j]).v)
                j++;
            pv_printf(" [%u] %u %lx", slots[k], j, e & (PTE_NX | 0xfff));
        }
        pv_printf("\n");
    }
}

/* Parador's checker now and then, and after each step that is shown. */
static bool consistent(void)
{
    long err = 0;

    if (random_step % 500 == 0 || random_shown())
        err = HYPERVISOR_parador(PARADOR_check, NULL);
    return check(err != -EINVAL, "the invariants after step %lu: %ld", random_step, err);
}

void test_main(void)
{
    random_begin();
    no_balloon = !random_word("balloon", 1);
    require(!pv_grant_init(), "grants");
    HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
    for (unsigned int i = 0; i < PAGES; i++) {
        page[i] = test_page();
        ref[i] = pv_grant_access(pv_domid(), pv_virt_to_mfn(page[i]), false);
    }
    for (unsigned int w = 0; w < WINDOWS; w++)
        window[w] = pv_vaddr_reserve(1);
    require(window[WINDOWS - 1], "windows");
    random_run(calls, sizeof(calls) / sizeof(calls[0]), consistent);
    if (random_shows())
        show();
}
