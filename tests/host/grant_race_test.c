/* SPDX-License-Identifier: MIT
 *
 * Grants between two domains with two CPUs each, which offer, map, copy, transfer, unmap and take back at
 * random, with the thread sanitizer: all but the entries that the guests write is done under the table's
 * lock, the counts are right in the end, and every frame comes back.
 */
// sources: tests/host/race/main.c hypervisor/domain/grant.c hypervisor/domain/grant_map.c
// sources: hypervisor/domain/grant_copy.c hypervisor/domain/grant_transfer.c tests/host/fake_hv.c
// sources: hypervisor/mm/heap.c hypervisor/mm/domain_frames.c hypervisor/mm/page_type.c
// sources: hypervisor/mm/pv_direct.c hypervisor/mm/grant_map.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <pthread.h>
#include "domain/grant_table.h"
#include "mm/paging.h"
#include "tests/host/fake_hv.h"

#define CPUS   4
#define REFS   6u
#define FRAMES 8
#define STEPS  20000

static struct side {
    struct domain *d;
    uint64_t l1;
    uint64_t frames[FRAMES]; /* numbers; a transfer may have taken them away */
} sides[2];

static unsigned int mapped, unmapped, copied; /* how often that was granted */

static mfn_t pick(struct side *s, unsigned int r)
{
    return MFN(READ_ONCE(s->frames[r % FRAMES]));
}

/* As the guest does: the frame's number first, then flags and domain in one word. */
static void offer(struct side *s, uint32_t ref, uint16_t to, mfn_t m, uint16_t flags)
{
    struct grant_entry_v1 *entry = grant_shared(s->d->grant, ref);

    if (READ_ONCE(entry->flags) & (GTF_reading | GTF_writing))
        return;
    WRITE_ONCE(entry->frame, (uint32_t)m.v);
    WRITE_ONCE(*(uint32_t *)(void *)entry, flags | (uint32_t)to << 16);
}

static void copy(struct side *s, struct side *far, uint32_t ref, unsigned int r)
{
    struct gnttab_copy op = { .flags = r % 2 ? GNTCOPY_source_gref : GNTCOPY_dest_gref };
    struct gnttab_copy_ptr *named = r % 2 ? &op.source : &op.dest, *own = r % 2 ? &op.dest : &op.source;

    named->u.ref = ref;
    named->domid = far->d->domid;
    own->u.gmfn = pick(s, r / 2).v;
    own->domid = DOMID_SELF;
    /* No bytes: those that race are the guests' own affair. */
    if (!fake_grant_copy(s->d->vcpu[0], &op))
        __atomic_add_fetch(&copied, 1, __ATOMIC_RELAXED);
}

static void transfer(struct side *s, struct side *far, uint32_t ref, mfn_t m)
{
    struct gnttab_transfer op = { .mfn = m.v, .domid = far->d->domid, .ref = ref };

    (void)!grant_transfer(s->d, &op);
}

static uint64_t far_maddr(struct side *far, unsigned int r)
{
    return mfn_to_maddr(pick(far, r / 4096));
}

static void one_step(struct side *s, struct side *far, unsigned int *seed)
{
    unsigned int r = (unsigned int)rand_r(seed), i = r / 16 % 8;
    uint32_t ref = r / 128 % REFS, handle = (uint32_t)rand_r(seed) % 16;
    uint64_t addr = s->l1 + i * 8;
    struct gnttab_map_grant_ref op = { .host_addr = addr, .ref = ref, .dom = far->d->domid };

    switch (r % 16) {
    case 0 ... 2:
        offer(s, ref, far->d->domid, pick(s, r / 1024),
              r / 8192 % 4 ? GTF_permit_access : GTF_accept_transfer);
        break;
    case 3 ... 6:
        op.flags = GNTMAP_host_map | GNTMAP_contains_pte | (r / 8192 % 2 ? GNTMAP_readonly : 0) |
                   (r / 16384 % 4 ? 0 : GNTMAP_device_map);
        if (!fake_grant_map(s->d->vcpu[0], &op))
            __atomic_add_fetch(&mapped, 1, __ATOMIC_RELAXED);
        break;
    case 7 ... 10:
        if (!grant_unmap(s->d->vcpu[0], addr, r / 1024 % 4 ? 0 : far_maddr(far, r), 0, handle))
            __atomic_add_fetch(&unmapped, 1, __ATOMIC_RELAXED);
        break;
    case 11:
        (void)!pv_direct.write_entry(s->d, s->d, addr, 0, false); /* the guest forgets a mapping */
        break;
    case 12:
        (void)!grant_swap(s->d, ref, r / 8192 % REFS);
        break;
    case 13:
        transfer(s, far, ref, pick(s, r / 1024));
        break;
    default:
        copy(s, far, ref, r / 1024);
    }
}

static void *cpu(void *arg)
{
    uintptr_t n = (uintptr_t)arg;
    unsigned int seed = (unsigned int)n + 1;

    for (unsigned int i = 0; i < STEPS; i++)
        one_step(&sides[n % 2], &sides[1 - n % 2], &seed);
    return NULL;
}

static void begin(void)
{
    fake_machine();
    for (unsigned int i = 0; i < 2; i++) {
        struct side *s = &sides[i];
        mfn_t l1;

        s->d = fake_domain((uint16_t)(1 + i), 100);
        cr_assert_eq(grant_init(s->d), 0);
        for (unsigned int k = 0; k < FRAMES; k++)
            s->frames[k] = fake_frame(s->d).v;
        l1 = fake_frame(s->d);
        cr_assert_eq(pin_table(s->d, l1, FT_L1), 0);
        s->l1 = mfn_to_maddr(l1);
    }
}

/* The end of a domain as teardown.c has it. */
static void relinquish(struct domain *d)
{
    d->dying = DYING;
    while (paging_relinquish(d))
        ;
    while (grant_relinquish(d))
        ;
    while (domain_frames_relinquish(d))
        ;
}

Test(grant, several_cpus)
{
    pthread_t threads[CPUS];

    begin();
    fake_racy = true;
    for (unsigned int i = 0; i < CPUS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, cpu, (void *)(uintptr_t)i), 0);
    for (unsigned int i = 0; i < CPUS; i++)
        pthread_join(threads[i], NULL);
    fake_racy = false;
    cr_assert_lt(100, mapped);
    cr_assert_lt(100, unmapped);
    cr_assert_lt(100, copied);
    cr_assert_eq(check_machine(), 0);
    for (unsigned int i = 0; i < 2; i++)
        relinquish(sides[i].d);
    for (unsigned int i = 0; i < 2; i++) {
        cr_assert(grant_idle(sides[i].d));
        cr_assert_eq(sides[i].d->tot_pages, 0);
        cr_assert_eq(sides[i].d->grant->nr_mapped, 0);
        grant_destroy(sides[i].d);
    }
    cr_assert_eq(frames_free(), FAKE_RAM);
}
