/* SPDX-License-Identifier: MIT
 *
 * domctl: how domain 0 makes, steers and ends other domains. Source: xen/domctl.h.
 *
 * Only what must be here is here: an empty domain, its limits, a vcpu's first state. All building (the
 * kernel's file, page tables, start_info) is domain 0's: it populates the domain's memory, maps the frames,
 * fills and unmaps them, and pins the first table, by the calls that every guest makes for itself.
 *
 * One control call at a time; another one meanwhile begins anew. A domain that is dying takes none but
 * questions and its destruction, which returns when nothing is left of it but frames that others map.
 *
 * Read next: libpv/build.c in domain 0; domain/teardown.c.
 */
#include "hypercall/hypercall.h"
#include <xen/domctl.h>
#include "domain/console.h"
#include "lib/print.h"
#include "lib/string.h"

#define CALL_NR __HYPERVISOR_domctl
#define PAUSES  255 /* of one domain at a time, as Xen has it */

typedef long domctl_fn(struct domain *d, struct xen_domctl *op);

/* A call began it, and was not told that it has ended. One control call at a time. */
static bool destroying[DOMID_MAX_BOOT];

/* A number that no domain has: `wanted`, or (0, or reserved ones) the next behind the one given last. 0:
 * none. */
static uint16_t free_domid(uint16_t wanted)
{
    uint16_t id = wanted;

    lock_take(&domains.lock);
    if (!wanted || wanted >= DOMID_FIRST_RESERVED) {
        id = domains.last;
        do
            id = (uint16_t)(id % (DOMID_MAX_BOOT - 1) + 1);
        while (domains.by_id[id] && id != domains.last);
        domains.last = id;
    }
    if (id >= DOMID_MAX_BOOT || domains.by_id[id])
        id = 0;
    lock_drop(&domains.lock);
    return id;
}

/* Limits of ports and grants that the caller names are not asked for: Parador's own are the same for all. */
static long create(struct domain *none, struct xen_domctl *op)
{
    const struct xen_domctl_createdomain *c = &op->u.createdomain;
    uint16_t domid = free_domid(op->domain);
    char name[NAME_LEN];
    struct domain *d;

    if (c->flags || c->iommu_opts || c->arch.emulation_flags || c->arch.misc_flags || !c->max_vcpus ||
        c->max_vcpus > MAX_VCPUS_PER_DOMAIN)
        return refuse(-EINVAL, R_DOMAIN_CONFIG, c->flags | c->arch.emulation_flags, c->max_vcpus);
    if (!domid)
        return refuse(-EEXIST, R_DOMAIN_EXISTS, op->domain, 0);
    snprintf(name, sizeof(name), "d%u", domid);
    d = domain_create(domid, name, 1, 0); /* a vcpu at least: events go to the first one */
    if (!d)
        return refuse(-ENOMEM, R_NO_MEMORY, 1, domid);
    destroying[domid] = false;
    d->pause_count = 1;
    d->vcpus_wanted = (uint8_t)c->max_vcpus;
    memcpy(d->handle, c->handle, sizeof(d->handle));
    op->domain = domid;
    return 0;
}

static long destroy(struct domain *d, struct xen_domctl *op)
{
    domain_destroy(d);
    destroying[d->domid] = !domain_relinquished(d);
    return destroying[d->domid] ? -ERESTART : 0;
}

/* There is no such domain, which is what a caller waits for if the last step has just been done. Between its
 * steps it may have made other calls, and gone on on another vcpu. */
static long no_domain(const struct xen_domctl *op)
{
    if (op->cmd != XEN_DOMCTL_destroydomain || op->domain >= DOMID_MAX_BOOT || !destroying[op->domain])
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, op->domain, 0);
    destroying[op->domain] = false;
    return 0;
}

/* It has stopped when the call returns. */
static long pause(struct domain *d, struct xen_domctl *op)
{
    if (d->pause_count == PAUSES)
        return refuse(-E2BIG, R_DOMAIN_PAUSES, d->pause_count, d->domid);
    if (!d->pause_count)
        domain_pause(d);
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        if (vcpu_is_loaded(d->vcpu[i]))
            return -ERESTART;
    d->pause_count++;
    return 0;
}

static long unpause(struct domain *d, struct xen_domctl *op)
{
    if (!d->pause_count)
        return refuse(-EINVAL, R_DOMAIN_PAUSES, 0, d->domid);
    if (--d->pause_count)
        return 0;
    if (!d->started)
        console_domain_begins(d);
    domain_unpause(d);
    return 0;
}

