/* SPDX-License-Identifier: MIT
 *
 * Several vcpus in one domain: who is running, and starting the others.
 *
 * A guest starts on vcpu 0 alone, and as long as it does not start another one, nothing here is used: its
 * vcpu_info is the first in shared_info, and GS is its own affair. The first pv_vcpu_start turns `pv_several`
 * on for good. From then on each vcpu has a struct pv_vcpu, whose address is the kernel's GS base, and whose
 * first bytes are its vcpu_info (VCPUOP_register_vcpu_info): so its own mask and pending flags are one
 * instruction away, which matters to a thread that an upcall may move to another vcpu between any two.
 *
 * Ports: an event is delivered on the vcpu that its port is bound to: that which bound its own VIRQ or IPI,
 * vcpu 0 for all others; pv_event_bind_vcpu (event.h) moves it. Page tables and their flushes: memory.h
 * changes the kernel's tables and flushes the running vcpu only. Source: xen/vcpu.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>

#define PV_MAX_VCPUS 16 /* that we start; a domain may have more */

struct pv_vcpu {
    struct vcpu_info info; /* first: traps_entry.S finds mask and pending flag at %gs:1 and %gs:0 */
    struct pv_vcpu *self;
    uint64_t id;
    void *data;            /* the guest's own; 0 at first */
    uint64_t upcalls;      /* event upcalls that it has taken */
    uint32_t handling;     /* the port whose handler runs; 0: none */
    void (*fn)(void *arg); /* what it runs */
    void *arg;
} __attribute__((aligned(128)));

/* True once a second vcpu was started. */
extern bool pv_several;
/* By number. Used while pv_several; entry 0's vcpu_info before that is in shared_info. */
extern struct pv_vcpu pv_vcpus[PV_MAX_VCPUS];

/* One of the fields of the running vcpu, by one instruction: so with events on, too, a thread gets a value
 * that was right on one vcpu. pv_several must be true. */
#define PV_VCPU_READ(field)                                                                          \
    ({                                                                                               \
        uint64_t value_;                                                                             \
        __asm__ volatile("movq %%gs:%c1, %0" : "=r"(value_) : "i"(offsetof(struct pv_vcpu, field))); \
        value_;                                                                                      \
    })

/* The number of the vcpu that runs. With events on it is an answer about the past. */
static inline unsigned int pv_vcpu_id(void)
{
    return pv_several ? (unsigned int)PV_VCPU_READ(id) : 0;
}

static inline struct pv_vcpu *pv_vcpu_self(void)
{
    return pv_several ? (struct pv_vcpu *)PV_VCPU_READ(self) : &pv_vcpus[0];
}

/* How many vcpus the domain has, up or not; at most PV_MAX_VCPUS. */
unsigned int pv_nr_vcpus(void);

/* Starts vcpu id, which never ran: it calls fn(arg) with events off, on the stack that ends at stack_top,
 * with the traps and callbacks of vcpu 0 and the kernel's page tables. When fn returns, the vcpu goes down
 * for good. 0 or a negative errno. Call it on vcpu 0, with no lock of libpv/lock.h held. */
int pv_vcpu_start(unsigned int id, void (*fn)(void *arg), void *arg, void *stack_top);

/* Runs fn(arg) on all vcpus of the domain at once, here too, and returns when all have returned. Once: a vcpu
 * that is down again can't be given another state. 0; -ENOMEM or another errno when one of them can't be
 * started: then fn did not run on that one and those behind it. */
int pv_vcpus_run(void (*fn)(void *arg), void *arg);
