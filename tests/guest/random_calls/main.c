/* SPDX-License-Identifier: MIT
 *
 * A guest that makes pseudo-random hypercalls of all kinds on fourteen pages: as tables of all levels, as
 * descriptors, mapped, granted, cleared, given back. Half of its calls are nearly right (calls.h). It judges
 * nothing but its own survival and that enough of its calls succeed; Parador's invariant checker, asked every
 * 256 steps, and the comparison of two hypervisors (`make fuzz`) judge the rest.
 *
 *     seed=1 steps=20000 epoch= only=
 *
 * Each epoch begins with everything put back. Where two hypervisors may differ (docs/oracle.md), the guest
 * makes the same of it on both: normalise().
 */
#include "tests/guest/random_calls/calls.h"
#include "libpv/event.h"

TEST("random_calls");
ROLE(dom0, domU);
// vcpus: 2

#define SPARE       96 /* given back: a page can be fetched while the frame that it had is still in use */
#define CHECK_STEPS 256
#define FEW         1000 /* steps; with fewer the share of successes says nothing */
#define SHARE       30   /* percent */

/* The slots of tables that are used. Not the first: docs/oracle.md, failed trees. */
static const uint16_t slots[] = { 1, 2, 3, 1, 2, 3, 255, 272, 256, 271, 511 };
#define SLOTS      11
#define ROOT_SLOTS 10  /* those that a root can do without */
#define HV_FIRST   256 /* the hypervisor's slots of a top-level table */
#define HV_LAST    271

uint64_t *page[PAGES];
bool gone[PAGES], nearly, batching, callbacks_changed;
volatile uint64_t *window[WINDOWS];
static uint64_t *edge; /* a page of memory, and behind it nothing */
static struct frame others[16];
unsigned int batched;
static unsigned int nr_others, nr_harmless;
static unsigned int lost; /* pages that a hypervisor keeps as tables for ever */

/* ---- What a call is made of ---- */

void call(struct call *c, unsigned long nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    c->nr = nr;
    c->a[0] = a1, c->a[1] = a2, c->a[2] = a3, c->a[3] = a4, c->a[4] = 0;
}

void say(struct call *c, const char *fmt, ...)
{
    size_t n;
    va_list args;

    if (!random_shown())
        return;
    n = strlen(c->text);
    va_start(args, fmt);
    pv_vsnprintf(c->text + n, sizeof(c->text) - n, fmt, args);
    va_end(args);
}

bool odd(unsigned int n)
{
    return nearly && !random(n);
}

static struct frame page_frame(unsigned int i)
{
    struct frame f = { .mfn = gone[i] ? others[0].mfn : pv_virt_to_mfn(page[i]).v };

    pv_snprintf(f.name, sizeof(f.name), "page %u", i);
    return f;
}

struct frame some_frame(bool harmless)
{
    if (odd(3))
        return others[random(harmless ? nr_harmless : nr_others)];
    return page_frame(random(PAGES));
}

uint64_t some_entry(struct call *c)
{
    static const uint64_t flags[] = {
        PTE_KERNEL, PTE_KERNEL_RO, PTE_USER,         PTE_P | PTE_US,    PTE_TABLE,
        PTE_TABLE,  PTE_TABLE,     PTE_USER | PTE_G, PTE_USER | PTE_NX, 0
    };
    static const uint64_t odd_flags[] = { PTE_PSE,   PTE_PWT,   PTE_PCD,   PTE_G,     1UL << 9,
                                          1UL << 11, 1UL << 51, 1UL << 52, 1UL << 62, PTE_P };
    struct frame f = some_frame(false);
    uint64_t e = f.mfn << PAGE_SHIFT | PICK(flags);

    if (odd(4))
        e ^= PICK(odd_flags);
    say(c, "%s %lx", f.name, e & ~PTE_ADDR);
    if (e & 1UL << 51)
        say(c, " and bit 51");
    return e;
}

