/* SPDX-License-Identifier: MIT
 *
 * pvkernel's scheduler on a fake machine: round robin, slices, sleepers in order, mutexes, condition
 * variables, and no thread's memory left behind. Processes are not part of it: the two hooks into them are
 * empty here.
 */
// sources: pvkernel/core/thread.c pvkernel/core/sync.c pvkernel/core/page.c pvkernel/core/kalloc.c
// sources: pvkernel/core/print.c pvkernel/core/lib.c pvkernel/core/lock.c tests/host/fake_arch.c
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/process.h"
#include "pvkernel/core/thread.h"
#include "tests/host/fake_arch.h"

void process_activate(struct process *p)
{
    (void)p;
}

#define MS 1000000ull

static char trace[256]; /* what the threads did, a letter each */
static unsigned running;

static void note(char c)
{
    size_t n = strlen(trace);
    if (n + 1 < sizeof(trace))
        trace[n] = c;
}

/* The last of a test's threads ends the idle loop. */
static void done(void)
{
    if (--running == 0)
        note('.');
}

static void setup(void)
{
    fake_memory(4096);
    fake_now = fake_timer = 0;
    arch_irq_save();
    thread_init();
}

TestSuite(thread, .init = setup);

static void start(const char *name, void (*f)(void *), void *arg)
{
    running++;
    cr_assert_not_null(thread_start(name, f, arg));
}

/* Runs all threads to their ends: a checker thread polls for that. */
static void checker(void *arg)
{
    (void)arg;
    while (running)
        thread_sleep_ns(1000 * MS);
    fake_over();
}

static void idle(void *unused)
{
    (void)unused;
    thread_idle();
}

static void run_all(void)
{
    thread_start("checker", checker, NULL);
    fake_run(idle);
}

static void yielder(void *arg)
{
    for (int i = 0; i < 3; i++) {
        note(*(char *)arg);
        thread_yield();
    }
    done();
}

Test(thread, yield_is_round_robin)
{
    start("a", yielder, "a");
    start("b", yielder, "b");
    start("c", yielder, "c");
    run_all();
    cr_assert_str_eq(trace, "abcabcabc.");
}

static void spinner(void *arg)
{
    for (int i = 0; i < 4; i++) {
        note(*(char *)arg);
        fake_advance(fake_now + SLICE_NS); /* uses up its slice: the timer pre-empts */
    }
    done();
}

Test(thread, the_timer_preempts)
{
    start("a", spinner, "a");
    start("b", spinner, "b");
    run_all();
    cr_assert_str_eq(trace, "abababab.");
}

static void alone(void *arg)
{
    (void)arg;
    thread_yield(); /* the checker goes to sleep */
    cr_assert(fake_timer == 0 || fake_timer > fake_now + 100 * MS, "a lone thread takes no ticks");
    note('x');
    done();
}

Test(thread, no_tick_without_rivals)
{
    start("alone", alone, NULL);
    run_all();
    cr_assert_str_eq(trace, "x.");
}

static void sleeper(void *arg)
{
    uint64_t ms = *(uint64_t *)arg, before = fake_now;
    thread_sleep_ns(ms * MS);
    cr_assert_geq(fake_now, before + ms * MS);
    note((char)('0' + ms / 10));
    done();
}

Test(thread, sleepers_wake_in_order)
{
    static uint64_t ms[] = { 30, 10, 50, 20, 40 };
    for (unsigned i = 0; i < 5; i++)
        start("sleeper", sleeper, &ms[i]);
    run_all();
    cr_assert_str_eq(trace, "12345.");
}

static struct mutex mutex;
static unsigned inside, most;

static void locker(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        mutex_lock(&mutex);
        inside++;
        most = inside > most ? inside : most;
        thread_yield();
        fake_advance(fake_now + SLICE_NS);
        inside--;
        mutex_unlock(&mutex);
        thread_yield();
    }
    done();
}

Test(thread, a_mutex_lets_one_in)
{
    mutex_init(&mutex);
    for (int i = 0; i < 5; i++)
        start("locker", locker, NULL);
    run_all();
    cr_assert_eq(most, 1);
    cr_assert(mutex_trylock(&mutex));
    cr_assert(!mutex_trylock(&mutex));
}

static struct condvar filled, emptied;
static int box;

static void producer(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 9; i++) {
        mutex_lock(&mutex);
        while (box)
            cond_wait(&emptied, &mutex);
        box = i;
        cond_signal(&filled);
        mutex_unlock(&mutex);
    }
    done();
}

static void consumer(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 9; i++) {
        mutex_lock(&mutex);
        while (!box)
            cond_wait(&filled, &mutex);
        note((char)('0' + box));
        box = 0;
        cond_signal(&emptied);
        mutex_unlock(&mutex);
    }
    done();
}

Test(thread, condition_variables_hand_over)
{
    mutex_init(&mutex);
    cond_init(&filled);
    cond_init(&emptied);
    start("consumer", consumer, NULL);
    start("producer", producer, NULL);
    run_all();
    cr_assert(strncmp(trace, "123456789", 9) == 0);
}

static void impatient(void *arg)
{
    (void)arg;
    mutex_lock(&mutex);
    uint64_t until = fake_now + 30 * MS;
    cr_assert(!cond_wait_until(&filled, &mutex, until));
    cr_assert_geq(fake_now, until);
    mutex_unlock(&mutex);
    done();
}

Test(thread, a_wait_ends_by_its_time)
{
    mutex_init(&mutex);
    cond_init(&filled);
    start("impatient", impatient, NULL);
    run_all();
    cr_assert(list_empty(&filled.waiters.waiters), "it left the queue");
}

static void short_lived(void *arg)
{
    (void)arg;
    done();
}

static void many(void *arg)
{
    (void)arg;
    size_t before = page_free_count();
    for (int i = 0; i < 300; i++) {
        start("short", short_lived, NULL);
        thread_sleep_ns(MS);
    }
    cr_assert_eq(page_free_count(), before, "stacks come back");
    done();
}

Test(thread, the_dead_leave_nothing)
{
    start("many", many, NULL);
    run_all();
}

static void locks_twice(void *arg)
{
    (void)arg;
    mutex_init(&mutex);
    mutex_lock(&mutex);
    mutex_lock(&mutex);
}

Test(thread, locking_twice_is_found, .signal = SIGABRT)
{
    start("twice", locks_twice, NULL);
    run_all();
}
