/* SPDX-License-Identifier: MIT
 *
 * The fake machine: see fake_arch.h.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "pvkernel/core/arch.h"
#include "pvkernel/core/page.h"
#include "tests/host/fake_arch.h"

static volatile bool irq_on = true;
uint64_t fake_now, fake_timer;
char fake_console[4096];
long fake_mappings, fake_map_budget = -1, fake_aspaces;

void fake_memory(size_t n)
{
    /* Aligned as the largest block, so that blocks are aligned as they are in a kernel's memory. */
    void *base =
        aligned_alloc(PAGE_SIZE << PAGE_MAX_ORDER, ((n * PAGE_SIZE - 1) / (PAGE_SIZE << PAGE_MAX_ORDER) + 1) *
                                                       (PAGE_SIZE << PAGE_MAX_ORDER));
    page_init(base, n, calloc(n, sizeof(struct page)));
    page_add(0, n);
}

bool arch_irq_save(void)
{
    bool on = irq_on;
    irq_on = false;
    return on;
}

void arch_irq_restore(bool on)
{
    irq_on = on;
}

bool arch_irq_enabled(void)
{
    return irq_on;
}

uint64_t arch_time_ns(void)
{
    return fake_now;
}

uint64_t arch_wallclock(void)
{
    return fake_now / 1000000000;
}

void arch_timer_set(uint64_t when)
{
    fake_timer = when;
}

/* Weak, so that tests without threads need not link the scheduler. */
void __attribute__((weak)) core_timer(void)
{
}

void __attribute__((weak)) core_interrupt_exit(void)
{
}

void fake_advance(uint64_t to)
{
    bool on = arch_irq_save();
    fake_now = to;
    if (fake_timer && fake_timer <= fake_now) {
        fake_timer = 0;
        core_timer();
        core_interrupt_exit();
    }
    arch_irq_restore(on);
}

/* With nothing to run, time passes until the timer. */
void arch_idle(void)
{
    if (!fake_timer) {
        fprintf(stderr, "all threads wait for ever\n");
        abort();
    }
    fake_now = fake_timer > fake_now ? fake_timer : fake_now;
    fake_timer = 0;
    core_timer();
    irq_on = false;
}

void arch_console_write(const char *text, size_t n)
{
    size_t have = strlen(fake_console);
    if (n >= sizeof(fake_console) - have)
        have = 0;
    memcpy(fake_console + have, text, n);
    fake_console[have + n] = 0;
}

/* ---- threads: a host thread each, of which only one runs; a switch hands over by semaphores ---- */

struct context {
    sem_t go;
    void (*entry)(void *);
    void *arg;
};

struct arch_thread {
    struct context *context; /* NULL: the first thread's, which has never been switched from */
};

const size_t arch_thread_size = sizeof(struct arch_thread);
static struct context
    contexts[1024]; /* not freed with the thread: a dead one still sleeps on its semaphore */
static unsigned nr_contexts;
static sem_t test_over;

static struct context *new_context(void (*entry)(void *), void *arg)
{
    struct context *c = &contexts[nr_contexts++];
    if (nr_contexts == sizeof(contexts) / sizeof(*contexts))
        abort();
    sem_init(&c->go, 0, 0);
    c->entry = entry;
    c->arg = arg;
    return c;
}

static void *host_thread(void *arg)
{
    struct context *c = arg;
    sem_wait(&c->go);
    c->entry(c->arg);
    return NULL;
}

static void start_host_thread(struct context *c)
{
    pthread_t id;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&id, &attr, host_thread, c))
        abort();
    pthread_attr_destroy(&attr);
}

void arch_thread_init(struct arch_thread *t, void *top, void (*entry)(void *), void *arg)
{
    (void)top; /* the host's libraries want more stack than a kernel thread has */
    t->context = new_context(entry, arg);
    start_host_thread(t->context);
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
{
    if (!from->context)
        from->context = new_context(NULL, NULL);
    struct context *mine = from->context;
    sem_post(&to->context->go);
    sem_wait(&mine->go);
}

void fake_run(void (*idle)(void *))
{
    struct context *c = new_context(idle, NULL);
    sem_init(&test_over, 0, 0);
    start_host_thread(c);
    sem_post(&c->go);
    sem_wait(&test_over);
}

void fake_over(void)
{
    sem_post(&test_over);
    for (;;)
        pause();
}

void arch_set_kernel_stack(void *top)
{
    (void)top;
}

void arch_stack_guard(void *page, bool on)
{
    (void)page, (void)on;
}

void arch_user_save(struct arch_thread *t)
{
    (void)t;
}

void arch_user_restore(struct arch_thread *t)
{
    (void)t;
}

/* ---- address spaces ---- */

struct arch_aspace {
    struct {
        uintptr_t va;
        void *page;
        unsigned prot;
    } map[1024];
    size_t n;
};

struct arch_aspace *arch_aspace_make(void)
{
    fake_aspaces++;
    return calloc(1, sizeof(struct arch_aspace));
}

void arch_aspace_destroy(struct arch_aspace *as)
{
    fake_aspaces--;
    free(as);
}

void arch_aspace_switch(struct arch_aspace *as)
{
    (void)as;
}

int arch_aspace_map(struct arch_aspace *as, uintptr_t va, void *page, unsigned prot)
{
    if (fake_map_budget == 0 || as->n == 1024)
        return -12;
    if (fake_map_budget > 0)
        fake_map_budget--;
    as->map[as->n].va = va;
    as->map[as->n].page = page;
    as->map[as->n++].prot = prot;
    fake_mappings++;
    return 0;
}

size_t arch_aspace_unmap(struct arch_aspace *as, uintptr_t start, uintptr_t end, void (*gone)(void *page))
{
    size_t total = 0;
    for (size_t i = 0; i < as->n;) {
        if (as->map[i].va < start || as->map[i].va >= end) {
            i++;
            continue;
        }
        gone(as->map[i].page);
        as->map[i] = as->map[--as->n];
        fake_mappings--;
        total++;
    }
    return total;
}

void *arch_aspace_lookup(struct arch_aspace *as, uintptr_t va, unsigned *prot)
{
    for (size_t i = 0; i < as->n; i++)
        if (as->map[i].va == (va & ~(PAGE_SIZE - 1))) {
            if (prot)
                *prot = as->map[i].prot;
            return as->map[i].page;
        }
    return NULL;
}

void (*fake_user)(uintptr_t ip, uintptr_t sp);

void arch_enter_user(uintptr_t ip, uintptr_t sp)
{
    arch_irq_restore(true);
    fake_user(ip, sp);
    abort(); /* a program ends by a system call or a fault */
}

void arch_poweroff(int status)
{
    exit(status);
}

/* Tests that want a panic expect SIGABRT. */
void arch_panic(void)
{
    fprintf(stderr, "%s", fake_console);
    abort();
}

const char *arch_name(void)
{
    return "a host test";
}