uint64_t some_slot(struct call *c)
{
    unsigned int i = random(PAGES), k = slots[random(i < PAGES - ROOTS ? SLOTS : ROOT_SLOTS)];

    if (odd(6)) {
        struct frame f = some_frame(true);

        if (f.name[0] == 'p' || f.name[0] == 'L')
            f = others[0];
        say(c, "%s[%u]", f.name, k);
        return f.mfn << PAGE_SHIFT | k * 8;
    }
    say(c, "page %u[%u]", i, k);
    return page_frame(i).mfn << PAGE_SHIFT | k * 8;
}

uint16_t some_domain(struct call *c)
{
    static const uint16_t domains[] = { 0, 77, DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, 0x7fff };
    uint16_t d;

    if (!odd(5))
        return DOMID_SELF;
    d = random(3) ? PICK(domains) : pv_domid();
    say(c, "(domain %x) ", d);
    return d;
}

uint64_t some_address(void)
{
    static const uint64_t addresses[] = { 0,
                                          0x1000,
                                          NOWHERE,
                                          0x7ffffffff000UL,
                                          0x7fffffffffffUL,
                                          0x800000000000UL,
                                          0xffff7fffffffffffUL,
                                          0xffff800000000000UL,
                                          0xffff820000000000UL,
                                          0xffff87ffffffffffUL,
                                          0xffff880000000000UL,
                                          0xffffc00000000000UL };

    return PICK(addresses);
}

uint64_t some_pointer(struct call *c, size_t n)
{
    uint64_t p = (uint64_t)c->data;

    if (odd(8)) {
        p = some_address();
        say(c, "(pointer %lx) ", p);
    } else if (odd(16)) {
        memset(edge, 0xff, PAGE_SIZE); /* as a number, nothing that exists */
        p = (uint64_t)edge + PAGE_SIZE - n / 2;
        say(c, "(over the end) ");
    }
    return p;
}

uint64_t some_op(struct call *c, uint64_t op, uint64_t last)
{
    static const uint64_t wrong[] = { 1, 2, 7, 1000, 1UL << 31, 0xffffff00 };

    if (!odd(12))
        return op;
    op = last + PICK(wrong);
    say(c, "(op %lx) ", op);
    return op;
}

/* ---- What differs between hypervisors and must not ---- */

/* An entry for users carries a global bit on stock Xen, one for a device those of no caching, and what was a
 * top-level table keeps the hypervisor's entries: all that decides what the page can be next. It goes, by
 * calls that nobody counts. Nothing happens to a table in use: there the global bit comes back, and the
 * hypervisor's slots cannot be written. */
static void normalise(void)
{
    for (unsigned int i = 0; i < PAGES; i++) {
        if (gone[i])
            continue;
        for (unsigned int n = 0; n < SLOTS; n++) {
            uint64_t *at = &page[i][slots[n]], e = *at;

            if ((e & PTE_P) && (e & (PTE_PWT | PTE_PCD) || (e & (PTE_US | PTE_G)) == (PTE_US | PTE_G)))
                test_update(0, at, e & ~(PTE_G | PTE_PWT | PTE_PCD));
        }
        for (unsigned int k = HV_FIRST; k <= HV_LAST; k++)
            if (page[i][k] && test_update(0, &page[i][k], 0))
                break;
    }
}

/* ---- Making them ---- */

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

static void finish(struct call *c, long result)
{
    c->result = result;
    if (c->after)
        c->after(c);
    random_count((unsigned int)c->nr, c->result);
    random_mix(c->nr);
    random_mix((uint64_t)c->result);
    if (random_shown()) {
        pv_printf("%lu: call %lu: %s = %ld\n", random_step, c->nr, c->text, c->result);
        why();
    }
}

static void generate(struct call *c)
{
    static generator *const *const files[] = { table_calls,  table_calls, table_calls,
                                               grant_calls,  grant_calls, event_calls,
                                               memory_calls, cpu_calls,   other_calls };
    generator *const *file = PICK(files);
    unsigned int n = 0;

    while (file[n])
        n++;
    c->after = NULL;
    c->by_hand = false;
    c->text[0] = 0;
    memset(c->data, 0, 64 * 8);
    file[random(n)](c);
    if (!c->by_hand)
        return;
    random_mix((uint64_t)c->result);
    if (random_shown())
        pv_printf("%lu: %s = %ld\n", random_step, c->text, c->result);
}