/* This domain, or the one with the next number. */
static long get_info(struct domain *none, struct xen_domctl *op)
{
    struct xen_domctl_getdomaininfo *info = &op->u.getdomaininfo;
    uint16_t domid = op->domain;
    uint32_t flags = XEN_DOMINF_blocked;
    struct domain *d = NULL;

    if (domid >= DOMID_FIRST_RESERVED)
        return refuse(-EINVAL, R_NO_SUCH_DOMAIN, domid, 0);
    while (domid < DOMID_MAX_BOOT && !(d = get_domain(domid)))
        domid++;
    if (!d)
        return -ESRCH; /* the end of the list is no refusal */
    *info = (struct xen_domctl_getdomaininfo){ .domain = domid,
                                               .tot_pages = d->tot_pages,
                                               .max_pages = d->max_pages,
                                               .shared_info_frame = d->shared_mfn.v,
                                               .max_vcpu_id = d->max_vcpus - 1U };
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu_runstate_info r;

        vcpu_get_runstate(d->vcpu[i], &r);
        info->cpu_time += r.time[RUNSTATE_running];
        if (!vcpu_is_up(d->vcpu[i]))
            continue;
        info->nr_online_vcpus++;
        if (READ_ONCE(d->vcpu[i]->sched.state) != VS_BLOCKED)
            flags &= ~XEN_DOMINF_blocked;
        if (vcpu_is_running(d->vcpu[i]))
            flags |= XEN_DOMINF_running;
    }
    info->flags = (info->nr_online_vcpus ? flags : 0) | (d->dying ? XEN_DOMINF_dying : 0) |
                  (d->pause_count ? XEN_DOMINF_paused : 0);
    if (d->shut_down)
        info->flags |= XEN_DOMINF_shutdown | (uint32_t)d->shutdown_reason << XEN_DOMINF_shutdownshift;
    memcpy(info->handle, d->handle, sizeof(d->handle));
    op->domain = domid;
    put_domain(d);
    return 0;
}

static long max_mem(struct domain *d, struct xen_domctl *op)
{
    lock_take(&d->page_lock);
    d->max_pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
    lock_drop(&d->page_lock);
    return 0;
}

/* The vcpus that creation was told of, all down. */
static long max_vcpus(struct domain *d, struct xen_domctl *op)
{
    if (op->u.max_vcpus.max != d->vcpus_wanted)
        return refuse(-EINVAL, R_DOMAIN_CONFIG, 0, op->u.max_vcpus.max);
    while (d->max_vcpus < d->vcpus_wanted) {
        struct vcpu *v = vcpu_create(d, d->max_vcpus);

        if (!v)
            return refuse(-ENOMEM, R_NO_MEMORY, 1, d->domid);
        d->vcpu[d->max_vcpus] = v;
        __atomic_store_n(&d->max_vcpus, d->max_vcpus + 1, __ATOMIC_RELEASE); /* others may look for it now */
        if (preempt_pending())
            return -ERESTART;
    }
    return 0;
}

static long set_context(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpucontext *c = &op->u.vcpucontext;
    struct vcpu *v = domain_vcpu(d, c->vcpu);

    if (!v)
        return refuse(-EINVAL, R_NO_SUCH_VCPU, c->vcpu, 0);
    if (!d->pause_count)
        return refuse(-EINVAL, R_DOMAIN_PAUSES, 0, d->domid);
    if (vcpu_is_loaded(v))
        return -ERESTART;
    return vcpu_initialise(v, (uint64_t)c->ctxt.p, true);
}

static long get_vcpu(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
    struct vcpu *v = domain_vcpu(d, info->vcpu);
    struct vcpu_runstate_info r;

    if (!v)
        return refuse(info->vcpu < d->vcpus_wanted ? -ESRCH : -EINVAL, R_NO_SUCH_VCPU, info->vcpu, 0);
    vcpu_get_runstate(v, &r);
    info->online = vcpu_is_up(v);
    info->blocked = READ_ONCE(v->sched.state) == VS_BLOCKED;
    info->running = vcpu_is_running(v);
    info->cpu_time = r.time[RUNSTATE_running];
    info->cpu = v->sched.cpu;
    return 0;
}

/* The CPUs that a vcpu may run on, a bit each in bytes of the caller's. set: told back are those that exist.
 */
static long affinity(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    uint64_t map = 0, at = (uint64_t)a->cpumap_hard.bitmap.p;
    size_t size = MIN(DIV_ROUND_UP((uint64_t)a->cpumap_hard.nr_bits, 8), sizeof(map));
    struct vcpu *v = domain_vcpu(d, a->vcpu);

    if (a->vcpu >= d->vcpus_wanted && a->vcpu >= d->max_vcpus)
        return refuse(-EINVAL, R_NO_SUCH_VCPU, a->vcpu, 0);
    if (!v)
        return refuse(-ESRCH, R_NO_SUCH_VCPU, a->vcpu, 0);
    if (op->cmd == XEN_DOMCTL_setvcpuaffinity) {
        if (a->flags != XEN_VCPUAFFINITY_HARD)
            return refuse(-EINVAL, R_AFFINITY, a->flags, 0);
        if (copy_from_guest(&map, at, size))
            return refuse(-EFAULT, R_BAD_POINTER, at, 0);
        if (a->cpumap_hard.nr_bits < 64)
            map &= (1ULL << a->cpumap_hard.nr_bits) - 1;
        if (vcpu_set_affinity(v, map))
            return refuse(-EINVAL, R_AFFINITY, a->flags, map);
    }
    if (!(a->flags & XEN_VCPUAFFINITY_HARD))
        return 0;
    map = READ_ONCE(v->sched.affinity);
    return copy_to_guest(at, &map, size) ? refuse(-EFAULT, R_BAD_POINTER, at, 0) : 0;
}

