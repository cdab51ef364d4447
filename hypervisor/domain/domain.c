/* SPDX-License-Identifier: MIT
 *
 * Domains: creation, the list, references.
 *
 * The list holds a reference to each domain from its creation to the end of its teardown. get_domain() adds
 * one under the list's lock; nobody keeps it beyond one hypercall. So a domain whose references are down to
 * the list's own can be taken off the list, and then, when all CPUs have stood still (find_domain()), freed.
 *
 * Leaves to others: memory and kernel (boot/builder.c), vcpus (vcpu.c), the end (teardown.c).
 */
#include "domain/domain.h"
#include "domain/grant.h"
#include "lib/string.h"
#include "mm/paging.h"
#include "x86/cpu.h"

struct domain *domain0;
struct domain idle_domain = { .domid = DOMID_IDLE, .name = "idle", .max_pages = 0 };

struct domain_list domains = { .lock = LOCK_INIT(LOCK_DOMAIN_LIST), .last = DOMID_MAX_BOOT - 1 };

struct domain *get_domain_for(struct domain *caller, uint16_t domid)
{
    if (domid != DOMID_SELF)
        return get_domain(domid);
    domain_ref(caller);
    return caller;
}

struct domain *get_domain_by_index(unsigned int idx)
{
    struct domain *d = NULL;

    lock_take(&domains.lock);
    for (unsigned int id = 0; id < DOMID_MAX_BOOT && !d; id++)
        if (domains.by_id[id] && idx-- == 0)
            d = domains.by_id[id];
    if (d)
        domain_ref(d);
    lock_drop(&domains.lock);
    return d;
}

bool domain_list_remove(struct domain *d)
{
    bool unused;

    lock_take(&domains.lock);
    unused = __atomic_load_n(&d->refs, __ATOMIC_ACQUIRE) == 1;
    if (unused) {
        WRITE_ONCE(domains.by_id[d->domid], NULL);
        if (domain0 == d)
            domain0 = NULL;
    }
    lock_drop(&domains.lock);
    return unused;
}

void domain_free(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i]) {
            vcpu_free(d->vcpu[i]);
            cpu_window();
        }
    if (d->grant)
        grant_destroy(d);
    evtchn_free(d);
    if (d->shared)
        shared_page_free(d->shared);
    page_free(d);
}

/* The parts of a new domain. Negative: something is missing, domain_free() takes back the rest. */
static int __must_check create_parts(struct domain *d, unsigned int nr_vcpus)
{
    d->shared = shared_page_alloc(d);
    if (!d->shared)
        return -ENOMEM;
    d->shared_mfn = virt_to_mfn(d->shared);
    time_update_wallclock(d);
    if (evtchn_init(d) || grant_init(d))
        return -ENOMEM;
    for (unsigned int i = 0; i < nr_vcpus; i++) {
        d->vcpu[i] = vcpu_create(d, i);
        if (!d->vcpu[i])
            return -ENOMEM;
        d->max_vcpus++;
    }
    return 0;
}

struct domain *domain_create(uint16_t domid, const char *name, unsigned int nr_vcpus, uint64_t max_pages)
{
    struct domain *d;

    if (domid >= DOMID_MAX_BOOT || nr_vcpus < 1 || nr_vcpus > MAX_VCPUS_PER_DOMAIN)
        return NULL;
    d = page_alloc();
    if (!d)
        return NULL;
    d->domid = domid;
    d->owner = domid + 1u;
    d->privileged = domid == 0;
    memcpy(d->name, name, strnlen(name, NAME_LEN - 1));
    lock_init(&d->lock, LOCK_DOMAIN);
    lock_init(&d->page_lock, LOCK_PAGE_LIST);
    watchdog_init(d);
    d->refs = 1;
    d->heap_pages = 2; /* itself and its grant table; the parts count for themselves */
    d->max_pages = max_pages;
    d->paging = &pv_direct;
    if (create_parts(d, nr_vcpus)) {
        domain_free(d);
        return NULL;
    }
    lock_take(&domains.lock);
    ASSERT(!domains.by_id[domid]);
    __atomic_store_n(&domains.by_id[domid], d, __ATOMIC_RELEASE);
    lock_drop(&domains.lock);
    if (domid == 0)
        domain0 = d;
    return d;
}

void domain_pause(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        vcpu_pause(d->vcpu[i], PAUSE_DOMAIN);
}

void domain_unpause(struct domain *d)
{
    d->started = true;
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        vcpu_unpause(d->vcpu[i], PAUSE_DOMAIN);
}

_Static_assert(sizeof(struct domain) <= PAGE_SIZE, "a domain is a page");
