/* SPDX-License-Identifier: MIT
 *
 * Chance against page types: two guests that ask for anything, for each other's frames too, and walks stopped
 * anywhere, on one CPU and on several at once. The checker finds every count right at any time, no table ever
 * leads to the other guest's frames, and in the end every frame comes back.
 */
// sources: tests/host/fake_hv.c hypervisor/mm/heap.c hypervisor/mm/domain_frames.c
// sources: hypervisor/mm/page_type.c hypervisor/mm/pv_direct.c hypervisor/mm/relinquish.c
// sources: hypervisor/mm/check.c hypervisor/domain/check.c hypervisor/mm/descriptor.c
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include "mm/paging.h"
#include "tests/host/fake_hv.h"

#define FRAMES 24 /* few, so that they meet in all combinations */
#define CPUS   4

static struct domain *d0, *d, *e;
static uint64_t frames[FRAMES]; /* numbers; word-sized, may be freed meanwhile */

static mfn_t pick(unsigned int *seed)
{
    return MFN(__atomic_load_n(&frames[(unsigned int)rand_r(seed) % FRAMES], __ATOMIC_RELAXED));
}

/* One of a few places in a table, so that entries get replaced. */
static unsigned int place(unsigned int *seed)
{
    return (unsigned int)rand_r(seed) % 16 * 34;
}

static uint64_t random_entry(unsigned int *seed)
{
    static const uint64_t flags[] = { E_RW,        E_RO, PTE_P | PTE_RW, E_TABLE | PTE_A, E_RO | PTE_NX,
                                      0x80 | E_RW, 0 };

    return fake_entry(pick(seed), flags[(unsigned int)rand_r(seed) % 7]);
}

/* Writes into a frame that is ordinary memory at this moment, as the guest itself would. */
static void guest_write(struct domain *who, mfn_t m, unsigned int *seed)
{
    if (get_frame_type(who, m, FT_WRITABLE))
        return;
    for (unsigned int i = 0; i < 4; i++)
        WRITE_ONCE(fake_words(m)[place(seed)], random_entry(seed));
    for (unsigned int i = 0; i < 16 && rand_r(seed) % 4; i++)
        WRITE_ONCE(fake_words(m)[i * 34], 0);
    put_frame_type(m);
}

/* A frame goes back to the heap, and another takes its place. */
static void swap_frame(struct domain *who, unsigned int *seed)
{
    uint64_t *slot = &frames[(unsigned int)rand_r(seed) % FRAMES];
    mfn_t m = domain_frames_alloc(who, 0);

    if (m.v == INVALID_MFN.v)
        return;
    m = MFN(__atomic_exchange_n(slot, m.v, __ATOMIC_RELAXED));
    for (unsigned int i = 0; !domain_frame_release(d, m) && !domain_frame_release(e, m); i++) {
        cr_assert_lt(i, 1000000, "frame %lx is nobody's", m.v);
        sched_yield(); /* another CPU just moves it */
    }
}

static void one_step(struct vcpu *v, unsigned int *seed)
{
    struct domain *who = v->domain;
    mfn_t m = pick(seed);
    enum frame_type level = FT_L1 + (unsigned int)rand_r(seed) % 4;
    uint64_t at = mfn_to_maddr(m) + place(seed) * 8;

    switch (rand_r(seed) % 18) {
    case 0 ... 4:
        (void)!pv_direct.write_entry(who, who, at, random_entry(seed), rand_r(seed) % 2);
        break;
    case 5:
        (void)!pv_exchange_leaf(who, at, READ_ONCE(fake_words(m)[at % PAGE_SIZE / 8]), random_entry(seed));
        break;
    case 6 ... 7:
        (void)!pin_table(who, m, level);
        break;
    case 8 ... 9:
        (void)!unpin_table(who, m);
        break;
    case 10:
        (void)!pv_direct.set_root(v, rand_r(seed) % 4 ? m : MFN(0), rand_r(seed) % 2);
        break;
    case 11 ... 13:
        guest_write(who, m, seed);
        break;
    case 14:
        swap_frame(who, seed);
        break;
    case 15:
        (void)!domain_frame_move(who, who == d ? e : d, m);
        break;
    case 16:
        (void)!frames_scrub_step();
        break;
    default:
        (void)!paging_finish(who);
    }
}

