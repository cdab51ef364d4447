/* SPDX-License-Identifier: MIT
 *
 * Domains and vcpus: the two objects that everything hangs on. Each folder's part is a structure of its own,
 * declared in its own header; what is here belongs to all.
 */
#pragma once

#include "lib/types.h"
#include "domain/evtchn.h"
#include <xen/sched.h>
#include "domain/refuse.h"
#include "domain/sched.h"
#include "mm/frame.h"
#include "x86/switch.h"

struct paging_ops;
struct grant_table;
struct symbols;

#define MAX_VCPUS_PER_DOMAIN 32 /* vcpu_info slots in shared_info */
#define HISTORY              32 /* last hypercalls kept a vcpu; power of two */
#define NR_WATCHDOGS         2
#define NAME_LEN             32

struct history {
    uint64_t nr, a1, a2, rip;
};

struct vcpu {
    struct domain *domain;
    struct cpu_user_regs regs; /* offset 8: the entry stack ends at regs.es, which is aligned to 16 */
    struct vcpu_info *info;    /* in shared_info, or where register_vcpu_info put it (Parador's mapping) */
    uint32_t id;
    bool kernel_mode;   /* of the guest; its own CPU */
    bool initialised;   /* VCPUOP_initialise done; domain lock */
    bool areas_due;     /* an area wants an update: on the next way out to the guest kernel (WORK_AREAS) */
    bool nmi_pending;   /* VCPUOP_send_nmi: x86 delivers it on the way out if the guest has a handler */
    struct cpu *cpu;    /* where it runs or last ran, and its entry stack's way to the CPU's; switch_vcpu() */
    uint64_t info_mfn;  /* frame of a registered vcpu_info, INVALID_MFN.v: none */
    uint64_t time_area; /* guest virtual address of the secondary time area, 0: none */
    struct vcpu_arch arch;
    struct sched_vcpu sched;
    uint16_t virq_port[NR_VIRQS]; /* per-vcpu VIRQs' ports, 0: none; the domain's evtchn lock */
    struct timer singleshot, periodic, poll_timer;
    uint64_t period_ns; /* of the periodic timer, 0: stopped */
    bool tick_due;      /* a period ended while it did not run */
    struct refusal refusal;
    struct history history[HISTORY]; /* entry.S writes here, at history_end modulo its size */
    uint64_t history_end;            /* bytes written since the start: hypercalls_made() */
    uint32_t exceptions;             /* bounced or emulated */
};

static inline uint64_t hypercalls_made(const struct vcpu *v)
{
    return v->history_end / sizeof(struct history);
}

_Static_assert(offsetof(struct vcpu, regs) == 8, "the entry stack must end on a multiple of 16");
_Static_assert((offsetof(struct vcpu, regs) + offsetof(struct cpu_user_regs, es)) % 16 == 0,
               "hardware aligns RSP");

struct domain {
    uint32_t owner; /* of its frames: domid + 1 */
    uint16_t domid;
    uint8_t privileged; /* domain 0 */
    uint8_t dying;      /* enum dying; domain lock */
    bool shut_down;     /* SCHEDOP_shutdown or a crash; domain lock */
    bool crashed;
    bool started;                      /* it has run: its end is reported */
    uint8_t shutdown_reason;           /* SHUTDOWN_*, when shut_down */
    bool shutdown_code_set;            /* SCHEDOP_shutdown_code: shutdown_reason was chosen before the end */
    uint8_t max_vcpus;                 /* those that there are */
    uint8_t vcpus_wanted, pause_count; /* domctl's, which come one at a time */
    uint8_t refused;                   /* the vcpu that was refused something last */
    uint8_t handle[16];                /* domain 0's own name for it; domctl */
    char name[NAME_LEN];
    struct lock lock;                        /* LOCK_DOMAIN: fields that say so */
    uint32_t refs;                           /* atomic: the list's, and each get_domain()'s */
    uint32_t vm_assist;                      /* VMASST_TYPE_* bits; word-sized, its own vcpus */
    uint32_t iopl_shown;                     /* RFLAGS_IOPL by the assist architectural_iopl, else 0 */
    struct vcpu *vcpu[MAX_VCPUS_PER_DOMAIN]; /* constant once built */

