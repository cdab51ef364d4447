/* SPDX-License-Identifier: MIT
 *
 * The fake machine: see fake_arch.h.
 */
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "pvkernel/core/arch.h"
#include "pvkernel/core/page.h"
#include "tests/host/fake_arch.h"

/* A CPU is whatever host thread runs in its name; a switch of threads hands it on. */
static struct {
    volatile bool irq_off;
    struct thread *current;
    uint64_t timer; /* with several CPUs; of a single one: fake_timer */
    sem_t kick;
} cpus[CPUS_MAX];
static __thread unsigned cpu;
unsigned fake_cpus = 1;
uint64_t fake_now, fake_timer;
char fake_console[4096];
static pthread_mutex_t console = PTHREAD_MUTEX_INITIALIZER;
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
    bool on = !cpus[cpu].irq_off;
    cpus[cpu].irq_off = true;
    return on;
}

void arch_irq_restore(bool on)
{
    cpus[cpu].irq_off = !on;
}

bool arch_irq_enabled(void)
{
    return !cpus[cpu].irq_off;
}

unsigned arch_cpu_count(void)
{
    return fake_cpus;
}

struct thread *arch_current(void)
{
    return cpus[cpu].current;
}

void arch_set_current(struct thread *t)
{
    cpus[cpu].current = t;
}

void arch_cpu_kick(unsigned n)
{
    sem_post(&cpus[n].kick);
}

void arch_spin(unsigned n)
{
    if (n % 16 == 15)
        sched_yield();
}

uint64_t arch_interrupts(unsigned n)
{
    (void)n;
    return 0;
}

/* With several CPUs time passes by itself, faster than ours, so that slices end more often. */
uint64_t arch_time_ns(void)
{
    struct timespec t;
    if (fake_cpus == 1)
        return fake_now;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return ((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec) * FAKE_SPEED;
}

uint64_t arch_wallclock(void)
{
    return fake_now / 1000000000;
}

void arch_timer_set(uint64_t when)
{
    *(fake_cpus == 1 ? &fake_timer : &cpus[cpu].timer) = when;
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

void fake_tick(void)
{
    bool on = arch_irq_save();
    if (cpus[cpu].timer && cpus[cpu].timer <= arch_time_ns()) {
        cpus[cpu].timer = 0;
        core_timer();
    }
    core_interrupt_exit();
    arch_irq_restore(on);
}

/* Until its timer, a kick, or a moment later: then the loop looks again. */
static void idle_among_several(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    sem_timedwait(&cpus[cpu].kick, &until);
    fake_tick();
}

/* With nothing to run, time passes until the timer. */
void arch_idle(void)
{
    if (fake_cpus > 1) {
        idle_among_several();
        return;
    }
    if (!fake_timer) {
        fprintf(stderr, "all threads wait for ever\n");
        abort();
    }
    fake_now = fake_timer > fake_now ? fake_timer : fake_now;
    fake_timer = 0;
    core_timer();
    cpus[cpu].irq_off = true;
}

void arch_console_write(const char *text, size_t n)
{
    pthread_mutex_lock(&console);
    size_t have = strlen(fake_console);
    if (n >= sizeof(fake_console) - have)
        have = 0;
    memcpy(fake_console + have, text, n);
    fake_console[have + n] = 0;
    pthread_mutex_unlock(&console);
}

/* ---- threads: a host thread each, of which one a CPU runs; a switch hands over by semaphores ---- */

struct context {
    sem_t go;
    void (*entry)(void *);
    void *arg;
    unsigned cpu; /* where it goes on */
};

struct arch_thread {
    struct context *context; /* NULL: the first thread's, which has never been switched from */
};

const size_t arch_thread_size = sizeof(struct arch_thread);
static struct context contexts[4096]; /* not freed: a dead thread's still sleeps on its semaphore */
static unsigned nr_contexts;
static sem_t test_over;

static struct context *new_context(void (*entry)(void *), void *arg)
{
    unsigned n = __atomic_fetch_add(&nr_contexts, 1, __ATOMIC_RELAXED);
    struct context *c = &contexts[n];
    if (n == sizeof(contexts) / sizeof(*contexts))
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
    cpu = c->cpu;
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
    to->context->cpu = cpu;
    sem_post(&to->context->go);
    sem_wait(&mine->go);
    cpu = mine->cpu;
}

static void cpu_main(void *unused)
{
    (void)unused;
    arch_irq_save();
    core_cpu_main();
}

/* Weak, as core_timer. */
void __attribute__((weak)) core_cpu_main(void)
{
    abort();
}

int arch_cpu_start(unsigned n, void *top, struct thread *current)
{
    struct context *c = new_context(cpu_main, NULL);
    (void)top;
    c->cpu = n;
    cpus[n].current = current;
    sem_init(&cpus[n].kick, 0, 0);
    start_host_thread(c);
    sem_post(&c->go);
    return 0;
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
    __atomic_fetch_add(&fake_aspaces, 1, __ATOMIC_RELAXED);
    return calloc(1, sizeof(struct arch_aspace));
}

void arch_aspace_destroy(struct arch_aspace *as)
{
    __atomic_fetch_sub(&fake_aspaces, 1, __ATOMIC_RELAXED);
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
    __atomic_fetch_add(&fake_mappings, 1, __ATOMIC_RELAXED);
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
        __atomic_fetch_sub(&fake_mappings, 1, __ATOMIC_RELAXED);
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

void fake_program(unsigned char file[4096])
{
    Elf64_Ehdr *h = (void *)file;
    Elf64_Phdr *p = (void *)(file + 64);
    *h = (Elf64_Ehdr){ .e_ident = ELFMAG "\2\1\1",
                       .e_type = ET_EXEC,
                       .e_machine = EM_X86_64,
                       .e_entry = 0x400000,
                       .e_phoff = 64,
                       .e_phentsize = 56,
                       .e_phnum = 1 };
    *p = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_filesz = 4096, .p_memsz = 4096
    };
}

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
