/* SPDX-License-Identifier: MIT
 *
 * The end of a domain's life: it stops running for good (poweroff, crash, watchdog, destroyed by domain 0),
 * domain 0 hears of it, and everything it held goes back, in steps that schedule() runs between guests.
 *
 * The order matters. No vcpu runs; then nobody can reach it by events; then its page tables go, and with them
 * its mappings of others' frames; then its grants' counts in the other domains; then its frames. Frames that
 * others still map keep their owner: the domain waits for the last unmap, and only then its number is free.
 *
 * Next: mm/relinquish.c (the steps over tables and frames), grant_map.c.
 */
#include "domain/console.h"
#include "domain/domain.h"
#include "domain/grant.h"
#include "lib/print.h"
#include "mm/paging.h"
#include "x86/cpu.h"

#define STEP_EVERY  1000000  /* ns between steps while guests run */
#define STEP_LENGTH 200000   /* ns that such a step takes at most */
#define WAIT_EVERY  10000000 /* ns between looks at domains whose frames others map */

uint64_t frames_without_domains;
uint32_t domains_ending;

static struct {
    struct lock lock; /* LOCK_DOMAIN_LIST: one_crashed, domains_ending */
    bool one_crashed;
    uint32_t busy;     /* a CPU is in a step; atomic */
    struct timer tick; /* makes a busy CPU come by, and ends its step */
} teardown = { .lock = LOCK_INIT(LOCK_DOMAIN_LIST), .tick = { .fn = reschedule } };

/* Domain 0, where it lives, looks what changed, and lets go of what it maps. */
static void tell_domain0(void)
{
    struct domain *d = get_domain(0);

    if (!d)
        return;
    evtchn_send_virq(d, 0, VIRQ_DOM_EXC);
    put_domain(d);
}

void domain_destroy(struct domain *d)
{
    bool first;

    lock_take(&teardown.lock);
    lock_take(&d->lock);
    first = d->dying == ALIVE;
    if (first) {
        d->dying = DYING;
        domains_ending++;
        teardown.one_crashed |= d->crashed;
    }
    lock_drop(&d->lock);
    lock_drop(&teardown.lock);
    if (!first)
        return;
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        vcpu_pause(d->vcpu[i], PAUSE_SHUTDOWN);
    tell_domain0();
    reschedule(NULL);
}

void domain_shutdown(struct domain *d, uint8_t reason)
{
    lock_take(&d->lock);
    if (!d->shut_down) {
        d->shut_down = true;
        if (!d->shutdown_code_set)
            d->shutdown_reason = reason;
        d->crashed = reason == SHUTDOWN_crash;
    }
    lock_drop(&d->lock);
    domain_destroy(d);
}

static void watchdog_over(void *arg)
{
    struct domain *d = arg;

    domain_crash_as(d, SHUTDOWN_watchdog, "it did not feed its watchdog in time");
}

void watchdog_init(struct domain *d)
{
    for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
        timer_init(&d->watchdog[i], watchdog_over, d);
}

static void watchdog_stop(struct domain *d)
{
    for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
        timer_finish(&d->watchdog[i]);
}

int watchdog_set(struct domain *d, uint32_t id, uint32_t seconds)
{
    unsigned int w;
    int rc = 0;

    if (id > NR_WATCHDOGS)
        return refuse(-EINVAL, R_WATCHDOG, id, 0);
    lock_take(&d->lock);
    w = id ? id - 1 : (unsigned int)__builtin_ctz(~(unsigned int)d->watchdogs_in_use); /* or a free one */
    if (w == NR_WATCHDOGS || (id && !(d->watchdogs_in_use & 1U << w))) {
        rc = refuse(id ? -EINVAL : -ENOSPC, R_WATCHDOG, id, 0);
    } else if (id && !seconds) {
        timer_stop(&d->watchdog[w]);
        d->watchdogs_in_use &= (uint8_t) ~(1U << w);
    } else {
        timer_set(&d->watchdog[w], now_ns() + seconds * 1000000000ULL);
        d->watchdogs_in_use |= (uint8_t)(1U << w);
        rc = id ? 0 : (int)w + 1;
    }
    lock_drop(&d->lock);
    return rc;
}

/* Somebody got a reference before, perhaps before d was dying, and may still act on its tables. */
static bool referenced(const struct domain *d)
{
    bool others;

    lock_take(&domains.lock);
    others = __atomic_load_n(&d->refs, __ATOMIC_ACQUIRE) != 1;
    lock_drop(&domains.lock);
    return others;
}

