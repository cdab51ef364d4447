/* SPDX-License-Identifier: MIT
 *
 * Mapping of grants, with the real frame table and page tables: what an entry allows, counts by kind,
 * handles, and random walks after which the invariant checker and a plain recount agree (docs/safety.md
 * "Grants").
 */
// sources: hypervisor/domain/grant.c hypervisor/domain/grant_map.c hypervisor/domain/grant_copy.c
// sources: hypervisor/domain/grant_transfer.c tests/host/fake_hv.c hypervisor/mm/heap.c
// sources: hypervisor/mm/domain_frames.c hypervisor/mm/page_type.c
// sources: hypervisor/mm/pv_direct.c hypervisor/mm/grant_map.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
// sources: tests/host/grant_domains.c
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "tests/host/grant_domains.h"

#define USE_RO (GTF_permit_access | GTF_reading)
#define USE_RW (GTF_permit_access | GTF_reading | GTF_writing)

TestSuite(grant, .init = grants_begin, .fini = grants_end);

Test(grant, map_and_unmap)
{
    uint32_t h;

    offer(5, u, frame, GTF_permit_access);
    cr_assert_eq(map(5, 0, 0, &h), GNTST_okay);
    cr_assert_eq(flags_of(5), USE_RW);
    cr_assert_eq(fake_words(l1)[0] & (PTE_ADDR | PTE_P | PTE_RW | PTE_NX),
                 mfn_to_maddr(frame) | PTE_P | PTE_RW | PTE_NX);
    cr_assert_eq(fake_uses(frame), 1);
    cr_assert_eq(fake_refs(frame), 2);
    cr_assert_eq(u->grant->nr_mapped, 1);
    cr_assert_eq(g->grant->nr_active, 1);
    cr_assert_eq(check_machine(), 0);
    cr_assert_eq(unmap(h, 0), GNTST_okay);
    cr_assert_eq(flags_of(5), GTF_permit_access);
    cr_assert_eq(fake_words(l1)[0], 0);
    cr_assert_eq(fake_uses(frame), 0);
    cr_assert_eq(fake_refs(frame), 1);
    cr_assert_eq(unmap(h, 0), GNTST_bad_handle);
}

Test(grant, read_only)
{
    uint32_t h;

    offer(5, u, frame, GTF_permit_access | GTF_readonly);
    cr_assert_eq(map(5, 0, 0, &h), GNTST_general_error);
    cr_assert_eq(fake_rule, R_GRANT_READ_ONLY);
    cr_assert_eq(flags_of(5), GTF_permit_access | GTF_readonly);
    cr_assert_eq(map(5, 0, GNTMAP_readonly, &h), GNTST_okay);
    cr_assert_eq(flags_of(5), USE_RO | GTF_readonly);
    cr_assert(!(fake_words(l1)[0] & PTE_RW));
    cr_assert_eq(fake_uses(frame), 0);
    cr_assert_eq(unmap(h, 0), GNTST_okay);
    cr_assert_eq(flags_of(5), GTF_permit_access | GTF_readonly);
}

Test(grant, entries_that_give_nothing)
{
    struct gnttab_map_grant_ref op = { .flags = GNTMAP_host_map, .dom = 77 };
    mfn_t table = fake_frame(g);
    uint32_t h;

    cr_assert_eq(map(5, 0, 0, &h), GNTST_general_error); /* empty */
    offer(5, other, frame, GTF_permit_access);
    cr_assert_eq(map(5, 0, 0, &h), GNTST_general_error);
    cr_assert_eq(fake_rule, R_GRANT_NOT_FOR_YOU);
    offer(5, u, frame, GTF_accept_transfer);
    cr_assert_eq(map(5, 0, 0, &h), GNTST_general_error);
    cr_assert_eq(map(512, 0, 0, &h), GNTST_bad_gntref); /* the table has one frame */
    cr_assert_eq(map(~0U, 0, 0, &h), GNTST_bad_gntref);
    cr_assert_eq(map_as(u, 5, entry_addr(0), GNTMAP_readonly, &h), GNTST_bad_gntref);
    cr_assert_eq(fake_grant_map(u->vcpu[0], &op), GNTST_bad_domain);
    offer(5, u, l1, GTF_permit_access); /* not the granter's */
    cr_assert_eq(map(5, 0, 0, &h), GNTST_bad_page);
    offer(5, u, MFN(FAKE_HOLE), GTF_permit_access);
    cr_assert_eq(map(5, 0, 0, &h), GNTST_bad_page);
    offer(5, u, MFN(0xfffffff0), GTF_permit_access);
    cr_assert_eq(map(5, 0, GNTMAP_readonly, &h), GNTST_bad_page);
    cr_assert_eq(pin_table(g, table, FT_L1), 0);
    offer(5, u, table, GTF_permit_access); /* a page table may be read, not written */
    cr_assert_eq(map(5, 0, 0, &h), GNTST_general_error);
    cr_assert_eq(flags_of(5), GTF_permit_access);
    cr_assert_eq(map(5, 0, GNTMAP_readonly, &h), GNTST_okay);
    cr_assert_eq(unmap(h, 0), GNTST_okay);
    cr_assert_eq(g->grant->nr_active, 0);
    cr_assert_eq(u->grant->nr_mapped, 0);
}

