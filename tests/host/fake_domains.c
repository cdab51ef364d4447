/* SPDX-License-Identifier: MIT
 *
 * See fake_domains.h. Each test brings the parts of hypervisor/domain that it tests.
 */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/print.h"
#include "tests/host/fake_domains.h"
#include "x86/copy.h"
#include "x86/cpu.h"

struct domain_list domains = { .lock = LOCK_INIT(LOCK_DOMAIN_LIST) };
struct domain *domain0;
struct domain idle_domain;
enum rule fake_rule;
unsigned int fake_pages, fake_page_budget;
bool fake_several_cpus;
unsigned int fake_wakes[FAKE_DOMAINS][FAKE_VCPUS];
uint64_t fake_now, fake_apic;
unsigned int fake_apic_sets;
unsigned int fake_switches, fake_halts;
bool (*fake_teardown)(void);
void (*fake_lock)(const struct lock *l, bool taking);

static struct cpu fake_cpus[FAKE_CPUS];
uint32_t fake_cpu, nr_cpus = 1;
unsigned int fake_kicks[FAKE_CPUS];
struct cpu *cpus[MAX_CPUS] = { &fake_cpus[0], &fake_cpus[1], &fake_cpus[2], &fake_cpus[3] };

struct cpu *this_cpu(void)
{
    return &fake_cpus[fake_cpu];
}

void cpu_kick(struct cpu *c, uint32_t bits)
{
    if (c != this_cpu() && ~c->work & bits)
        fake_kicks[c->id]++;
    cpu_set_work(c, bits);
}

void *page_alloc(void)
{
    void *page;

    if (!__atomic_load_n(&fake_page_budget, __ATOMIC_RELAXED))
        return NULL;
    __atomic_sub_fetch(&fake_page_budget, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&fake_pages, 1, __ATOMIC_RELAXED);
    page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(page, 0, PAGE_SIZE);
    return page;
}

void page_free(void *page)
{
    __atomic_sub_fetch(&fake_pages, 1, __ATOMIC_RELAXED);
    free(page);
}

void fake_domains_begin(void)
{
    memset(fake_wakes, 0, sizeof(fake_wakes));
    memset(fake_cpus, 0, sizeof(fake_cpus));
    memset(fake_kicks, 0, sizeof(fake_kicks));
    for (uint32_t i = 0; i < FAKE_CPUS; i++)
        fake_cpus[i].id = i;
    fake_cpu = 0;
    nr_cpus = 1;
    fake_rule = R_NONE;
    fake_pages = 0;
    fake_page_budget = ~0U;
    fake_now = 0;
    fake_apic = ~0ULL;
    fake_apic_sets = 0;
    fake_switches = fake_halts = 0;
    fake_teardown = NULL;
    fake_lock = NULL;
    for (uint16_t id = 0; id < FAKE_DOMAINS; id++) {
        struct domain *d = calloc(1, sizeof(*d));

        d->domid = id;
        d->owner = id + 1u;
        d->privileged = id == 0;
        d->refs = 1;
        d->max_vcpus = FAKE_VCPUS;
        d->shared = calloc(1, PAGE_SIZE);
        lock_init(&d->lock, LOCK_DOMAIN);
        for (unsigned int i = 0; i < FAKE_VCPUS; i++) {
            struct vcpu *v = calloc(1, sizeof(*v));

            v->domain = d;
            v->id = i;
            v->kernel_mode = true;
            v->info = &d->shared->vcpu_info[i];
            v->info_mfn = INVALID_MFN.v;
            d->vcpu[i] = v;
        }
        domains.by_id[id] = d;
    }
    domain0 = domains.by_id[0];
}

void fake_domains_end(void)
{
    for (unsigned int id = 0; id < FAKE_DOMAINS; id++) {
        struct domain *d = domains.by_id[id];

        for (unsigned int i = 0; i < FAKE_VCPUS; i++)
            free(d->vcpu[i]);
        free(d->shared);
        free(d);
        domains.by_id[id] = NULL;
    }
    if (fake_pages)
        abort();
}

int refuse(int error, enum rule rule, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    WRITE_ONCE(fake_rule, rule);
    return error;
}

void bug(const char *file, int line, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fprintf(stderr, "BUG at %s:%d: ", file, line);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    abort();
}

void printk(enum log_level level, const char *fmt, ...)
{
    (void)level, (void)fmt;
}

void cpu_relax(void)
{
    if (!fake_several_cpus)
        abort(); /* a lock that is taken stays so for ever */
    sched_yield();
}

void lock_check(const struct lock *l, bool taking)
{
    if (fake_lock)
        fake_lock(l, taking);
}

uint64_t now_ns(void)
{
    return fake_now;
}

void apic_timer_set(uint64_t deadline_ns)
{
    fake_apic = deadline_ns;
    fake_apic_sets++;
}

void switch_vcpu(struct vcpu *prev, struct vcpu *next)
{
    (void)prev;
    this_cpu()->vcpu = next;
    fake_switches++;
}

void cpu_window(void)
{
}

void cpu_halt(void)
{
    if (fake_apic == ~0ULL)
        abort();
    fake_now = MAX(fake_now, fake_apic);
    fake_apic = ~0ULL;
    fake_halts++;
    cpu_set_work(this_cpu(), WORK_TIMER);
}

/* Weak: of tests without teardown.c. */
uint32_t __attribute__((weak)) domains_ending;

bool __attribute__((weak)) domain_teardown_step(bool guests_wait)
{
    (void)guests_wait;
    return fake_teardown && fake_teardown();
}

bool frames_scrub_step(void)
{
    return false;
}

size_t copy_guest_raw(void *dst, const void *src, size_t n)
{
    memcpy(dst, src, n);
    return 0;
}
