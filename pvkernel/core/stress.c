/* SPDX-License-Identifier: MIT
 *
 * The command `stress`: everything at once, on all CPUs, for some time. Programs run to their ends or are
 * killed in the middle, the disk is summed over and over, small objects come and go, threads sleep and start
 * others; and each result is compared with what it must be. Nothing is printed but the figures at the end, or
 * what went wrong.
 */
#include "pvkernel/core/archive.h"
#include "pvkernel/core/block.h"
#include "pvkernel/core/cksum.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/process.h"
#include "pvkernel/core/shell.h"

#define PROGRAM "bin/work"
#define OBJECTS 32

/* One run of the command. */
struct stress {
    struct mutex lock;
    struct condvar ended;
    unsigned running; /* guarded by lock */
    uint64_t until;
    bool stop; /* Ctrl-C, or something went wrong */
    uint64_t programs, killed, sums, objects;
    struct file program;
    struct blockdev *disk; /* NULL: none */
    uint32_t sum;          /* of the disk */
    unsigned failures;
};

static bool over(struct stress *s)
{
    return __atomic_load_n(&s->stop, __ATOMIC_RELAXED) || arch_time_ns() >= s->until;
}

static void count(uint64_t *what)
{
    __atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static void wrong(struct stress *s, const char *what, long got, long want)
{
    kprintf("stress: %s gave %ld, not %ld\n", what, got, want);
    __atomic_fetch_add(&s->failures, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ul + 1442695040888963407ul;
    return *seed >> 33;
}

/* ---- the workers: each loops until it is over ---- */

/* A program to its end, or (one in four) until it is killed. Too little memory is no mistake. */
static void programs(struct stress *s, uint64_t *seed)
{
    bool kill = next(seed) % 4 == 0;
    char word[12];
    const char *why;
    ksnprintf(word, sizeof(word), kill ? "for-ever" : "%u", (unsigned)next(seed) % 1000);
    char *const argv[] = { (char[]){ "work" }, word };
    int pid = process_start("work", s->program.data, s->program.size, 2, argv, &why);
    if (pid < 0) {
        if (pid != -KE_NOMEM)
            wrong(s, "starting a program", pid, 1);
        thread_sleep_ns(1000000);
        return;
    }
    if (kill) {
        process_hush(pid);
        thread_sleep_ns(next(seed) % 8000000);
        process_kill(pid);
    }
    int status = process_wait(pid);
    count(kill ? &s->killed : &s->programs);
    if (status != (kill ? STATUS_INTERRUPT : 0) && status != STATUS_FAULT)
        wrong(s, kill ? "a killed program" : "a program", status, kill ? STATUS_INTERRUPT : 0);
    if (status == STATUS_FAULT && page_free_count() > 64)
        wrong(s, "a program", status, 0); /* else it had no memory for a page */
}

static bool add(void *arg, const void *bytes, size_t n)
{
    cksum_add(arg, bytes, n);
    return true;
}

static void sums(struct stress *s, uint64_t *seed)
{
    struct cksum c = { 0 };
    (void)seed;
    int error = block_each(s->disk, s->disk->bytes, add, &c);
    uint32_t sum = cksum_end(&c);
    if (error && error != -KE_NOMEM)
        wrong(s, "reading the disk", error, 0);
    else if (!error && s->sum && sum != s->sum)
        wrong(s, "the disk's sum", sum, s->sum);
    else if (!error)
        count(&s->sums);
}

static void objects(struct stress *s, uint64_t *seed)
{
    unsigned char *held[OBJECTS], mark = (unsigned char)next(seed);
    size_t size[OBJECTS];
    for (unsigned i = 0; i < OBJECTS; i++) {
        size[i] = 16u << next(seed) % 8;
        held[i] = kalloc(size[i]);
        if (held[i])
            memset(held[i], mark, size[i]);
    }
    thread_sleep_ns(next(seed) % 500000);
    for (unsigned i = 0; i < OBJECTS; i++) {
        for (size_t k = 0; held[i] && k < size[i]; k++)
            if (held[i][k] != mark)
                wrong(s, "a byte of an object", held[i][k], mark);
        kfree(held[i]);
    }
    count(&s->objects);
}

static void loop(struct stress *s, void (*work)(struct stress *s, uint64_t *seed))
{
    uint64_t seed = (uint64_t)thread_current()->id;
    while (!over(s))
        work(s, &seed);
    mutex_lock(&s->lock);
    s->running--;
    cond_signal(&s->ended);
    mutex_unlock(&s->lock);
}

static void programs_thread(void *s)
{
    loop(s, programs);
}

static void sums_thread(void *s)
{
    loop(s, sums);
}

static void objects_thread(void *s)
{
    loop(s, objects);
}

/* ---- the command ---- */

static void start(struct stress *s, const char *name, void (*f)(void *s))
{
    mutex_lock(&s->lock);
    if (thread_start(name, f, s))
        s->running++;
    mutex_unlock(&s->lock);
}

/* Starts them, and waits for them all. */
static void run(struct stress *s)
{
    for (unsigned i = 0; i < cpus_online; i++) {
        start(s, "stress", programs_thread);
        start(s, "stress", programs_thread);
        start(s, "stress", objects_thread);
        if (s->disk)
            start(s, "stress", sums_thread);
    }
    mutex_lock(&s->lock);
    while (s->running) {
        cond_wait_until(&s->ended, &s->lock, arch_time_ns() + 100000000);
        if (console_interrupted())
            __atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
    }
    mutex_unlock(&s->lock);
}

int cmd_stress(int argc, char **argv)
{
    struct stress s = { .disk = block_nth(0) };
    uint64_t seconds = 60, before = page_free_count();
    if (argc == 2 && (!str_number(argv[1], &seconds) || seconds > 86400))
        return shell_wrong(argv[0], argv[1], "no number from 0 to 86400");
    if (!ramdisk_find(PROGRAM, &s.program)) {
        kprintf("stress: %s: %s\n", PROGRAM, error_text(KE_NOENT));
        return 1;
    }
    console_interrupted();
    mutex_init(&s.lock);
    cond_init(&s.ended);
    if (s.disk) { /* what all others are compared with */
        struct cksum c = { 0 };
        if (!block_each(s.disk, s.disk->bytes, add, &c))
            s.sum = cksum_end(&c);
    }
    if (!s.disk)
        kprintf("stress: there is no disk here (disk lists them): no sums of one\n");
    s.until = arch_time_ns() + seconds * 1000000000ull;
    run(&s);
    for (unsigned i = 0; i < 20 && page_free_count() + 8 < before; i++)
        thread_sleep_ns(50000000); /* the last ones are being reaped */
    if (page_free_count() + 8 < before)
        wrong(&s, "the count of free pages", (long)page_free_count(), (long)before);
    kprintf("stress: %lu programs, %lu killed, %lu sums of the disk, %lu rounds of objects on %u CPU%s: %s\n",
            s.programs, s.killed, s.sums, s.objects, cpus_online, plural(cpus_online),
            s.failures ? "failed" : "all as they should be");
    return s.failures ? 1 : 0;
}
