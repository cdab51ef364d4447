/* SPDX-License-Identifier: MIT
 *
 * arch_0: Parador's own sub-operations, the contract of libpv/parador.h. Rows of { size, in/out, handler }:
 * one routine copies in, calls and copies out.
 */
#include "lib/types.h"
#include <xen/xen.h>
#include "domain/crash.h"
#include "domain/domain.h"
#include "domain/grant.h"
#include "hypercall/hypercall.h"
#include "lib/print.h"
#include "lib/string.h"
#include "libpv/parador.h"
#include "mm/check.h"
#include "mm/frame.h"
#include "x86/copy.h"
#include "x86/cpu.h"

#define LARGEST 512 /* bytes of the largest structure */

static void sum_vcpus(const struct domain *d, struct parador_domain_info *info)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];

        if (!v)
            continue;
        info->nr_vcpus += v->initialised;
        info->nr_hypercalls += v->hypercalls;
        info->nr_exceptions += v->exceptions;
        info->cpu_time_ns += v->sched.runstate.time[RUNSTATE_running];
    }
}

static long domain_info(struct vcpu *v, void *arg)
{
    struct parador_domain_info *info = arg;
    uint32_t idx = info->idx;
    struct domain *d = get_domain_by_index(idx);

    (void)v;
    if (!d)
        return -ENOENT; /* the end of the list is no refusal */
    memset(info, 0, sizeof(*info));
    info->idx = idx;
    info->domid = d->domid;
    info->dying = d->dying || d->shut_down;
    info->crashed = d->crashed;
    memcpy(info->name, d->name, sizeof(info->name));
    info->store_mfn = d->store_mfn;
    info->console_mfn = d->console_mfn;
    info->store_port = d->store_port;
    info->console_port = d->console_port;
    info->nr_ports = d->evtchn.in_use;
    info->nr_grants = grant_nr_mapped(d);
    info->tot_pages = d->tot_pages;
    info->max_pages = d->max_pages;
    sum_vcpus(d, info);
    put_domain(d);
    return 0;
}

static long set_exit_status(struct vcpu *v, void *arg)
{
    int32_t status = *(int32_t *)arg;

    (void)v;
    if (status < 0 || status > 255)
        return refuse(-EINVAL, R_EXIT_STATUS, (uint64_t)(int64_t)status, 0);
    exit_status = status;
    return 0;
}

static long why(struct vcpu *v, void *arg)
{
    struct parador_why *w = arg;
    uint16_t domid = w->domid;
    struct domain *d;
    const struct vcpu *of = v;
    const char *crashed;
    struct refusal r;

    if (domid != DOMID_SELF && domid != v->domain->domid && !v->domain->privileged)
        return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_arch_0, PARADOR_why);
    crashed = crash_reason(domid);
    if (crashed) { /* also when it is gone */
        memset(w, 0, sizeof(*w));
        w->domid = domid;
        w->crashed = 1;
        snprintf(w->text, sizeof(w->text), "domain %u crashed: %s", domid, crashed);
        return 0;
    }
    d = get_domain_for(v->domain, domid);
    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
    if (d != v->domain)
        of = d->vcpu[0];
    r = of->refusal;
    if (!v->domain->privileged && r.frame_owner != owner_of(d))
        r.frame_owner = OWNER_SECRET; /* what others' frames are is not for everybody */
    put_domain(d);
    memset(w, 0, sizeof(*w));
    w->domid = domid;
    w->error = r.error;
    w->rule = r.rule;
    w->count = r.count;
    refusal_text(&r, w->text, sizeof(w->text));
    return 0;
}

static uint32_t count_domains(void)
{
    struct domain *d;
    uint32_t n = 0;

    while ((d = get_domain_by_index(n))) {
        put_domain(d);
        n++;
    }
    return n;
}

static long machine_info(struct vcpu *v, void *arg)
{
    struct parador_machine_info *info = arg;

    (void)v;
    memset(info, 0, sizeof(*info));
    info->total_frames = frames_total();
    info->free_frames = frames_free();
    info->hypervisor_frames = frames_hv();
    info->nr_cpus = 1;
    info->nr_domains = count_domains();
    info->tsc_khz = cpu_features.tsc_khz;
#ifdef DEBUG
    info->debug = 1;
#endif
    return 0;
}

static long check(struct vcpu *v, void *arg)
{
    (void)v, (void)arg;
#ifdef DEBUG
    unsigned int wrong = check_machine();

    latency_begin(); /* the checker takes its time */
    return wrong ? -EINVAL : 0;
#else
    return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_arch_0, PARADOR_check);
#endif
}

static long destroy(struct vcpu *v, void *arg)
{
    uint32_t domid = *(uint32_t *)arg;
    struct domain *d = domid < DOMID_FIRST_RESERVED ? get_domain((uint16_t)domid) : NULL;

    (void)v;
    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
    if (!d->privileged)
        domain_destroy(d);
    put_domain(d);
    return domid ? 0 : refuse(-EINVAL, R_DOMAIN_0, 0, 0);
}

static const struct arch_0_row {
    uint16_t in, out; /* bytes */
    bool privileged;  /* domain 0 alone */
    long (*fn)(struct vcpu *v, void *arg);
} rows[] = {
    [PARADOR_domain_info] = { sizeof(struct parador_domain_info), sizeof(struct parador_domain_info), true,
                              domain_info },
    [PARADOR_exit_status] = { sizeof(int32_t), 0, true, set_exit_status },
    [PARADOR_why] = { sizeof(struct parador_why), sizeof(struct parador_why), false, why },
    [PARADOR_machine_info] = { 0, sizeof(struct parador_machine_info), false, machine_info },
    [PARADOR_check] = { 0, 0, false, check },
    [PARADOR_destroy] = { sizeof(uint32_t), 0, true, destroy },
};

_Static_assert(sizeof(struct parador_domain_info) <= LARGEST && sizeof(struct parador_why) <= LARGEST,
               "the buffer below holds every structure");

/* a1: PARADOR_*; a2: its structure. */
long do_arch_0(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint8_t arg[LARGEST] __attribute__((aligned(8)));
    const struct arch_0_row *row;
    struct vcpu *v = current;
    uint32_t op = (uint32_t)a1;
    long rc;

    (void)a3, (void)a4, (void)a5;
    if (op >= ARRAY_SIZE(rows))
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_arch_0, op);
    row = &rows[op];
    if (row->privileged && !v->domain->privileged)
        return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_arch_0, op);
    if (row->in && copy_from_guest(arg, a2, row->in))
        return refuse(-EFAULT, R_BAD_POINTER, a2, 0);
    rc = row->fn(v, arg);
    if (!rc && row->out && copy_to_guest(a2, arg, row->out))
        return refuse(-EFAULT, R_BAD_POINTER, a2, 0);
    return rc;
}