static struct call calls[5];

static void one_call(void)
{
    struct call *c = &calls[0];

    do
        generate(c);
    while (c->nr == NO_CALL);
    finish(c, pv_hypercall(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4]));
}

static void multicall(void)
{
    static struct multicall_entry entries[5];
    struct call *m = &calls[4];
    unsigned int n = random(4) + 1;

    batching = true;
    batched = 0;
    while (batched < n) {
        struct call *c = &calls[batched];

        generate(c);
        if (c->nr == NO_CALL)
            continue;
        entries[batched] = (struct multicall_entry){ .op = c->nr };
        memcpy(entries[batched].args, c->a, sizeof(c->a));
        batched++;
    }
    batching = false;
    m->after = NULL;
    m->text[0] = 0;
    call(m, __HYPERVISOR_multicall, (uint64_t)entries, n, 0, 0);
    if (odd(8))
        m->a[0] = some_pointer(m, sizeof(entries));
    if (m->a[0] == (uint64_t)m->data)
        m->a[0] = (uint64_t)entries;
    say(m, "%u calls", n);
    finish(m, pv_hypercall(m->nr, m->a[0], m->a[1], 0, 0, 0));
    for (unsigned int i = 0; i < n && !m->result && m->a[0] == (uint64_t)entries; i++)
        finish(&calls[i], (long)entries[i].result);
}

static void step(void)
{
    nearly = random(2);
    normalise();
    if (random(12))
        one_call();
    else
        multicall();
    if (callbacks_changed)
        pv_traps_init();
    callbacks_changed = false;
    if (random(8) == 0)
        FAULT(random_mix(0),
              (void)window[random(WINDOWS)][5]); /* perhaps through a translation that nobody flushed */
}

/* ---- Epochs ---- */

/* Bits of an entry that hypervisors may change. */
#define HYPERVISORS (PTE_G | PTE_US | PTE_A | PTE_D | PTE_PWT | PTE_PCD)

/* What is in the pages, entries as the numbers of pages. Bits that are the hypervisor's affair are left out.
 */
static void mix_pages(void)
{
    for (unsigned int i = 0; i < PAGES; i++) {
        random_mix(gone[i]);
        for (unsigned int k = 0; k < SLOTS && !gone[i]; k++) {
            uint64_t e = page[i][slots[k]];
            unsigned int j = 0;

            if (slots[k] >= HV_FIRST && slots[k] <= HV_LAST)
                continue;
            while (j < PAGES && (gone[j] || pv_pte_mfn(e).v != pv_virt_to_mfn(page[j]).v))
                j++;
            random_mix(j);
            random_mix(e & 0xfff & ~HYPERVISORS);
            if (random_shown() && e)
                pv_printf("%lu: page %u[%u]: page %u, %lx\n", random_step, i, slots[k], j,
                          e & 0xfff & ~HYPERVISORS);
        }
    }
}

static void come_back(unsigned int i)
{
    xen_pfn_t frame = pv_virt_to_pfn(page[i]).v;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, &frame);
    require(HYPERVISOR_memory_op(XENMEM_populate_physmap, &r) == 1, "page %u back", i);
    gone[i] = false;
    pv_set_p2m(pv_virt_to_pfn(page[i]), mfn(frame));
}

