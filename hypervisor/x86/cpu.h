/* SPDX-License-Identifier: MIT
 *
 * The processor: instructions that C has no words for, features, and the few places where interrupts may come
 * in.
 */
#pragma once

#include "lib/types.h"
#include "x86/percpu.h"

/* What this processor has, of the things that Parador asks about; the same on all CPUs, constant after boot.
 */
struct cpu_features {
    bool fsgsbase;
    bool xsave;
    bool smep;
    bool gb_pages;
    bool sysenter;              /* SYSENTER works in long mode */
    uint32_t xsave_size;        /* bytes that all of xcr0_mask need; at most a page */
    uint64_t xcr0_mask;         /* XCR0 bits that guests may have */
    uint64_t cr4;               /* what CR4 holds, always */
    uint32_t tsc_khz, apic_khz; /* counts per ms */
    uint64_t apic_scale;        /* APIC counts per ns, times 2^32 */
    uint32_t phys_bits;
};
extern struct cpu_features cpu_features;

/* Boot: reads CPUID; a line and machine_exit(2) when something that Parador needs is missing. Then, and on
 * every other CPU: CR4 and PAT. */
void cpu_features_init(void);
void cpu_features_load(void);

/* Debug builds measure how long interrupts wait (x86/latency.c): the begin of such a stretch, and its end. */
#if defined(DEBUG) && !defined(HOST_TEST)
enum latency_kind { LATENCY_ENTRY, LATENCY_EXCEPTION, LATENCY_INTERRUPT, LATENCY_TEARDOWN, LATENCY_CRASH };
void latency_init(void);
void latency_begin(void);
void latency_end(void);
void latency_report(bool all);
/* What the CPU does from here on, after a window; LATENCY_ENTRY: what it was entered for. */
#define latency_kind(kind) (cpu_window(), this_cpu()->latency_of = (kind))
#else
#define latency_init()
#define latency_begin()
#define latency_end()
#define latency_report(all)
#define latency_kind(kind) cpu_window()
#endif

#ifdef HOST_TEST
void cpu_window(void); /* the fake machine of the host tests */
void cpu_halt(void);
#else
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* Lets interrupts in for a moment. Only where nothing is half-done: between the steps of boot, in schedule().
 * In debug builds also the other CPUs: in QEMU's virtual time a CPU that never pauses may keep them from
 * running.
 */
static inline void cpu_window(void)
{
    latency_end();
#ifdef DEBUG
    if (nr_cpus > 1)
        __asm__ volatile("pause" ::: "memory");
#endif
    __asm__ volatile("sti; nop; cli" ::: "memory");
    latency_begin();
}

/* Waits for the next interrupt; what it wants is in this_cpu()->work. The idle loop: while nothing is
 * runnable, cpu_serve_work(), and if work is still 0, cpu_halt(). */
static inline void cpu_halt(void)
{
    latency_end();
    __asm__ volatile("sti; hlt; cli" ::: "memory");
    latency_begin();
}
#endif

/* Serves this_cpu()->work but WORK_SCHEDULE: timers (timer_run), console input. x86/traps.c */
void cpu_serve_work(void);

/* An interrupt waits, or work does. For preempt_pending(): looks, lets nothing in. */
static inline bool cpu_work_pending(void)
{
    return this_cpu()->work != 0;
}

static inline void cpu_set_work(struct cpu *c, uint32_t bits)
{
    __atomic_fetch_or(&c->work, bits, __ATOMIC_RELAXED);
}

/* The same for any CPU, which comes by the slow way out soon. (x86/smp.c) */
void cpu_kick(struct cpu *c, uint32_t bits);

/* All other CPUs stand still, holding no lock and with nothing half-done, until cpus_go(): for counts of the
 * whole machine, and before a domain is freed that somebody may have from find_domain(). The caller has
 * nothing half-done either. cpus_park(): the others' part, for WORK_STOP. */
void cpus_stop(void);
void cpus_go(void);
void cpus_park(void);

#define IRQ_COM1 4

/* Boot: PICs moved to VEC_PIC and masked but for COM1. */
void pic_init(void);
/* This CPU's APIC on, timer stopped; the boot CPU's LINT0 passes the PICs on. Returns its id. */
uint32_t apic_init(bool boot_cpu);
/* Sends an interrupt to another CPU: a vector, or one of the two that start it. */
#define APIC_INIT        0x500
#define APIC_STARTUP(at) (0x600 | (at) >> PAGE_SHIFT)
void apic_send(uint32_t apic_id, uint32_t what);
/* INIT to all others: they stop for good. */
void apic_stop_others(void);
/* Boot: measures TSC and APIC timer against the PIT, some 2 ms; fills cpu_features. */
void clocks_calibrate(void);

/* The APIC timer's count now, counting down from what apic_timer_start() wrote. No interrupt comes. */
void apic_timer_start(uint32_t count);
uint32_t apic_timer_count(void);

void apic_eoi(void);
/* End of interrupt for a PIC line; false: it was spurious. */
bool pic_ack(unsigned int line);

/* Programs the local APIC's timer for a system time (ns, now_ns()); ~0: off. A deadline in the past fires at
 * once. */
void apic_timer_set(uint64_t deadline_ns);

/* Seconds since 1970 by the CMOS clock (UTC). Waits out an update in progress. */
uint64_t cmos_seconds(void);

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

/* The same for a register that a processor may not have: 0 then. */
static inline uint64_t rdmsr_if_any(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("1: rdmsr\n"
                     "2:\n"
                     ".section .fixup, \"ax\"\n"
                     "3: xor %%eax, %%eax; xor %%edx, %%edx; jmp 2b\n"
                     ".previous\n"
                     ".section .extable, \"a\"\n"
                     ".balign 4; .long 1b - ., 3b - .\n"
                     ".previous"
                     : "=&a"(lo), "=&d"(hi)
                     : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t val)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

/* inb, outb; inw, outw; inl, outl */
#define PORT_ACCESS(suffix, type)                                \
    static inline type in##suffix(uint16_t port)                 \
    {                                                            \
        type val;                                                \
                                                                 \
        __asm__ volatile("in %1, %0" : "=a"(val) : "Nd"(port));  \
        return val;                                              \
    }                                                            \
    static inline void out##suffix(uint16_t port, type val)      \
    {                                                            \
        __asm__ volatile("out %0, %1" : : "a"(val), "Nd"(port)); \
    }
PORT_ACCESS(b, uint8_t)
PORT_ACCESS(w, uint16_t)
PORT_ACCESS(l, uint32_t)
#undef PORT_ACCESS

static inline uint64_t read_cr0(void)
{
    uint64_t val;

    __asm__ volatile("mov %%cr0, %0" : "=r"(val));
    return val;
}

static inline uint64_t read_cr2(void)
{
    uint64_t val;

    __asm__ volatile("mov %%cr2, %0" : "=r"(val));
    return val;
}

/* Loads CR3 and remembers it: the one way to change it. A full flush of this CPU's, c's, translations
 * (nothing is global). */
static inline void load_cr3(struct cpu *c, uint64_t maddr)
{
    c->cr3 = maddr;
    __asm__ volatile("mov %0, %%cr3" : : "r"(maddr) : "memory");
}

static inline void invlpg(uint64_t vaddr)
{
    __asm__ volatile("invlpg (%0)" : : "r"(vaddr) : "memory");
}

/* Both halves of an address space, 48 bits. */
static inline bool is_canonical(uint64_t addr)
{
    return (uint64_t)((int64_t)addr >> 47) + 1 <= 1;
}
