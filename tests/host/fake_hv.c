/* SPDX-License-Identifier: MIT
 *
 * See fake_hv.h. Threads of a test are CPUs; each has a vcpu of its own domain as `current`.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "boot/boot.h"
#include "hypercall/hypercall.h"
#include "lib/print.h"
#include "mm/descriptor.h"
#include "mm/heap.h"
#include "mm/paging.h"
#include "mm/tlb.h"
#include "tests/host/fake_hv.h"
#include "x86/cpu.h"

#define MAX_DOMAINS 8

struct frame *frame_table;
uint64_t *m2p_table;
uint64_t max_mfn, frame_chunks[64];
uint32_t tlb_clock;
struct domain *domain0;
struct domain idle_domain;
char fake_said[8192];
unsigned long fake_preempt_every;
bool fake_racy;
void (*fake_meanwhile)(void);
unsigned int fake_preempted, fake_flushes, fake_domains_nr;
uint32_t fake_cpu_flushed;
enum rule fake_rule;

static unsigned char *memory;
struct domain_list domains = { .lock = LOCK_INIT(LOCK_DOMAIN_LIST) };
static __thread unsigned long preempt_calls;
static __thread struct cpu cpu;
struct cpu *cpus[MAX_CPUS];
uint32_t nr_cpus = 1;

/* ---- The machine ---- */

void *maddr_to_virt(uint64_t maddr)
{
    return (void *)((uintptr_t)memory + maddr); /* any number, as the real one: who uses it has checked it */
}

uint64_t virt_to_maddr(const void *p)
{
    return (uint64_t)((const unsigned char *)p - memory);
}