    struct shared_info *shared; /* Parador's address of the page */
    mfn_t shared_mfn;

    struct lock page_lock; /* LOCK_PAGE_LIST: the next six; lists: first frame, 0: empty (mm/frame.h) */
    uint32_t page_list;    /* its frames, but those on the next two */
    uint32_t undo_list;    /* tables whose undoing stopped half-way: paging_finish() */
    uint32_t done_list;    /* destruction: tables dropped, not yet released */
    uint32_t shared_pages; /* pages of shared_page_alloc() that live */
    uint64_t tot_pages, max_pages;
    uint8_t teardown_stage; /* enum teardown_stage (domain/teardown.c) */
    const struct paging_ops *paging;

    struct evtchn_domain evtchn;
    struct grant_table *grant; /* its own lock, LOCK_GRANT */

    uint64_t store_mfn, console_mfn; /* as built; constant */
    uint32_t store_port, console_port;
    uint32_t heap_pages; /* of Parador's heap, for this domain's structures: who grows one counts it (for the
                            report at the end); atomic */
    struct timer watchdog[NR_WATCHDOGS]; /* SCHEDOP_watchdog; which are in use: domain lock */
    uint8_t watchdogs_in_use;
    char line[256]; /* console: the unfinished line; LOCK_CONSOLE */
    uint32_t line_len;
    bool plain; /* console: while it has the keyboard its lines bear no mark; LOCK_CONSOLE */
    const struct symbols *symbols; /* of the kernel, for reports; may be NULL (boot/elf.h) */
};

enum dying { ALIVE, DYING, DEAD };

#define DOMID_MAX_BOOT 256 /* domids are below */

/* Free frames if there were no domains: what the report at a domain's end is measured by. Constant after
 * boot. */
extern uint64_t frames_without_domains;

extern struct domain *domain0; /* set once at boot; NULL again when it is gone */
extern struct domain idle_domain;

extern struct domain_list {
    struct lock lock;                     /* LOCK_DOMAIN_LIST: all fields */
    struct domain *by_id[DOMID_MAX_BOOT]; /* find_domain() reads without it */
    uint16_t last;                        /* the number that was chosen last */
} domains;

static inline void domain_ref(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

static inline void put_domain(struct domain *d)
{
    __atomic_fetch_sub(&d->refs, 1, __ATOMIC_RELEASE);
}

/* Living and dying domains by number, with a reference: put_domain() when done. NULL: none. */
static inline struct domain *__must_check get_domain(uint16_t domid)
{
    struct domain *d;

    if (unlikely(domid >= DOMID_MAX_BOOT))
        return NULL;
    lock_take(&domains.lock);
    d = domains.by_id[domid];
    if (likely(d))
        domain_ref(d);
    lock_drop(&domains.lock);
    return d;
}

/* The same without a reference, for what is done before this CPU can stand still (x86/cpu.h): who frees a
 * domain has them all stand still after it left the list. It may be dying, to its end. */
static inline struct domain *find_domain(uint16_t domid)
{
    return likely(domid < DOMID_MAX_BOOT) ? __atomic_load_n(&domains.by_id[domid], __ATOMIC_ACQUIRE) : NULL;
}

/* DOMID_SELF is the caller's; no privilege is checked here. */
struct domain *get_domain_for(struct domain *caller, uint16_t domid) __must_check;
/* The idx-th in order of domid, with a reference. */
struct domain *get_domain_by_index(unsigned int idx) __must_check;

/* A paused domain with nr_vcpus vcpus, shared_info, event channels, grant table, no memory. NULL: no memory.
 */
struct domain *domain_create(uint16_t domid, const char *name, unsigned int nr_vcpus,
                             uint64_t max_pages) __must_check;
/* PAUSE_DOMAIN for all its vcpus, or its end. */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);

