/* SPDX-License-Identifier: MIT
 *
 * Event channels of three domains that several CPUs open, bind, send on and close at random, with the thread
 * sanitizer: a port changes under its domain's lock only, a pair under both, and in the end no port is left.
 * And the order in which a sender and who opens the port set their bits and look at the other's.
 */
// sources: tests/host/race/main.c hypervisor/domain/evtchn.c hypervisor/lib/lock.c tests/host/fake_domains.c
#include <criterion/criterion.h>
#include <pthread.h>
#include "lib/bits.h"
#include "tests/host/fake_domains.h"

#define CPUS  4
#define PORTS 12u /* few, so that they meet */
#define STEPS 20000

static unsigned int wakes;

void vcpu_wake(struct vcpu *v)
{
    (void)v;
    __atomic_add_fetch(&wakes, 1, __ATOMIC_RELAXED);
}

/* As a guest's upcall handler takes events. */
static void consume(struct domain *d, unsigned int vcpu, uint32_t port)
{
    WRITE_ONCE(d->vcpu[vcpu]->info->evtchn_upcall_pending, 0);
    for (unsigned int i = 0; i < 64; i++)
        clear_bit(i, &d->vcpu[vcpu]->info->evtchn_pending_sel);
    clear_bit(port, d->shared->evtchn_pending);
}

static void one_step(struct domain *d, unsigned int *seed)
{
    unsigned int r = (unsigned int)rand_r(seed), vcpu = r / 64 % FAKE_VCPUS;
    uint32_t port = 1 + r / 256 % PORTS, got;
    uint16_t other = (uint16_t)(1 + r / 8192 % 3);
    struct evtchn_status st = { .port = port };

    switch (r % 16) {
    case 0 ... 1:
        (void)!evtchn_alloc_unbound(d, other, &got);
        break;
    case 2 ... 3:
        (void)!evtchn_bind_interdomain(d, other, port, &got);
        break;
    case 4:
        (void)!evtchn_bind_ipi(d, vcpu, &got);
        break;
    case 5:
        (void)!evtchn_bind_virq(d, r / 16 % 2 ? VIRQ_TIMER : VIRQ_DOM_EXC, r / 16 % 2 ? vcpu : 0, &got);
        break;
    case 6:
        evtchn_send_virq(d, vcpu, VIRQ_TIMER);
        evtchn_send_virq(d, 0, VIRQ_DOM_EXC);
        break;
    case 7:
        (void)!evtchn_bind_vcpu(d, port, vcpu);
        break;
    case 8:
        (void)!evtchn_status(d, &st);
        (void)!evtchn_pending(d, port);
        break;
    case 9:
        (void)!evtchn_unmask(d, port);
        break;
    case 10:
        if (r / 16 % 256 == 0)
            while (evtchn_reset(d) == -ERESTART)
                ;
        break;
    case 11:
        consume(d, vcpu, port);
        break;
    case 12:
        (void)!evtchn_close(d, port);
        break;
    default:
        (void)!evtchn_send(d, port);
    }
}

static void *cpu(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg + 1;

    for (unsigned int i = 0; i < STEPS; i++)
        one_step(domains.by_id[1 + (uintptr_t)arg % 3], &seed);
    return NULL;
}

Test(evtchn, several_cpus)
{
    pthread_t threads[CPUS];

    fake_domains_begin();
    fake_several_cpus = true;
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++)
        cr_assert_eq(evtchn_init(domains.by_id[i]), 0);
    for (unsigned int i = 0; i < CPUS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, cpu, (void *)(uintptr_t)i), 0);
    for (unsigned int i = 0; i < CPUS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++) {
        while (evtchn_relinquish(domains.by_id[i]) == -ERESTART)
            ;
        cr_assert_eq(domains.by_id[i]->evtchn.in_use, 0);
        cr_assert_eq(domains.by_id[i]->refs, 1);
    }
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++)
        evtchn_free(domains.by_id[i]);
    cr_assert_lt(0, wakes);
    fake_domains_end();
}

/* --- no event is lost between who opens a port and who sends to it --- */

static const uint64_t *watched, *other_word; /* who reads the first ... */
static uint32_t other_bit;                   /* ... has before made this bit of the second ... */
static bool wanted;                          /* ... what it shall be */
static unsigned int looks, early;

static void look(const void *p)
{
    if (p != watched)
        return;
    looks++;
    early += (__atomic_load_n(other_word, __ATOMIC_SEQ_CST) >> other_bit & 1) != wanted;
}

static void watch(const uint64_t *reads, const uint64_t *has_set, uint32_t bit, bool to)
{
    watched = reads;
    other_word = has_set;
    other_bit = bit;
    wanted = to;
    looks = early = 0;
    race_read = look;
}

/* The sender sets the pending bit, then looks at the mask; who opens the port clears the mask, then looks
 * whether it is pending. Were one of them to look first, both could find that the other one has to tell the
 * guest. */
Test(evtchn, set_then_look)
{
    struct domain *d;
    uint32_t far, port;

    fake_domains_begin();
    fake_several_cpus = true;
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++)
        cr_assert_eq(evtchn_init(domains.by_id[i]), 0);
    d = domains.by_id[2];
    cr_assert_eq(evtchn_alloc_unbound(d, 1, &far), 0);
    cr_assert_eq(evtchn_bind_interdomain(domains.by_id[1], 2, far, &port), 0);
    consume(d, 0, far);
    set_bit(far, d->shared->evtchn_mask);

    watch(d->shared->evtchn_mask, d->shared->evtchn_pending, far, true);
    cr_assert_eq(evtchn_send(domains.by_id[1], port), 0);
    cr_assert_lt(0, looks);
    cr_assert_eq(early, 0);

    watch(d->shared->evtchn_pending, d->shared->evtchn_mask, far, false);
    cr_assert_eq(evtchn_unmask(d, far), 0);
    cr_assert_lt(0, looks);
    cr_assert_eq(early, 0);
    race_read = NULL;
    cr_assert_eq(d->vcpu[0]->info->evtchn_upcall_pending, 1);

    for (unsigned int i = 0; i < FAKE_DOMAINS; i++) {
        while (evtchn_relinquish(domains.by_id[i]) == -ERESTART)
            ;
        evtchn_free(domains.by_id[i]);
    }
    fake_domains_end();
}
