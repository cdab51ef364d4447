/* SPDX-License-Identifier: MIT
 *
 * What belongs to one CPU, and how it is found.
 *
 * Each CPU has an area of 2 MiB of addresses (PERCPU_VIRT + id * 2 MiB), mapped by one L1 table of its own:
 *
 *   0x00000  1 page    SYSCALL stub, text: saves RSP, loads the stack, jumps to the common entry
 *   0x01000  1 page    TSS
 *   0x08000  8 pages   stacks: guard page, #DF, NMI, #MC, #DB (IST, a page each), 3 pages main stack with
 *                      struct cpu at its top
 *   0x20000  16 pages  GDT window: 14 pages of the vcpu's own frames, then Parador's reserved page
 *                      (selectors e000 and up)
 *   0x40000  16 pages  LDT window: the vcpu's own frames, filled in on first use
 *
 * struct cpu is found by stack address alone (never by swapgs: both GS bases are the guest's), on the main
 * stack as on the IST stacks. A field is written by its own CPU only, with interrupts off, unless its comment
 * says otherwise.
 */
#pragma once

#define PERCPU_STRIDE     0x200000
#define PERCPU_STUB       0x00000
#define PERCPU_TSS        0x01000
#define PERCPU_STACKS     0x08000
#define PERCPU_GDT_WINDOW 0x20000
#define PERCPU_LDT_WINDOW 0x40000
#define PERCPU_GDT_PAGES  14     /* the guest's; FIRST_RESERVED_GDT_PAGE of the ABI */
#define STACKS_SIZE       0x8000 /* power of two, the area is aligned to it */
#define MAX_CPUS          64

/* Tops of the IST stacks, and their numbers in the gates. */
#define IST_DF      1
#define IST_NMI     2
#define IST_MC      3
#define IST_DB      4
#define IST_TOP(nr) (PERCPU_STACKS + ((nr) + 1) * 0x1000)

/* cpu->work: reasons to take the slow way out to the guest. Set by interrupt handlers too, read at exit. */
#define WORK_SCHEDULE 0x1  /* the scheduler has to choose again */
#define WORK_TIMER    0x2  /* a timer's deadline may have passed */
#define WORK_CONSOLE  0x4  /* characters came in */
#define WORK_AREAS    0x8  /* the vcpu entered its kernel and has areas to update (domain/sched.h) */
#define WORK_SLICE    0x10 /* somebody new waits: the running vcpu's slice needs an end */
#define WORK_EVENT    0x20 /* the vcpu may have got an event from another CPU: the way out looks */
#define WORK_STOP     0x40 /* another CPU wants all to stand still (cpus_stop()) */

#ifndef __ASSEMBLY__
#include "lib/types.h"
#include "mm/layout.h"

struct vcpu;
struct vcpu_timer;

struct cpu {
    struct vcpu *vcpu;    /* whose registers and address space are loaded; idle CPUs keep the last one or the
                                idle vcpu */
    uint64_t guest_rsp;   /* scratch of the SYSCALL stub */
    uint64_t entry_stack; /* &current->regs.es: where the stub and TSS.RSP0 put the entry frame */
    uint32_t work;        /* WORK_* */
    uint32_t id;
    uint64_t cr3;          /* what CR3 holds */
    uint32_t tlb_clock;    /* the TLB clock at this CPU's last full flush (mm/tlb.h); read by others */
    uint32_t apic_id;      /* constant */
    bool flush_wanted;     /* set by others: flush, and clear it before (mm/tlb.c) */
    bool quiet;            /* it has no guest's tables loaded: nothing to flush; read by others */
    bool online;           /* it has come up; the boot CPU waits for that */
    uint32_t held_locks;   /* debug: bits by enum lock_order */
    bool fpu_ts;           /* CR0.TS is set, for the current guest */
    bool lock_pairing;     /* debug: between the two locks of lock_pair() */
    bool breakpoints;      /* DR7 has some on */
    uint32_t depth;        /* nested reports of bugs: the second one only stops the machine */
    uint64_t gdt_pages;    /* pages of the GDT window that show a vcpu's frames */
    bool ldt_loaded;       /* the LDT window shows some, LDTR is not null */
    uint64_t *window;      /* L1 table of the area, by the direct map */
    uint32_t fault_vector; /* of the ring-0 fault that went to a fixup last, for trap_exit_fault() */
    uint32_t fault_error;
    uint64_t xcr0; /* what XCR0 holds */
    uint64_t nmis;
    uint64_t latency_start;     /* debug: TSC (x86/latency.c) */
    uint32_t latency_of;        /* debug: enum latency_kind */
} __attribute__((aligned(16))); /* the stack begins right below */

#ifdef HOST_TEST
struct cpu *this_cpu(void); /* the fake machine of the host tests */
#else
static inline struct cpu *this_cpu(void)
{
    uint64_t rsp;

    __asm__("mov %%rsp, %0" : "=r"(rsp));
    return (struct cpu *)((rsp | (STACKS_SIZE - 1)) + 1 - sizeof(struct cpu));
}
#endif

#define current (this_cpu()->vcpu)

/* All CPUs that run, by id; 0 is the boot's. Constant after boot (boot/cpus.c). */
extern struct cpu *cpus[MAX_CPUS];
extern uint32_t nr_cpus;

/* Bit n: CPU n. */
static inline uint64_t all_cpus(void)
{
    return (2ULL << (nr_cpus - 1)) - 1;
}

static inline uint64_t percpu_area(uint32_t id)
{
    return PERCPU_VIRT + (uint64_t)id * PERCPU_STRIDE;
}

/* Boot: makes the area of CPU id, with its stacks and an empty struct cpu. NULL: no memory. (descriptor.c) */
struct cpu *percpu_create(uint32_t id);
#endif