/* The stages: 0 done; -ERESTART call again; -EBUSY nothing to do until others have let go. */
static int stop_vcpus(struct domain *d)
{
    if (referenced(d))
        return -EBUSY;
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        vcpu_pause(d->vcpu[i], PAUSE_SHUTDOWN); /* who began the end may not be so far yet */
        if (vcpu_is_loaded(d->vcpu[i]))
            return -EBUSY;
    }
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        vcpu_stop(d->vcpu[i]);
    watchdog_stop(d);
    return 0;
}

static int drop_infos(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        vcpu_drop_info(d->vcpu[i]);
    return 0;
}

static int wait_for_others(struct domain *d)
{
    bool pages;

    lock_take(&d->page_lock); /* who freed the last frame is out of it */
    pages = d->tot_pages != 0;
    lock_drop(&d->page_lock);
    if (pages || !shared_page_idle(d->shared) || !grant_idle(d) || !domain_list_remove(d))
        return -EBUSY;
    return 0;
}

static const char *end_text(const struct domain *d)
{
    static const char *const reasons[] = {
        "poweroff", "reboot", "suspend", "crash", "watchdog", "soft reset"
    };

    if (!d->shut_down)
        return "destroyed";
    return d->shutdown_reason < ARRAY_SIZE(reasons) ? reasons[d->shutdown_reason] : "unknown reason";
}

/* Frames that all domains of the list hold now, their own and those of Parador's that serve them. */
static uint64_t frames_of_domains(void)
{
    uint64_t sum = 0;
    struct domain *d;

    for (uint16_t id = 0; id < DOMID_MAX_BOOT; id++) {
        d = get_domain(id);
        if (!d)
            continue;
        sum += d->tot_pages + d->shared_pages + d->heap_pages;
        put_domain(d);
    }
    return sum;
}

/* The two counts are equal, or something was left behind. */
static void report(const char *name, const char *why)
{
    uint64_t before, after;

    cpus_stop(); /* others have no frame in hand */
    before = frames_without_domains - frames_of_domains();
    after = frames_free();
    cpus_go();
    say("parador: %s ended (%s): free frames: %lu before it, %lu after it\n", name, why, before, after);
#ifdef DEBUG
    check_machine_and_say();
#endif
}

static void finish(struct domain *d)
{
    const char *why = end_text(d);
    bool crashed, started = d->started;
    struct domain *left;
    char name[NAME_LEN];

    snprintf(name, sizeof(name), "%s", d->name);
    if (started)
        console_domain_ends(d);
    cpus_stop(); /* nobody has it from find_domain() any more */
    cpus_go();
    domain_free(d);

    lock_take(&teardown.lock);
    domains_ending--;
    crashed = teardown.one_crashed;
    lock_drop(&teardown.lock);
    if (started)
        report(name, why);
    left = get_domain_by_index(0);
    if (!left)
        machine_exit(crashed ? 1 : 0);
    put_domain(left);
    tell_domain0();
}

static int (*const stages[])(struct domain *d) = {
    stop_vcpus,       evtchn_relinquish,        drop_infos,      paging_relinquish,
    grant_relinquish, domain_frames_relinquish, wait_for_others,
};

bool domain_relinquished(const struct domain *d)
{
    return READ_ONCE(d->teardown_stage) >= ARRAY_SIZE(stages) - 1; /* which waits for others */
}

/* One step for one domain. True: something was done. */
static bool a_step(void)
{
    struct domain *d;
    int rc = -EBUSY;

    for (uint16_t id = 0; rc == -EBUSY && id < DOMID_MAX_BOOT; id++) {
        d = get_domain(id);
        if (!d)
            continue;
        put_domain(d); /* only this function frees domains */
        if (d->dying == DYING)
            rc = stages[d->teardown_stage](d);
        if (rc == 0 && ++d->teardown_stage == ARRAY_SIZE(stages))
            finish(d);
    }
    return rc != -EBUSY;
}

bool domain_teardown_step(bool guests_wait)
{
    bool done;

    if (!READ_ONCE(domains_ending) || __atomic_exchange_n(&teardown.busy, 1, __ATOMIC_ACQUIRE))
        return false;
    if (guests_wait)
        timer_set(&teardown.tick, now_ns() + STEP_LENGTH);
    latency_kind(LATENCY_TEARDOWN);
    done = a_step();
    latency_kind(LATENCY_ENTRY);
    __atomic_store_n(&teardown.busy, 0, __ATOMIC_SEQ_CST); /* or who has the tick right now goes away again */
    if (READ_ONCE(domains_ending) && (guests_wait || !READ_ONCE(teardown.tick.armed)))
        timer_set(&teardown.tick, now_ns() + (done ? STEP_EVERY : WAIT_EVERY));
    return done;
}
