/* SPDX-License-Identifier: MIT
 *
 * pvkernel's core on four CPUs, with the thread sanitizer: threads that lock, signal, sleep, wake each other,
 * start others and end; programs that run, sleep and are killed; memory and jobs from everywhere. lock()
 * asserts the order of locks all the while. In the end nothing is left, and each CPU did run something.
 */
// sources: tests/host/race/main.c pvkernel/core/process.c pvkernel/core/syscall.c pvkernel/core/console.c
// sources: pvkernel/core/vm.c pvkernel/core/elf.c pvkernel/core/thread.c pvkernel/core/sync.c
// sources: pvkernel/core/page.c pvkernel/core/kalloc.c pvkernel/core/print.c pvkernel/core/lib.c
// sources: pvkernel/core/jobs.c pvkernel/core/lock.c tests/host/fake_arch.c
#include <criterion/criterion.h>
#include <string.h>
#include "pvkernel/core/errno.h"
#include "pvkernel/core/jobs.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/process.h"
#include "pvkernel/core/syscall.h"
#include "tests/host/fake_arch.h"

#define CPUS    4
#define THREADS 8
#define TURNS   150
#define MS      1000000ull

static struct mutex mutex;
static struct condvar changed;
static unsigned running;     /* guarded by mutex */
static unsigned counter;     /* guarded by mutex */
static unsigned box, posted; /* guarded by mutex */

static void over(void)
{
    mutex_lock(&mutex);
    running--;
    cond_broadcast(&changed);
    mutex_unlock(&mutex);
}

/* Runs f in n threads, until all have called over(). */
static void together(unsigned n, void (*f)(void *arg))
{
    running = n;
    for (unsigned i = 0; i < n; i++)
        cr_assert(thread_start("together", f, (void *)(uintptr_t)(i + 1)));
    mutex_lock(&mutex);
    while (running)
        cond_wait(&changed, &mutex);
    mutex_unlock(&mutex);
}

/* ---- mutexes: a counter, and hand-over by a condition variable ---- */

static void count(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < TURNS; i++) {
        mutex_lock(&mutex);
        counter++;
        if (i % 8 == 0)
            thread_yield();
        mutex_unlock(&mutex);
        fake_tick();
    }
    over();
}

static void post_or_take(void *arg)
{
    bool post = (uintptr_t)arg % 2;
    for (unsigned i = 0; i < TURNS; i++) {
        mutex_lock(&mutex);
        while (post == (box != 0))
            cond_wait(&changed, &mutex);
        box = post;
        posted += post;
        cond_broadcast(&changed);
        mutex_unlock(&mutex);
        fake_tick();
    }
    over();
}

/* ---- sleeping and being woken ---- */

static void sleeper(void *arg)
{
    for (unsigned i = 0; i < 40; i++) {
        uint64_t before = arch_time_ns(), ns = (uintptr_t)arg * MS / 4;
        thread_sleep_ns(ns);
        cr_assert(arch_time_ns() >= before + ns);
    }
    over();
}

/* Each wakes its neighbour: that must never be lost, be the other in its wait or before it. */
static struct thread *wakers[THREADS];

static void waker(void *arg)
{
    uintptr_t self = (uintptr_t)arg - 1;
    __atomic_store_n(&wakers[self], thread_current(), __ATOMIC_RELEASE);
    while (!__atomic_load_n(&wakers[self ^ 1], __ATOMIC_ACQUIRE))
        thread_yield();
    for (unsigned i = 0; i < TURNS; i++) {
        bool odd = self & 1, on;
        uint64_t until = arch_time_ns() + (i % 8 == odd ? 2 * MS : 0);
        while (arch_time_ns() < until) /* so that the neighbour is there first, or on its way */
            ;
        on = arch_irq_save();
        if (odd || i)
            wait_until(NULL, NULL, "its neighbour", NEVER);
        arch_irq_restore(on);
        if (!odd || i + 1 < TURNS)
            thread_wake(wakers[self ^ 1]);
    }
    over();
}

/* ---- threads and memory ---- */

static void short_lived(void *arg)
{
    kfree(arg);
    over();
}

static void parent(void *arg)
{
    for (unsigned i = 0; i < 20; i++) {
        mutex_lock(&mutex);
        running++;
        mutex_unlock(&mutex);
        cr_assert(thread_start("short", short_lived, kalloc(40)));
        fake_tick();
    }
    (void)arg;
    over();
}

