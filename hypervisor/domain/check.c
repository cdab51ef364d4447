/* SPDX-License-Identifier: MIT
 *
 * The invariant checker's other half (mm/check.c says what it is): what hangs on a domain and is no frame.
 *
 * Ports: each end of a channel points to the other, a VIRQ's port and the vcpu that has it to each other, and
 * the counts are right. Grants: what the granter counts as used is what the users' handles say. Vcpus: what
 * they hold of frames; who is runnable is in a queue and nobody else is; who runs is loaded. Locks: none is
 * held.
 */
#include "mm/check.h"
#include "boot/boot.h"
#include "domain/domain.h"
#include "domain/grant_table.h"
#include "lib/bits.h"
#include "mm/tlb.h"
#include "x86/cpu.h"

#if defined(DEBUG) || defined(HOST_TEST)

/* Domains are compared with the list before they are looked into. */
static bool listed(const struct domain *d, uint16_t domid)
{
    return domid < DOMID_MAX_BOOT && d && domains.by_id[domid] == d;
}

static void check_port(struct check *c, const struct domain *d, uint32_t port)
{
    const struct evtchn *e = evtchn_port(&d->evtchn, port), *far = NULL;
    uint32_t holder = e->state == ECS_VIRQ && !evtchn_virq_is_global(e->virq) ? e->vcpu : 0;

    if (e->vcpu >= d->max_vcpus)
        complain(c, "domain %u: port %u notifies vcpu %u\n", d->domid, port, e->vcpu);
    if (e->state == ECS_INTERDOMAIN && listed(e->remote, e->remote_domid))
        far = evtchn_port(&e->remote->evtchn, e->remote_port);
    if (e->state == ECS_INTERDOMAIN && !(far && far->state == ECS_INTERDOMAIN && far->remote == d &&
                                         far->remote_domid == d->domid && far->remote_port == port))
        complain(c, "domain %u: port %u leads to port %u of domain %u, which does not lead back\n", d->domid,
                 port, e->remote_port, e->remote_domid);
    if (e->state == ECS_VIRQ &&
        !(e->virq < NR_VIRQS && holder < d->max_vcpus && d->vcpu[holder]->virq_port[e->virq] == port))
        complain(c, "domain %u: port %u is VIRQ %u of vcpu %u, which does not have it\n", d->domid, port,
                 e->virq, holder);
}

static void check_ports(struct check *c, const struct domain *d)
{
    const struct evtchn_domain *e = &d->evtchn;
    uint32_t in_use = 0, first_free = e->nr_ports;

    for (uint32_t port = e->nr_ports; port--;) {
        uint8_t state = evtchn_port(&d->evtchn, port)->state;

        in_use += state > ECS_RESERVED;
        if (state == ECS_FREE)
            first_free = port;
        if (state > ECS_IPI || (port && state == ECS_RESERVED))
            complain(c, "domain %u: port %u has state %u\n", d->domid, port, state);
        else if (state > ECS_RESERVED)
            check_port(c, d, port);
    }
    if (in_use != e->in_use)
        complain(c, "domain %u: %u ports in use, %u by its count\n", d->domid, in_use, e->in_use);
    if (first_free < e->lowest_free)
        complain(c, "domain %u: port %u is free, below %u none should be\n", d->domid, first_free,
                 e->lowest_free);
}

/* ---- Grants ---- */

/* Of a host map that may not hold: a guest may forget a mapping, with the reference that it was. */
static bool is_frame_of(const struct domain *d, uint64_t mfn)
{
    return mfn_valid(MFN(mfn)) && frame_of(MFN(mfn))->owner == owner_of(d);
}

