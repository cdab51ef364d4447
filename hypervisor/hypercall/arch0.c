/* SPDX-License-Identifier: MIT
 *
 * arch_0: Parador's own sub-operations, the contract of libpv/parador.h.
 */
#include "hypercall/hypercall.h"
#include "domain/console.h"
#include "domain/grant.h"
#include "lib/print.h"
#include "lib/string.h"
#include "libpv/parador.h"
#include "x86/cpu.h"

static long domain_info(struct vcpu *v, uint32_t op, void *arg)
{
    struct parador_domain_info *info = arg;
    struct domain *d = get_domain_by_index(info->idx);

    if (!d)
        return -ENOENT; /* the end of the list is no refusal */
    *info = (struct parador_domain_info){ .idx = info->idx,
                                          .domid = d->domid,
                                          .dying = d->dying || d->shut_down,
                                          .crashed = d->crashed,
                                          .store_mfn = d->store_mfn,
                                          .console_mfn = d->console_mfn,
                                          .store_port = d->store_port,
                                          .console_port = d->console_port,
                                          .nr_ports = d->evtchn.in_use,
                                          .nr_grants = grant_nr_mapped(d),
                                          .tot_pages = d->tot_pages,
                                          .max_pages = d->max_pages };
    memcpy(info->name, d->name, sizeof(info->name));
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *of = d->vcpu[i];

        if (!of)
            continue;
        info->nr_vcpus += of->initialised;
        info->nr_hypercalls += hypercalls_made(of);
        info->nr_exceptions += of->exceptions;
        info->cpu_time_ns += of->sched.runstate.time[RUNSTATE_running];
    }
    put_domain(d);
    return 0;
}

static long set_exit_status(struct vcpu *v, uint32_t op, void *arg)
{
    int32_t status = *(int32_t *)arg;

    if (status < 0 || status > 255)
        return refuse(-EINVAL, R_EXIT_STATUS, (uint64_t)(int64_t)status, 0);
    exit_status = status;
    return 0;
}

static long why(struct vcpu *v, uint32_t op, void *arg)
{
    struct parador_why *w = arg;
    uint16_t domid = w->domid;
    const char *crashed = crash_reason(domid);
    struct domain *d;
    struct refusal r;

    if (domid != DOMID_SELF && domid != v->domain->domid && !v->domain->privileged)
        return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_arch_0, PARADOR_why);
    *w = (struct parador_why){ .domid = domid, .crashed = crashed != NULL };
    if (crashed) { /* also when it is gone */
        snprintf(w->text, sizeof(w->text), "domain %u crashed: %s", domid, crashed);
        return 0;
    }
    d = get_domain_for(v->domain, domid);
    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
    r = d->vcpu[READ_ONCE(d->refused)]->refusal;
    if (!v->domain->privileged && r.frame_owner != owner_of(d))
        r.frame_owner = OWNER_SECRET; /* what others' frames are is not for everybody */
    put_domain(d);
    w->error = r.error;
    w->rule = r.rule;
    w->count = r.count;
    refusal_text(&r, w->text, sizeof(w->text));
    return 0;
}

static long machine_info(struct vcpu *v, uint32_t op, void *arg)
{
    struct parador_machine_info *info = arg;
    struct domain *d;

    *info = (struct parador_machine_info){ .total_frames = frames_total(),
                                           .free_frames = frames_free(),
                                           .hypervisor_frames = frames_hv(),
                                           .nr_cpus = nr_cpus,
                                           .tsc_khz = cpu_features.tsc_khz };
    for (; (d = get_domain_by_index(info->nr_domains)); info->nr_domains++)
        put_domain(d);
#ifdef DEBUG
    info->debug = 1;
#endif
    return 0;
}

static long check(struct vcpu *v, uint32_t op, void *arg)
{
#ifdef DEBUG
    return check_machine() ? -EINVAL : 0;
#else
    return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_arch_0, PARADOR_check);
#endif
}

static long destroy(struct vcpu *v, uint32_t op, void *arg)
{
    uint32_t domid = *(uint32_t *)arg;
    struct domain *d = domid < DOMID_FIRST_RESERVED ? get_domain((uint16_t)domid) : NULL;

    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
    if (!d->privileged)
        domain_destroy(d);
    put_domain(d);
    return domid ? 0 : refuse(-EINVAL, R_DOMAIN_0, 0, 0);
}

static long plain(struct vcpu *v, uint32_t op, void *arg)
{
    console_plain(v->domain, *(uint32_t *)arg);
    return 0;
}

static const struct sub_op ops[] = {
    [PARADOR_domain_info] = { .fn = domain_info, IN_OUT(struct parador_domain_info), .privileged = true },
    [PARADOR_exit_status] = { .fn = set_exit_status, IN(int32_t), .privileged = true },
    [PARADOR_why] = { .fn = why, IN_OUT(struct parador_why) },
    [PARADOR_machine_info] = { .fn = machine_info, OUT(struct parador_machine_info) },
    [PARADOR_check] = { .fn = check },
    [PARADOR_destroy] = { .fn = destroy, IN(uint32_t), .privileged = true },
    [PARADOR_plain] = { .fn = plain, IN(uint32_t), .privileged = true },
};

_Static_assert(sizeof(struct parador_domain_info) <= SUB_OP_LARGEST &&
                   sizeof(struct parador_why) <= SUB_OP_LARGEST,
               "the largest of all calls");

/* op: PARADOR_*; guest: its structure. */
long do_arch_0(uint64_t op, uint64_t guest, uint64_t a3, uint64_t a4, uint64_t a5)
{
    return sub_op(__HYPERVISOR_arch_0, ops, ARRAY_SIZE(ops), current, (uint32_t)op, guest);
}