static void setup(void)
{
    fake_machine();
    d0 = fake_domain(0, ~0UL);
    d = fake_domain(1, 1000);
    e = fake_domain(2, 1000);
    for (unsigned int i = 0; i < FRAMES; i++)
        frames[i] = fake_frame(d).v;
}

/* Nothing was granted, so a table's entries lead to its owner's frames. */
static void check_isolation(void)
{
    for (uint64_t m = 0; m < max_mfn; m++) {
        const struct frame *f = frame_of(MFN(m));

        if (!mfn_valid(MFN(m)) || !(f->word & FRAME_VALIDATED))
            continue;
        for (unsigned int i = 0; i < 512; i++) {
            uint64_t entry = fake_words(MFN(m))[i];

            if (entry & PTE_P)
                cr_assert_eq(frame_of(entry_mfn(entry))->owner, f->owner, "entry %u of %lx", i, m);
        }
    }
}

static void teardown(void)
{
    cr_assert_eq(check_machine(), 0);
    check_isolation();
    fake_preempt_every = 3;
    cr_assert(fake_domain_end(d));
    cr_assert(fake_domain_end(e));
    cr_assert_eq(frames_free(), FAKE_RAM);
    cr_assert_eq(check_machine(), 0);
}

Test(chance, one_cpu)
{
    unsigned int seed = 42;

    setup();
    for (unsigned int i = 0; i < 60000; i++) {
        fake_preempt_every = i % 5 ? (unsigned long)(rand_r(&seed) % 6) : ~0UL;
        one_step(i % 4 ? d->vcpu[0] : e->vcpu[0], &seed);
        if (i % 200 == 0)
            cr_assert_eq(check_machine(), 0, "after step %u", i);
    }
    teardown();
}

static void *cpu(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg + 7;
    struct vcpu v = { .domain = seed % 4 ? d : e, .kernel_mode = true };

    for (unsigned int i = 0; i < 60000; i++)
        one_step(&v, &seed);
    if (v.arch.cr3_kernel)
        put_frame_type(maddr_to_mfn(v.arch.cr3_kernel));
    if (v.arch.cr3_user)
        put_frame_type(maddr_to_mfn(v.arch.cr3_user));
    return NULL;
}

static void run_cpus(void *(*fn)(void *arg))
{
    pthread_t threads[CPUS];

    for (unsigned int i = 0; i < CPUS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, fn, (void *)(uintptr_t)i), 0);
    for (unsigned int i = 0; i < CPUS; i++)
        pthread_join(threads[i], NULL);
}

Test(chance, several_cpus)
{
    setup();
    fake_preempt_every = 2;
    fake_racy = true;
    run_cpus(cpu);
    teardown();
}

static mfn_t one_table;

/* All write the same two entries, and unpin and pin their table. */
static void *same_entry(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg + 1;

    for (unsigned int i = 0; i < 200000; i++) {
        uint64_t at = mfn_to_maddr(one_table) + (unsigned int)rand_r(&seed) % 2 * 8;

        if (rand_r(&seed) % 50 == 0)
            (void)!(rand_r(&seed) % 2 ? pin_table(d, one_table, FT_L1) : unpin_table(d, one_table));
        else
            (void)!pv_direct.write_entry(
                d, d, at, rand_r(&seed) % 3 ? fake_entry(MFN(frames[rand_r(&seed) % 3]), E_RW) : 0, false);
    }
    return NULL;
}

Test(chance, several_cpus_one_entry)
{
    setup();
    one_table = MFN(frames[FRAMES - 1]);
    run_cpus(same_entry);
    teardown();
}