static void check_handle(struct check *c, const struct domain *u, uint32_t handle)
{
    const struct maptrack *map = grant_handle(u->grant, handle);
    struct domain *g = map->domid < DOMID_MAX_BOOT ? domains.by_id[map->domid] : NULL;
    uint32_t host = map->flags & GNTMAP_host_map ? PIN_HOST_RO | PIN_HOST_RW : 0;
    uint32_t device = map->flags & GNTMAP_device_map ? PIN_DEV_RO | PIN_DEV_RW : 0;
    uint32_t kinds = (host | device) & (map->flags & GNTMAP_readonly ? ~PINS_WRITING : PINS_WRITING);
    struct grant_active *a;

    if (!check_that(c, g && g->grant && map->ref < g->grant->nr_entries,
                    "domain %u: handle %u is of grant %u of domain %u, which does not exist\n", u->domid,
                    handle, map->ref, map->domid))
        return;
    a = grant_active(g->grant, map->ref);
    a->seen = (uint16_t)(a->seen + (host != 0) + (device != 0));
    for (uint32_t kind = 0xff; kind; kind <<= 8)
        if ((kinds & kind) && !(a->pins & kind))
            complain(c, "domain %u: handle %u maps grant %u of domain %u, whose pins (%x) do not say so\n",
                     u->domid, handle, map->ref, map->domid, a->pins);
    if (a->mfn != map->mfn || a->domid != u->domid)
        complain(c, "domain %u: handle %u maps frame %lx, grant %u of domain %u is frame %lx for domain %u\n",
                 u->domid, handle, map->mfn, map->ref, map->domid, a->mfn, a->domid);
    if (host && g != u && is_frame_of(g, map->mfn))
        check_allows(c, MFN(map->mfn), 1);
}

void check_handles(struct check *c, const struct domain *u)
{
    const struct grant_table *t = u->grant;
    uint32_t mapped = 0, free = 0;

    if (!t)
        return;
    for (uint32_t handle = 0; handle < t->nr_handles; handle++) {
        uint16_t flags = grant_handle(t, handle)->flags;

        mapped += (flags & MAP_KINDS) != 0;
        if (flags & MAP_KINDS << MAP_ENDING_SHIFT)
            complain(c, "domain %u: handle %u is about to end (flags %x), and nobody ends it\n", u->domid,
                     handle, flags);
        if (flags & MAP_KINDS)
            check_handle(c, u, handle);
    }
    for (uint32_t h = t->free_handle; h < t->nr_handles && free <= t->nr_handles; h = grant_handle(t, h)->ref)
        free++;
    if (mapped != t->nr_mapped || mapped + free != t->nr_handles)
        complain(c, "domain %u: %u handles map, %u by its count, %u are free, of %u\n", u->domid, mapped,
                 t->nr_mapped, free, t->nr_handles);
}

static void check_grants(struct check *c, const struct domain *d)
{
    const struct grant_table *t = d->grant;
    uint32_t used = 0;

    for (uint32_t ref = 0; ref < t->nr_entries; ref++) {
        struct grant_active *a = grant_active(t, ref);
        uint32_t ro = a->pins / PIN_DEV_RO & 0xff, rw = a->pins / PIN_DEV_RW & 0xff;
        uint32_t pins = (a->pins & 0xff) + (a->pins / PIN_HOST_RW & 0xff) + ro + rw;

        used += pins != 0;
        if (pins != a->seen)
            complain(c, "domain %u: grant %u has %u uses, handles say %u\n", d->domid, ref, pins, a->seen);
        a->seen = 0;
        if ((ro || rw) && !is_frame_of(d, a->mfn))
            complain(c, "domain %u: grant %u is frame %lx, not its own, and a device has it\n", d->domid, ref,
                     a->mfn);
        while (ro--)
            check_holds(c, MFN(a->mfn), FT_NONE, "a device by grant", ref);
        while (rw--)
            check_holds(c, MFN(a->mfn), FT_WRITABLE, "a device by grant", ref);
    }
    if (used != t->nr_active)
        complain(c, "domain %u: %u grants in use, %u by its count\n", d->domid, used, t->nr_active);
}

/* ---- Vcpus ---- */

static void check_held(struct check *c, const struct vcpu *v)
{
    if (v->arch.cr3_kernel)
        check_holds(c, maddr_to_mfn(v->arch.cr3_kernel), FT_L4, "kernel root of vcpu", v->id);
    if (v->arch.cr3_user)
        check_holds(c, maddr_to_mfn(v->arch.cr3_user), FT_L4, "user root of vcpu", v->id);
    for (unsigned int i = 0; i < DIV_ROUND_UP(v->arch.gdt_entries, 512u); i++)
        check_holds(c, MFN(v->arch.gdt_mfns[i]), FT_DESC, "GDT of vcpu", v->id);
    for (unsigned int i = 0; i < ARRAY_SIZE(v->arch.ldt_mfns); i++)
        if (v->arch.ldt_mfns[i])
            check_holds(c, MFN(v->arch.ldt_mfns[i]), FT_DESC, "LDT of vcpu", v->id);
    if (v->info_mfn != INVALID_MFN.v)
        check_holds(c, MFN(v->info_mfn), FT_WRITABLE, "vcpu_info of vcpu", v->id);
}