void fake_machine(void)
{
    for (unsigned int i = 0; i < MAX_DOMAINS; i++) {
        if (domains.by_id[i]) {
            free(domains.by_id[i]->vcpu[0]);
            free(domains.by_id[i]->shared);
        }
        free(domains.by_id[i]);
        domains.by_id[i] = NULL;
    }
    fake_domains_nr = 0;
    if (memory)
        munmap(memory, FAKE_MAX_MFN * PAGE_SIZE);
    free(frame_table);
    free(m2p_table);
    memory = mmap(NULL, FAKE_MAX_MFN * PAGE_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    frame_table = calloc(FAKE_MAX_MFN, sizeof(*frame_table));
    m2p_table = malloc(FAKE_MAX_MFN * 8);
    memset(m2p_table, 0xff, FAKE_MAX_MFN * 8);
    max_mfn = FAKE_MAX_MFN;
    device_mfn_limit = 1UL << 28;
    memset(frame_chunks, 0, sizeof(frame_chunks));
    frame_chunks[0] = 1 | 1 << 3;
    tlb_clock = fake_cpu_flushed = 1;
    cpus[0] = &cpu; /* the checker looks at no other */
    fake_preempt_every = ~0UL;
    fake_preempted = fake_flushes = 0;
    fake_racy = false;
    fake_meanwhile = NULL;
    preempt_calls = 0;
    fake_rule = R_NONE;
    heap_reset();
    for (uint64_t m = 0; m < 0x10; m++) {
        frame_of(MFN(m))->owner = OWNER_HV;
        frame_of(MFN(m))->word = FRAME_ALLOCATED | 1;
    }
    for (uint64_t m = 0x3ff0; m < 0x4000; m++)
        frame_of(MFN(m))->owner = OWNER_IO;
    heap_count_boot(0x10);
    heap_add(0x10, 0x1000);
    heap_add(0x3000, 0x3ff0);
    check_init();
}

/* ---- Domains ---- */

struct domain *fake_domain(uint16_t domid, uint64_t max_pages)
{
    struct domain *d = calloc(1, sizeof(*d));
    struct vcpu *v = calloc(1, sizeof(*v));

    d->domid = domid;
    d->owner = domid + 1u;
    d->privileged = domid == 0;
    d->max_pages = max_pages;
    d->max_vcpus = 1;
    d->paging = &pv_direct;
    d->vcpu[0] = v;
    d->refs = 1;
    d->shared = calloc(1, PAGE_SIZE);
    lock_init(&d->page_lock, LOCK_PAGE_LIST);
    v->domain = d;
    v->kernel_mode = true;
    v->info = &d->shared->vcpu_info[0];
    v->info_mfn = INVALID_MFN.v;
    list_init(&v->sched.node);
    if (domid >= MAX_DOMAINS || domains.by_id[domid])
        abort();
    domains.by_id[domid] = d;
    fake_domains_nr++;
    return d;
}

bool fake_domain_end(struct domain *d)
{
    d->dying = DYING;
    while (paging_relinquish(d))
        ;
    while (domain_frames_relinquish(d))
        ;
    return !d->tot_pages;
}

mfn_t fake_frame(struct domain *d)
{
    mfn_t m = domain_frames_alloc(d, 0);

    if (m.v == INVALID_MFN.v)
        abort();
    return m;
}

uint64_t *fake_words(mfn_t m)
{
    return mfn_to_virt(m);
}

struct domain *get_domain_by_index(unsigned int idx)
{
    for (unsigned int i = 0; i < MAX_DOMAINS; i++) {
        if (domains.by_id[i] && idx-- == 0) {
            domain_ref(domains.by_id[i]);
            return domains.by_id[i];
        }
    }
    return NULL;
}

/* ---- What mm/ asks of others ---- */

int refuse(int error, enum rule rule, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    WRITE_ONCE(fake_rule, rule);
    return error;
}

int refuse_as(int error)
{
    return error;
}

void refuse_entry(uint64_t table, unsigned int index)
{
    (void)table, (void)index;
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

enum log_level log_level = LOG_WARN;

void printk(enum log_level level, const char *fmt, ...)
{
    char line[512];
    va_list args;

    (void)level;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    strncat(fake_said, line, sizeof(fake_said) - 1 - strlen(fake_said));
    if (getenv("FAKE_HV_PRINTS"))
        fputs(line, stdout);
}

void cpu_relax(void)
{
    sched_yield();
}

void cpu_window(void)
{
}

/* Where other CPUs may come in between. */
static void race(void)
{
    static __thread unsigned int calls;
    void (*meanwhile)(void) = fake_meanwhile;

    if (fake_racy && ++calls % 3 == 0)
        sched_yield();
    if (!meanwhile)
        return;
    fake_meanwhile = NULL;
    meanwhile();
    fake_meanwhile = meanwhile;
}

void lock_check(const struct lock *l, bool taking)
{
    if (taking && !lock_is_taken(l))
        race();
}

struct cpu *this_cpu(void)
{
    return &cpu;
}

void cpus_stop(void)
{
}

void cpus_go(void)
{
}

long hypercall_restart(unsigned int nr, unsigned int nargs, const uint64_t *args)
{
    abort(); /* nobody asks for several at once */
}

bool preempt_pending(void)
{
    if (fake_preempt_every == ~0UL || ++preempt_calls <= fake_preempt_every)
        return false;
    preempt_calls = 0;
    __atomic_add_fetch(&fake_preempted, 1, __ATOMIC_RELAXED);
    return true;
}

void fake_flush(void)
{
    WRITE_ONCE(fake_cpu_flushed, __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST));
}

bool tlb_others_hold(uint32_t stamp)
{
    (void)stamp;
    return false;
}

void tlb_filter_flush(uint32_t stamp)
{
    race();
    if (!tlb_stale(READ_ONCE(fake_cpu_flushed), stamp))
        return;
    __atomic_add_fetch(&fake_flushes, 1, __ATOMIC_RELAXED);
    fake_flush();
}

void tlb_load_root(uint64_t maddr)
{
    this_cpu()->cr3 = maddr;
    fake_flush();
}

void tlb_flush_domain(struct domain *d, uint64_t vaddr)
{
    (void)d, (void)vaddr;
    fake_flush();
}

uint64_t hv_l4_maddr(void)
{
    return 0;
}

void hv_fill_l4(uint64_t *l4)
{
    for (unsigned int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
        l4[i] = 0xfeed000;
}

void ldt_drop(struct vcpu *v)
{
    (void)v;
}

void ldt_set(struct vcpu *v, uint64_t base, unsigned int entries)
{
    (void)v, (void)base, (void)entries;
}

bool ldt_fault(struct vcpu *v, uint64_t cr2)
{
    (void)v, (void)cr2;
    return false;
}

bool ptwrite_fault(struct vcpu *v, uint64_t cr2)
{
    (void)v, (void)cr2;
    return false;
}

void gdt_release(struct vcpu *v)
{
    for (unsigned int i = 0; i < DIV_ROUND_UP(v->arch.gdt_entries, 512u); i++)
        put_frame_type(MFN(v->arch.gdt_mfns[i]));
    v->arch.gdt_entries = 0;
}