static void memory(void *arg)
{
    unsigned char mark = (unsigned char)(uintptr_t)arg, *held[16] = { NULL };
    unsigned seed = mark, size[16] = { 0 };
    for (unsigned i = 0; i < 4 * TURNS; i++) {
        unsigned n = (seed = seed * 1103515245 + 12345) >> 16 & 15;
        for (unsigned k = 0; held[n] && k < size[n]; k++)
            cr_assert_eq(held[n][k], mark);
        kfree(held[n]);
        size[n] = 16u << (seed >> 24 & 7) << (i % 16 == 0 ? 4 : 0);
        held[n] = kalloc(size[n]);
        cr_assert(held[n]);
        memset(held[n], mark, size[n]);
        fake_tick();
    }
    for (unsigned n = 0; n < 16; n++)
        kfree(held[n]);
    over();
}

/* ---- jobs ---- */

static int job(void *arg)
{
    thread_sleep_ns(MS);
    return (int)(uintptr_t)arg;
}

/* ---- programs: one ends by itself with its number of arguments, one sleeps until it is killed ---- */

static unsigned char file[4096];

static long call(unsigned long number, unsigned long a)
{
    const unsigned long args[6] = { a };
    arch_irq_save();
    long result = core_syscall(number, args);
    core_user_exit_check();
    arch_irq_restore(true);
    fake_tick();
    return result;
}

static void program(uintptr_t ip, uintptr_t sp)
{
    struct vm *vm = &process_current()->vm;
    uint64_t argc;
    (void)ip;
    cr_assert_eq(vm_copy_in(vm, &argc, sp, sizeof(argc)), 0);
    for (unsigned i = 0; i < 5; i++) {
        uintptr_t old = (uintptr_t)call(SYS_sbrk, 8192);
        uint64_t word = old, back;
        cr_assert_eq(vm_copy_out(vm, old + 4096, &word, sizeof(word)), 0);
        cr_assert_eq(vm_copy_in(vm, &back, old + 4096, sizeof(back)), 0);
        cr_assert_eq(back, old);
        call(SYS_yield, 0);
        call(SYS_sbrk, -4096ul);
    }
    while (argc == 2)
        call(SYS_sleep, NEVER);
    call(SYS_exit, argc);
}

static void shell(void *arg)
{
    char *const argv[] = { (char[]){ "program" }, (char[]){ "x" }, (char[]){ "y" } };
    const char *why;
    for (unsigned i = 0; i < 15; i++) {
        int argc = 1 + (int)((i + (uintptr_t)arg) % 3);
        int pid = process_start("program", file, sizeof(file), argc, argv, &why);
        cr_assert(pid > 0);
        if (argc == 2) {
            if (i % 2)
                thread_yield();
            cr_assert_eq(process_kill(pid), 0);
        }
        cr_assert_eq(process_wait(pid), argc == 2 ? STATUS_INTERRUPT : argc);
    }
    over();
}

/* ---- all of it ---- */

static void ran(const struct cpu *c, void *arg)
{
    *(unsigned *)arg |= (unsigned)(c->switches > 0) << c->id;
}

static void test_thread(void *unused)
{
    unsigned which = 0;
    size_t free_before = page_free_count();
    (void)unused;
    together(THREADS, count);
    cr_assert_eq(counter, THREADS * TURNS);
    together(THREADS, post_or_take);
    cr_assert_eq(posted, THREADS / 2 * TURNS);
    together(THREADS, sleeper);
    together(THREADS, waker);
    together(THREADS, parent);
    together(THREADS, memory);
    for (uintptr_t i = 0; i < 20; i++)
        cr_assert_eq(job_start("job", job, (void *)(i == 7 ? i : 0)), 0);
    cr_assert_eq(jobs_wait(), 7);
    together(THREADS, shell);
    for (unsigned i = 0; i < 1000 && page_free_count() != free_before; i++)
        thread_sleep_ns(10 * MS); /* the dead are reaped by who runs next */
    cr_assert_eq(page_free_count(), free_before);
    cr_assert_eq(fake_aspaces, 0);
    cr_assert_eq(fake_mappings, 0);
    cpu_for_each(ran, &which);
    cr_assert_eq(which, (1u << CPUS) - 1);
    fake_over();
}

static void first_cpu(void *unused)
{
    (void)unused;
    arch_irq_save();
    cpus_start();
    thread_start("test", test_thread, NULL);
    thread_idle();
}

Test(cpus, four_of_them)
{
    fake_program(file);
    fake_user = program;
    fake_memory(8192);
    fake_cpus = CPUS;
    arch_irq_save();
    thread_init();
    mutex_init(&mutex);
    cond_init(&changed);
    fake_run(first_cpu);
}
