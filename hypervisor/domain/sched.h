/* SPDX-License-Identifier: MIT
 *
 * The scheduler: mechanism here (sched.c), policy behind struct sched_ops (sched_rr.c; credit and bvt come
 * later).
 *
 * A vcpu is runnable, running or blocked (waits for an event), and may be paused besides. schedule() runs at
 * one place only, the slow way out to a guest (x86/entry.S exit_work), never inside a hypercall: calls that
 * block mark the vcpu and set WORK_SCHEDULE.
 */
#pragma once

#include "domain/time.h"
#include <xen/xen.h>
#include <xen/vcpu.h>

struct domain;
struct vcpu;
struct cpu;

enum vcpu_state { VS_BLOCKED, VS_RUNNABLE, VS_RUNNING };

/* vcpu->pause reasons: any bit keeps it off the CPUs. */
#define PAUSE_DOMAIN   0x1 /* the domain is paused (boot, debug, domctl) */
#define PAUSE_SHUTDOWN 0x2 /* the domain has shut down, crashed or dies */
#define PAUSE_DOWN     0x4 /* not brought up yet, or taken down (VCPUOP_up, VCPUOP_down) */

struct sched_vcpu {
    struct list node;   /* run queue: LOCK_SCHED, like all fields but where said */
    uint8_t state;      /* enum vcpu_state */
    uint8_t pause;      /* PAUSE_* */
    bool on_cpu;        /* loaded on a CPU: its stack and address space are in use there */
    uint32_t cpu;       /* whose run queue it belongs to: where it last ran; changes under both queues' locks,
                           while it is not loaded */
    uint64_t affinity;  /* CPUs that it may run on, bit n: CPU n */
    uint64_t slice_end; /* ns; 0: it does not run */
    uint64_t slice_left; /* ns; while it does not */
    bool woken;          /* it entered the queue as ENTER_WOKEN */
    bool yields;         /* it gives the rest of its slice away; written by its own CPU while it runs */
    struct vcpu_runstate_info runstate;
    uint64_t runstate_area; /* guest virtual address of the registered area, 0: none; the vcpu itself */
    uint32_t poll_port;     /* polling (evtchn.pollers): the single port, or 0: every event wakes */
};

/* Who enters the queue: behind all; in the middle of its slice, pre-empted; the same, woken by an event. */
enum sched_entry { ENTER_LAST, ENTER_AGAIN, ENTER_WOKEN };

/* All but waiting() are called with the run queue's lock held. */
struct sched_ops {
    void (*init_cpu)(uint32_t cpu);
    void (*enqueue)(struct vcpu *v, enum sched_entry how);
    void (*dequeue)(struct vcpu *v); /* v is in the queue, and stops being runnable without running */
    /* Takes off from's queue the next that may run on `to` (affinity): from itself, or another CPU that has
     * nothing to do and holds both locks, for which it must not be loaded. NULL: nobody. */
    struct vcpu *(*pick)(uint32_t from, uint32_t to);
    bool (*waiting)(uint32_t cpu); /* somebody is in the queue */
    uint64_t slice_ns;
    uint64_t wake_ns; /* who runs goes on at most so long when another is woken */
};

extern const struct sched_ops sched_rr;
extern const struct sched_ops *sched; /* constant after boot */

/* Boot: the run queue and idle vcpu of this CPU. */
void sched_init(void);
void sched_init_vcpu(struct vcpu *v);

void vcpu_wake(struct vcpu *v);  /* an event for it: ends a block */
void vcpu_block(struct vcpu *v); /* the running one, unless an unmasked event is pending */
void vcpu_yield(struct vcpu *v); /* the running one lets the others run first */
/* Only on these CPUs from now on (bit n: CPU n); it leaves another one soon. 0; -EINVAL: none of them exists.
 */
int vcpu_set_affinity(struct vcpu *v, uint64_t cpus) __must_check;
bool vcpu_is_up(const struct vcpu *v);
bool vcpu_is_running(const struct vcpu *v); /* on a CPU now */
/* SCHEDOP_poll, second half: blocks the running vcpu unless its bit in evtchn.pollers was cleared or an event
 * is deliverable. */
void vcpu_block_polling(struct vcpu *v);
/* Its runstate with the time up to now. */
void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *info);
/* why: PAUSE_*. */
void vcpu_pause(struct vcpu *v, uint8_t why);
void vcpu_unpause(struct vcpu *v, uint8_t why);
static inline void vcpu_down(struct vcpu *v)
{
    vcpu_pause(v, PAUSE_DOWN);
}
static inline void vcpu_up(struct vcpu *v)
{
    vcpu_unpause(v, PAUSE_DOWN);
}

/* Writes the registered runstate and time areas of the running vcpu, in kernel mode; else sets v->areas_due.
 */
void vcpu_update_areas(struct vcpu *v);

/* This CPU runs schedule() soon; also a timer's function. */
void reschedule(void *unused);
/* For WORK_SLICE: the running vcpu's slice ends when it should, now that somebody waits. */
void sched_limit_slice(void);

/* Chooses and switches (x86/switch.h); idles until someone is runnable. Returns the vcpu to go out to. */
struct vcpu *schedule(void);