Test(grant, places_that_take_no_mapping)
{
    mfn_t plain = fake_frame(u), foreign = fake_frame(other);
    uint32_t h, how = GNTMAP_host_map | GNTMAP_contains_pte;

    offer(5, u, frame, GTF_permit_access);
    cr_assert_eq(pin_table(other, foreign, FT_L1), 0);
    cr_assert_eq(map_as(u, 5, entry_addr(0) + 4, how, &h), GNTST_general_error);
    cr_assert_eq(map_as(u, 5, mfn_to_maddr(plain), how, &h), GNTST_general_error);
    cr_assert_eq(map_as(u, 5, mfn_to_maddr(foreign), how, &h), GNTST_general_error);
    cr_assert_eq(map_as(u, 5, ~7ULL, how, &h), GNTST_general_error);
    cr_assert_eq(flags_of(5), GTF_permit_access);
    cr_assert_eq(fake_refs(frame), 1);
    cr_assert_eq(u->grant->nr_mapped, 0);
}

Test(grant, each_kind_counts_for_itself)
{
    uint32_t h[3];

    offer(5, u, frame, GTF_permit_access);
    cr_assert_eq(map(5, 0, GNTMAP_readonly, &h[0]), 0);
    cr_assert_eq(flags_of(5), USE_RO);
    cr_assert_eq(map(5, 1, 0, &h[1]), 0);
    cr_assert_eq(flags_of(5), USE_RW);
    cr_assert_eq(map(5, 2, 0, &h[2]), 0);
    cr_assert_eq(fake_uses(frame), 2);
    cr_assert_eq(unmap(h[1], 1), 0);
    cr_assert_eq(flags_of(5), USE_RW, "one writer is left");
    cr_assert_eq(unmap(h[2], 2), 0);
    cr_assert_eq(flags_of(5), USE_RO, "a reader is left");
    cr_assert_eq(unmap(h[0], 0), 0);
    cr_assert_eq(flags_of(5), GTF_permit_access);
}

Test(grant, a_frame_in_use_stays_what_it_was)
{
    mfn_t second = fake_frame(g);
    uint32_t h, k;

    offer(5, u, frame, GTF_permit_access);
    cr_assert_eq(map(5, 0, 0, &h), 0);
    grant_shared(g->grant, 5)->frame = (uint32_t)second.v; /* the granter changes its mind */
    cr_assert_eq(map(5, 1, 0, &k), 0);
    cr_assert_eq(entry_mfn(fake_words(l1)[1]).v, frame.v);
    cr_assert_eq(pin_table(g, frame, FT_L1), -EINVAL, "mapped writable elsewhere");
    cr_assert_eq(unmap(k, 1), 0);
    cr_assert_eq(unmap(h, 0), 0);
    cr_assert_eq(pin_table(g, frame, FT_L1), 0);
    cr_assert_eq(map(5, 0, 0, &h), 0);
    cr_assert_eq(entry_mfn(fake_words(l1)[0]).v, second.v);
    cr_assert_eq(unmap(h, 0), 0);
}