/* Its address space and registers are in a CPU (v->sched.cpu), though it may be blocked. */
static inline bool vcpu_is_loaded(const struct vcpu *v)
{
    return __atomic_load_n(&v->sched.on_cpu, __ATOMIC_ACQUIRE);
}

/* vcpu `id` of d, or NULL. */
static inline struct vcpu *domain_vcpu(const struct domain *d, uint64_t id)
{
    return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

/* Takes d off the list, so that nobody finds it any more; false: somebody has a reference. Frees a domain
 * that is off the list, or was never on it. For teardown.c. */
bool domain_list_remove(struct domain *d) __must_check;
void domain_free(struct domain *d);

/* Vcpu `id` of d, down, with its vcpu_info in shared_info. NULL: no memory. */
struct vcpu *vcpu_create(struct domain *d, unsigned int id) __must_check;
/* Its timers and its place with the scheduler go; then the memory. */
void vcpu_stop(struct vcpu *v);
void vcpu_free(struct vcpu *v);
/* VCPUOP_register_vcpu_info: from now on in frame m, at offset (checked by the caller). */
int vcpu_place_info(struct vcpu *v, mfn_t m, uint32_t offset) __must_check;
void vcpu_drop_info(struct vcpu *v);
/* VCPUOP_initialise: v, which is down and has no state yet, gets it all. 0, -EINVAL, or -ERESTART: call
 * again. The domain's lock is held. */
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c) __must_check;
/* The periodic timer, ns; 0 stops it. Call it again when VIRQ_TIMER was bound. */
void vcpu_set_period(struct vcpu *v, uint64_t period_ns);

/* The end of a domain that broke its own life support: a report (why, registers, where by symbol, last
 * hypercalls), then it is destroyed like any other. After domain_crash() the domain's vcpus never run again;
 * the caller goes on and returns as usual. reason: SHUTDOWN_*, what domain 0 hears. (crash.c) */
void domain_crash_as(struct domain *d, uint8_t reason, const char *why, ...)
    __attribute__((format(printf, 3, 4), cold));
#define domain_crash(d, ...) domain_crash_as(d, SHUTDOWN_crash, __VA_ARGS__)
/* A guest ended itself with SHUTDOWN_crash: the report, with v's last refusal, if it is fresh, as the likely
 * reason. */
void domain_crash_own(struct vcpu *v) __attribute__((cold));
/* The same for an exception of v, the current vcpu, that its kernel has no handler for: says what v did. */
void domain_crash_exception(struct vcpu *v, unsigned int vector, uint64_t error_code) __attribute__((cold));
/* Why domain domid crashed, of the last few that did, even when it is gone; NULL: it did not. */
const char *crash_reason(unsigned int domid);
/* The rest of a line about v, which had one: its last refusal. */
void crash_say_refusal(const struct vcpu *v);

/* SCHEDOP_shutdown: d ends by itself. */
void domain_shutdown(struct domain *d, uint8_t reason);
/* SCHEDOP_watchdog: id 0 takes a free one and gives its number, 1 or 2; 0 seconds ends it. Negative: errno.
 */
int watchdog_set(struct domain *d, uint32_t id, uint32_t seconds);
void watchdog_init(struct domain *d);
/* Stops all vcpus for good, tells domain 0 (VIRQ_DOM_EXC), and frees everything, in preemptible steps run
 * from schedule(). */
void domain_destroy(struct domain *d);
/* Nothing is left of it but what others map. */
bool domain_relinquished(const struct domain *d);
/* Does a step of any pending destruction, until work comes for this CPU; false: nothing to do, or another CPU
 * is in one. guests_wait: a short one. Called by schedule(), and by who waits for a destruction and holds no
 * domain. */
bool domain_teardown_step(bool guests_wait);
extern uint32_t domains_ending; /* how many; read without a lock */

/* Ends the machine when the last domain is gone: prints the exit line (boot/exit.c). */
void machine_exit(int status) __noreturn;
extern int exit_status; /* set by domain 0 (PARADOR_exit_status); -1: not set; word-sized */

static inline uint32_t owner_of(const struct domain *d)
{
    return d->owner;
}