static void check_timer(struct check *c, const struct vcpu *v, const struct timer *t)
{
    if (t->armed && !(t->node.next->prev == &t->node && t->node.prev->next == &t->node))
        complain(c, "domain %u vcpu %u: a timer is armed and on no list\n", v->domain->domid, v->id);
}

static void check_vcpu(struct check *c, const struct vcpu *v)
{
    const struct domain *d = v->domain;
    const struct sched_vcpu *s = &v->sched;
    const void *info = v->info_mfn == INVALID_MFN.v
                           ? (const char *)d->shared + offsetof(struct shared_info, vcpu_info[0]) +
                                 v->id * sizeof(struct vcpu_info)
                           : (const char *)mfn_to_virt(MFN(v->info_mfn)) + (uint64_t)v->info % PAGE_SIZE;
    bool queued = !list_empty(&s->node), ready = s->state == VS_RUNNABLE && !s->pause;

    check_held(c, v);
    check_timer(c, v, &v->singleshot);
    check_timer(c, v, &v->periodic);
    check_timer(c, v, &v->poll_timer);
    if (v->info != info)
        complain(c, "domain %u vcpu %u: its vcpu_info is at %lx, not %lx\n", d->domid, v->id,
                 (uint64_t)v->info, (uint64_t)info);
    if (queued != ready || s->state > VS_RUNNING)
        complain(c, "domain %u vcpu %u: state %u, pause %x, %s a run queue\n", d->domid, v->id, s->state,
                 s->pause, queued ? "in" : "not in");
    if (s->state == VS_RUNNING && !s->on_cpu)
        complain(c, "domain %u vcpu %u: it runs, and on no CPU\n", d->domid, v->id);
    if (test_bit(v->id, &d->evtchn.pollers) && s->state != VS_BLOCKED)
        complain(c, "domain %u vcpu %u: it polls, and is not blocked\n", d->domid, v->id);
    for (unsigned int virq = 0; virq < NR_VIRQS; virq++) {
        const struct evtchn *e = evtchn_port(&d->evtchn, v->virq_port[virq]);

        if (v->virq_port[virq] && !(e && e->state == ECS_VIRQ && e->virq == virq))
            complain(c, "domain %u vcpu %u: VIRQ %u has port %u, which is none of it\n", d->domid, v->id,
                     virq, v->virq_port[virq]);
    }
}

/* ---- All ---- */

static void check_lock(struct check *c, const struct domain *d, const struct lock *l, const char *name)
{
    if (lock_is_taken(l))
        complain(c, "domain %u: its %s lock is taken\n", d->domid, name);
}

void check_domain_state(struct check *c, const struct domain *d)
{
    check_lock(c, d, &d->lock, "own");
    check_lock(c, d, &d->page_lock, "page-list");
    check_lock(c, d, &d->evtchn.lock, "event-channel");
    if (d->refs != 2) /* the list's and our caller's */
        complain(c, "domain %u: %u references, with nobody to have one\n", d->domid, d->refs - 2);
    check_ports(c, d);
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            check_vcpu(c, d->vcpu[i]);
    if (!d->grant)
        return;
    check_lock(c, d, &d->grant->lock, "grant");
    check_grants(c, d);
}

void check_cpu(struct check *c, const struct cpu *cpu)
{
    const struct vcpu *v = cpu->vcpu;

    if (cpu->held_locks)
        complain(c, "CPU %u: it holds locks (%x, bits by their order)\n", cpu->id, cpu->held_locks);
    if (lock_is_taken(&domains.lock))
        complain(c, "the lock of the list of domains is taken\n");
    if ((int32_t)(tlb_clock - cpu->tlb_clock) < 0)
        complain(c, "CPU %u: its last flush was at %u of the TLB clock, which is at %u\n", cpu->id,
                 cpu->tlb_clock, tlb_clock);
    if (v && !v->sched.on_cpu && v->domain != &idle_domain)
        complain(c, "CPU %u: domain %u vcpu %u is loaded and doesn't know it\n", cpu->id, v->domain->domid,
                 v->id);
    if (v && v->domain != &idle_domain && cpu->cr3 != v->arch.cr3_kernel && cpu->cr3 != v->arch.cr3_user &&
        cpu->cr3 != hv_l4_maddr())
        complain(c, "CPU %u: CR3 holds %lx, no root of its vcpu's\n", cpu->id, cpu->cr3);
}

#endif