Test(grant, one_user_at_a_time_and_128_uses)
{
    uint32_t h[128], more;

    offer(5, u, frame, GTF_permit_access);
    for (unsigned int i = 0; i < 128; i++)
        cr_assert_eq(map(5, i, 0, &h[i]), 0, "use %u", i);
    cr_assert_eq(map(5, 200, 0, &more), GNTST_general_error);
    cr_assert_eq(fake_rule, R_GRANT_BUSY);
    grant_shared(g->grant, 5)->domid = other->domid;
    cr_assert_eq(map_as(other, 5, 8, GNTMAP_device_map, &more), GNTST_general_error);
    grant_shared(g->grant, 5)->domid = u->domid;
    for (unsigned int i = 0; i < 128; i++)
        cr_assert_eq(unmap(h[i], i), 0);
    cr_assert_eq(g->grant->nr_active, 0);
}

#ifdef __x86_64__
#define STEPS_A_CHANGE 6      /* so that from 6 to 750 instructions later the flags are others */
#define NO_MATTER_LOW  0x200U /* Parador does not look at these */
#define NO_MATTER      0xfe00U

static uint16_t *unsteady; /* the flags that the granter changes */

static void granter_runs(int signal)
{
    static unsigned int steps;

    (void)signal;
    steps++;
    *unsteady = (uint16_t)((*unsteady & ~NO_MATTER) | (steps / STEPS_A_CHANGE * NO_MATTER_LOW & NO_MATTER));
}

/* The processor's single step stands in for a granter on another CPU that is always faster. */
Test(grant, an_entry_that_never_stands_still)
{
    uint32_t h;
    int rc;

    offer(5, u, frame, GTF_permit_access);
    unsteady = &grant_shared(g->grant, 5)->flags;
    signal(SIGTRAP, granter_runs);
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
    rc = map(5, 0, 0, &h);
    __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" : : : "memory", "cc");
    cr_assert_eq(rc, GNTST_general_error);
    cr_assert_eq(fake_rule, R_GRANT_UNSTABLE);
    cr_assert_eq(flags_of(5) & ~NO_MATTER, GTF_permit_access, "no mark was left");
    cr_assert_eq(g->grant->nr_active + u->grant->nr_mapped, 0);
    cr_assert_eq(fake_refs(frame), 1);
    cr_assert_eq(map(5, 0, 0, &h), 0);
    cr_assert_eq(unmap(h, 0), 0);
}
#endif

Test(grant, unmap_looks_at_the_whole_entry)
{
    mfn_t mine = fake_frame(u);
    uint32_t h;

    offer(5, u, frame, GTF_permit_access);
    cr_assert_eq(map(5, 0, 0, &h), 0);
    cr_assert_eq(unmap(h, 1), GNTST_general_error); /* nothing there */
    cr_assert_eq(pv_direct.write_entry(u, u, entry_addr(2), fake_entry(mine, E_RW), false), 0);
    cr_assert_eq(unmap(h, 2), GNTST_general_error); /* another frame */
    cr_assert_eq(unmap(h + 1, 0), GNTST_bad_handle);
    cr_assert_eq(unmap(~0U, 0), GNTST_bad_handle);
    cr_assert_eq(flags_of(5), USE_RW);
    cr_assert_eq(check_machine(), 0);
    cr_assert_eq(unmap(h, 0), 0, "the handle is still good");
}

Test(grant, host_and_device)
{
    uint64_t device = mfn_to_maddr(frame);
    uint32_t h;

    offer(5, u, frame, GTF_permit_access);
    cr_assert_eq(map(5, 0, GNTMAP_device_map, &h), 0);
    cr_assert_eq(fake_uses(frame), 2);
    cr_assert_eq(grant_active(g->grant, 5)->pins, PIN_HOST_RW + PIN_DEV_RW);
    cr_assert_eq(check_machine(), 0);
    cr_assert_eq(grant_unmap(u->vcpu[0], 0, device + PAGE_SIZE, 0, h), GNTST_bad_dev_addr);
    cr_assert_eq(unmap(h, 0), 0);
    cr_assert_eq(grant_active(g->grant, 5)->pins, PIN_DEV_RW);
    cr_assert_eq(flags_of(5), USE_RW);
    cr_assert_eq(check_machine(), 0);
    cr_assert_eq(unmap(h, 0), 0, "no host map is left, and that is no error");
    cr_assert_eq(grant_unmap(u->vcpu[0], 0, device, 0, h), 0);
    cr_assert_eq(flags_of(5), GTF_permit_access);
    cr_assert_eq(unmap(h, 0), GNTST_bad_handle);
}