/* Fills the page that the kernel's notes name with the stubs of all calls. */
static long hypercall_init(struct domain *d, struct xen_domctl *op)
{
    mfn_t m = MFN(op->u.hypercall_init.gmfn);
    int rc = get_frame_type(d, m, FT_WRITABLE);

    if (rc)
        return rc;
    hypercall_page_fill(mfn_to_virt(m));
    put_frame_type(m);
    return 0;
}

/* Modes: 0 whatever suits, 1 emulated, 2 native. rdtsc is never emulated here. */
static long set_tsc(struct domain *d, struct xen_domctl *op)
{
    uint32_t mode = op->u.tsc_info.tsc_mode;

    return mode == 0 || mode == 2 ? 0 : refuse(-EINVAL, R_TSC_MODE, mode, d->domid);
}

static const struct {
    domctl_fn *fn;
    bool any;   /* it finds its domain itself */
    bool other; /* not for the caller's own domain */
    bool dying; /* for dying domains too */
    bool out;   /* there are results */
} rows[] = {
    [XEN_DOMCTL_createdomain] = { .fn = create, .any = true, .out = true },
    [XEN_DOMCTL_destroydomain] = { .fn = destroy, .other = true, .dying = true },
    [XEN_DOMCTL_pausedomain] = { .fn = pause, .other = true },
    [XEN_DOMCTL_unpausedomain] = { .fn = unpause },
    [XEN_DOMCTL_getdomaininfo] = { .fn = get_info, .any = true, .out = true },
    [XEN_DOMCTL_max_mem] = { .fn = max_mem },
    [XEN_DOMCTL_setvcpuaffinity] = { .fn = affinity },
    [XEN_DOMCTL_getvcpuaffinity] = { .fn = affinity, .dying = true },
    [XEN_DOMCTL_setvcpucontext] = { .fn = set_context, .other = true },
    [XEN_DOMCTL_getvcpuinfo] = { .fn = get_vcpu, .dying = true, .out = true },
    [XEN_DOMCTL_settscinfo] = { .fn = set_tsc, .other = true },
    [XEN_DOMCTL_max_vcpus] = { .fn = max_vcpus, .other = true },
    [XEN_DOMCTL_hypercall_init] = { .fn = hypercall_init },
};

static long for_domain(struct xen_domctl *op)
{
    struct domain *d = get_domain(op->domain);
    long rc;

    if (!d)
        return no_domain(op);
    if (rows[op->cmd].other && d == current->domain)
        rc = refuse(-EINVAL, R_DOMAIN_0, 0, 0);
    else if (d->dying && !rows[op->cmd].dying) /* teardown waits until who did not see it has put it */
        rc = refuse(-EINVAL, R_DOMAIN_DYING, d->domid, 0);
    else
        rc = rows[op->cmd].fn(d, op);
    put_domain(d);
    return rc;
}

/* guest: struct xen_domctl. Only the caller's own copy of it is looked at. */
long do_domctl(uint64_t guest, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    static uint32_t busy; /* a CPU is in such a call; atomic */
    struct xen_domctl op;
    long rc;

    if (copy_from_guest(&op, guest, sizeof(op)))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return refuse(-EACCES, R_INTERFACE_VERSION, op.interface_version, XEN_DOMCTL_INTERFACE_VERSION);
    if (!current->domain->privileged)
        return refuse(-EPERM, R_NOT_PRIVILEGED, CALL_NR, op.cmd);
    if (op.cmd >= ARRAY_SIZE(rows) || !rows[op.cmd].fn)
        return refuse(-ENOSYS, R_NO_SUCH_OP, CALL_NR, op.cmd);
    if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) {
        cpu_relax();
        return hypercall_restart(CALL_NR, 0, NULL);
    }
    rc = rows[op.cmd].any ? rows[op.cmd].fn(NULL, &op) : for_domain(&op);
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
    if (rc == -ERESTART) {
        if (!domain_teardown_step(false)) /* no domain is held here */
            cpu_relax();                  /* it is another CPU's turn */
        return hypercall_restart(CALL_NR, 0, NULL);
    }
    if (!rc && rows[op.cmd].out && copy_to_guest(guest, &op, sizeof(op)))
        rc = refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    return rc;
}