/* No page is in use as anything; what still is one after some rounds is left to the hypervisor. */
static void pages_begin(void)
{
    uint64_t *l4 = pv_kernel_l4();
    bool writable[PAGES] = { false };

    require(!test_mmuext(MMUEXT_NEW_BASEPTR, l4), "own root");
    test_mmuext_mfn(MMUEXT_NEW_USER_BASEPTR, 0);
    HYPERVISOR_set_gdt(NULL, 0);
    HYPERVISOR_mmuext_op(&(struct mmuext_op){ .cmd = MMUEXT_SET_LDT }, 1, NULL, DOMID_SELF);
    for (unsigned int w = 0; w < WINDOWS; w++)
        require(!pv_map((unsigned long)window[w], 0), "window %u", w);
    for (unsigned int n = 0; n < nr_others; n++)
        if (others[n].name[0] == 'L')
            test_mmuext_mfn(MMUEXT_UNPIN_TABLE, others[n].mfn);
    test_pin(4, l4);
    for (unsigned int i = 0; i < PAGES; i++) {
        if (gone[i])
            come_back(i);
        test_unpin(page[i]);
    }
    for (unsigned int round = 0; round < 5; round++)
        for (unsigned int i = 0; i < PAGES; i++)
            if (!writable[i] && !pv_set_readonly(page[i], false)) {
                writable[i] = true;
                memset(page[i], 0, PAGE_SIZE);
            }
    for (unsigned int i = 0; i < PAGES; i++) {
        if (!writable[i]) {
            pv_printf("page %u is lost\n", i);
            why();
            lost++;
            page[i] = test_page();
        }
        if (i >= PAGES - ROOTS) {
            memcpy(page[i] + HV_LAST + 1, l4 + HV_LAST + 1, (511 - HV_LAST) * 8);
            test_readonly(page[i], true);
        }
    }
}

static void begin(void)
{
    cpu_begin();
    events_end();
    memory_end();
    pages_begin();
    grants_end();
    grants_begin();
}

/* Parador's checker now and then, and after each step that is shown. */
static bool after(void)
{
    long err = 0;

    if (random_step % CHECK_STEPS == 0 || random_shown())
        err = HYPERVISOR_parador(PARADOR_check, NULL);
    if (random_step % RANDOM_EPOCH == RANDOM_EPOCH - 1 || random_step + 1 == random_steps)
        mix_pages();
    return check(err != -EINVAL, "the invariants after step %lu: %ld", random_step, err);
}

/* ---- The start ---- */

static void other(const char *name, uint64_t mfn)
{
    strlcpy(others[nr_others].name, name, sizeof(others[0].name));
    others[nr_others++].mfn = mfn;
}

/* Frames that are none of the pages. Those whose names begin with L are tables that the guest runs on. */
static void find_others(void)
{
    unsigned long va = (unsigned long)window[0];
    uint64_t last = (uint64_t)HYPERVISOR_memory_op(XENMEM_maximum_ram_page, NULL);

    other("hypervisor", pv_pte_mfn(pv_kernel_l4()[HV_FIRST]).v);
    other("RAM's end", last + 1);
    other("no frame", 1UL << 38);
    other("VGA", 0xa0);
    other("APIC", 0xfee00);
    for (unsigned int level = 1; level <= 4; level++) {
        char name[] = { 'L', (char)('0' + level), 0 };

        other(name, pv_virt_to_mfn((void *)((unsigned long)pv_walk_level(va, level) & PAGE_MASK)).v);
    }
    nr_harmless = nr_others;
    other("shared_info", pv_start_info->shared_info >> PAGE_SHIFT);
    other("start_info", pv_virt_to_mfn(pv_start_info).v);
}

void test_main(void)
{
    random_begin();
    pv_events_off();
    for (unsigned int i = 0; i < PAGES; i++)
        page[i] = test_page();
    window[0] = pv_vaddr_reserve(WINDOWS + 2);
    require(window[0], "windows");
    edge = (uint64_t *)(unsigned long)window[0] + WINDOWS * (PAGE_SIZE / 8);
    require(!pv_map((unsigned long)edge, test_pte(test_page(), PTE_KERNEL)), "an edge");
    for (unsigned int w = 1; w < WINDOWS; w++)
        window[w] = window[0] + w * (PAGE_SIZE / 8);
    find_others();
    for (unsigned int i = 0; i < SPARE; i++)
        test_give_back();
    random_run(step, begin, after);
    begin();
    cpu_end();
    if (random_steps >= FEW && !random_shows())
        check(random_share() >= SHARE, "only %lu %% of the calls succeeded", random_share());
    if (lost)
        pv_printf("%u pages lost\n", lost);
}