Test(grant, handles_come_again)
{
    uint32_t h, first;

    offer(5, u, frame, GTF_permit_access);
    cr_assert_eq(map(5, 0, 0, &first), 0);
    cr_assert_eq(unmap(first, 0), 0);
    for (unsigned int i = 0; i < 3 * MAPTRACK_PER_PAGE; i++) {
        cr_assert_eq(map(5, i % 512, 0, &h), 0);
        cr_assert_eq(h, first);
        cr_assert_eq(unmap(h, i % 512), 0);
    }
    cr_assert_eq(u->grant->nr_handles, MAPTRACK_PER_PAGE);
}

/* Random walks. */
#define SLOTS 40
static struct {
    bool mapped;
    uint32_t handle, ref;
    bool ro;
} slots[SLOTS];

static void recount(void)
{
    uint32_t pins[64] = { 0 };
    unsigned int nr = 0, active = 0;

    for (unsigned int i = 0; i < SLOTS; i++)
        if (slots[i].mapped) {
            pins[slots[i].ref] += slots[i].ro ? PIN_HOST_RO : PIN_HOST_RW;
            nr++;
        }
    for (uint32_t ref = 0; ref < 64; ref++) {
        bool reading = pins[ref], writing = pins[ref] & PINS_WRITING;

        active += reading;
        cr_assert_eq(grant_active(g->grant, ref)->pins, pins[ref]);
        cr_assert_eq((flags_of(ref) & GTF_reading) != 0, reading);
        cr_assert_eq((flags_of(ref) & GTF_writing) != 0, writing);
    }
    cr_assert_eq(u->grant->nr_mapped, nr);
    cr_assert_eq(g->grant->nr_active, active);
    cr_assert_eq(check_machine(), 0);
}

static void random_step(void)
{
    unsigned int i = (unsigned int)rand() % SLOTS;
    uint32_t ref = (uint32_t)rand() % 64, handle;

    if (!slots[i].mapped) {
        bool ro = rand() % 2;

        if (map(ref, i, ro ? GNTMAP_readonly : 0, &handle))
            return;
        slots[i].mapped = true;
        slots[i].handle = handle;
        slots[i].ref = ref;
        slots[i].ro = ro;
    } else if (rand() % 4) {
        cr_assert_eq(unmap(slots[i].handle, i), 0);
        slots[i].mapped = false;
    } else {
        unsigned int k = (unsigned int)rand() % SLOTS; /* a wrong place, mostly */

        if (k != i)
            cr_assert_neq(unmap(slots[i].handle, 400 + k), 0);
    }
}

Test(grant, random_walks)
{
    mfn_t frames[8];

    srand(11);
    memset(slots, 0, sizeof(slots));
    for (unsigned int i = 0; i < 8; i++)
        frames[i] = fake_frame(g);
    for (uint32_t ref = 0; ref < 64; ref++)
        offer(ref, ref % 7 ? u : other, frames[ref % 8],
              ref % 5 ? GTF_permit_access : GTF_permit_access | GTF_readonly);
    for (unsigned int round = 0; round < 100; round++) {
        for (unsigned int n = 0; n < 40; n++)
            random_step();
        recount();
    }
    for (unsigned int i = 0; i < SLOTS; i++)
        if (slots[i].mapped)
            cr_assert_eq(unmap(slots[i].handle, i), 0);
}

static uint32_t both;
static unsigned int locks;

/* The other vcpu of u ends the device map. */
static void unmap_device_map(void)
{
    if (++locks == 2)
        cr_assert_eq(grant_unmap(u->vcpu[0], 0, mfn_to_maddr(frame), 0, both), GNTST_okay);
}

Test(grant, a_handle_is_freed_once_whoever_ends_what_of_it)
{
    offer(8, u, frame, GTF_permit_access);
    cr_assert_eq(map(8, 0, GNTMAP_device_map, &both), GNTST_okay);
    cr_assert_eq(unmap(both, 0), GNTST_okay);
    fake_meanwhile = unmap_device_map;
    cr_assert_eq(unmap(both, 0), GNTST_okay, "nothing is left of that kind, as on Xen");
    fake_meanwhile = NULL;
    if (locks < 2)
        cr_assert_eq(grant_unmap(u->vcpu[0], 0, mfn_to_maddr(frame), 0, both), GNTST_okay);
    cr_assert_eq(u->grant->nr_mapped, 0);
}
