/* SPDX-License-Identifier: MIT
 *
 * CPUs that stop all others, one right after the other, with the thread sanitizer: while a CPU has stopped
 * them nobody else does anything, and afterwards everybody goes on.
 */
// sources: tests/host/race/main.c hypervisor/x86/smp.c
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include "domain/domain.h"
#include "x86/cpu.h"

#define CPUS  4
#define STOPS 200000 /* pairs of them, of each of two CPUs */

static struct cpu cpu_of[CPUS];
static __thread uint32_t self;
static unsigned long work[CPUS]; /* each CPU's own, and all of them who has stopped the others */
static unsigned int stopping = 2;

struct cpu *this_cpu(void)
{
    return &cpu_of[self];
}

void apic_send(uint32_t apic_id, uint32_t what)
{
    (void)apic_id, (void)what; /* they look by themselves */
}

void cpu_relax(void)
{
    sched_yield();
}

static void serve(void)
{
    if (__atomic_fetch_and(&this_cpu()->work, ~(uint32_t)WORK_STOP, __ATOMIC_RELAXED) & WORK_STOP)
        cpus_park();
}

static void stop_and_work(void)
{
    cpus_stop();
    for (unsigned int i = 0; i < CPUS; i++)
        work[i]++;
    cpus_go();
}

/* CPUs 0 and 1 stop the others now and then, twice in a row. */
static void *run(void *arg)
{
    unsigned int seed = self = *(uint32_t *)arg;

    for (unsigned int i = 0; i < STOPS && self < 2; i++) {
        work[self]++;
        serve();
        stop_and_work();
        for (volatile unsigned int k = (unsigned int)rand_r(&seed) % 256; k; k--)
            ; /* the others are on their way out */
        stop_and_work();
    }
    __atomic_sub_fetch(&stopping, self < 2, __ATOMIC_RELAXED);
    while (__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
        work[self]++;
        serve();
    }
    return NULL;
}

Test(smp, all_stand_still)
{
    pthread_t threads[CPUS];
    uint32_t ids[CPUS];

    nr_cpus = CPUS;
    for (uint32_t i = 0; i < CPUS; i++) {
        cpu_of[i].id = cpu_of[i].apic_id = ids[i] = i;
        cpus[i] = &cpu_of[i];
    }
    for (uint32_t i = 0; i < CPUS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run, &ids[i]), 0);
    for (uint32_t i = 0; i < CPUS; i++)
        pthread_join(threads[i], NULL);
}
