/* SPDX-License-Identifier: MIT
 *
 * Vcpus: creation, their timers, and where their vcpu_info lies.
 *
 * Three timers each: the single-shot one (set_timer_op), the periodic one (100 Hz from the start, as PV
 * guests expect), and the time-out of SCHEDOP_poll. All end in VIRQ_TIMER or in a wake-up. The periodic timer
 * runs only while somebody listens, that is while VIRQ_TIMER is bound, so a guest without it pays nothing.
 */
#include "domain/domain.h"
#include "lib/bits.h"
#include "lib/string.h"

#define DEFAULT_PERIOD 10000000 /* ns */
#define VCPU_PAGES     3        /* itself, and those of switch_init_vcpu() */

static void singleshot_over(void *arg)
{
    const struct vcpu *v = arg;

    evtchn_send_virq(v->domain, v->id, VIRQ_TIMER);
}

static void period_over(void *arg)
{
    struct vcpu *v = arg;
    uint64_t next = v->periodic.deadline + v->period_ns, now = now_ns();

    if (!v->period_ns || !v->virq_port[VIRQ_TIMER])
        return;
    timer_set(&v->periodic, next > now ? next : now + v->period_ns);
    if (vcpu_is_running(v))
        evtchn_send_virq(v->domain, v->id, VIRQ_TIMER);
    else
        v->tick_due = true; /* a vcpu that sleeps is not woken for a tick; it gets one when it runs next */
}

static void poll_over(void *arg)
{
    struct vcpu *v = arg;

    if (test_and_clear_bit(v->id, &v->domain->evtchn.pollers))
        vcpu_wake(v);
}

struct vcpu *vcpu_create(struct domain *d, unsigned int id)
{
    struct vcpu *v = page_alloc();

    if (!v)
        return NULL;
    v->domain = d;
    v->id = id;
    v->kernel_mode = true;
    v->info = &d->shared->vcpu_info[id];
    v->info->evtchn_upcall_mask = 1;
    v->info_mfn = INVALID_MFN.v;
    v->period_ns = DEFAULT_PERIOD;
    timer_init(&v->singleshot, singleshot_over, v);
    timer_init(&v->periodic, period_over, v);
    timer_init(&v->poll_timer, poll_over, v);
    sched_init_vcpu(v);
    time_update_vcpu(v);
    if (switch_init_vcpu(v)) {
        page_free(v);
        return NULL;
    }
    __atomic_add_fetch(&d->heap_pages, VCPU_PAGES, __ATOMIC_RELAXED);
    return v;
}

void vcpu_set_period(struct vcpu *v, uint64_t period_ns)
{
    v->period_ns = period_ns;
    v->tick_due = false;
    if (period_ns && v->virq_port[VIRQ_TIMER])
        timer_set(&v->periodic, now_ns() + period_ns);
    else
        timer_stop(&v->periodic);
}

int vcpu_place_info(struct vcpu *v, mfn_t m, uint32_t offset)
{
    struct vcpu_info *info = (struct vcpu_info *)((char *)mfn_to_virt(m) + offset);
    int rc = get_frame_type(v->domain, m, FT_WRITABLE);

    if (rc)
        return rc;
    lock_take(&v->domain->evtchn.lock); /* another vcpu may place it too */
    if (v->info_mfn == INVALID_MFN.v) {
        memcpy(info, v->info, sizeof(*info));
        v->info_mfn = m.v;
        __atomic_store_n(&v->info, info, __ATOMIC_RELEASE);
    } else {
        rc = refuse(-EINVAL, R_VCPU_INFO_SET, v->id, 0);
    }
    lock_drop(&v->domain->evtchn.lock);
    if (rc) {
        put_frame_type(m);
        return rc;
    }
    /* Other domains' events come without that lock, first the port's bit, then what is in v->info: those that
     * went to the old place, in shared_info, are found because all is pending. */
    info->evtchn_pending_sel = ~0UL;
    __atomic_store_n(&info->evtchn_upcall_pending, 1, __ATOMIC_RELEASE);
    time_update_vcpu(v);
    return 0;
}

void vcpu_stop(struct vcpu *v)
{
    WRITE_ONCE(v->period_ns, 0);
    timer_finish(&v->singleshot);
    timer_finish(&v->periodic);
    timer_finish(&v->poll_timer);
    vcpu_down(v);
}

void vcpu_drop_info(struct vcpu *v)
{
    if (v->info_mfn == INVALID_MFN.v)
        return;
    v->info = &v->domain->shared->vcpu_info[v->id];
    put_frame_type(MFN(v->info_mfn));
    v->info_mfn = INVALID_MFN.v;
}

void vcpu_free(struct vcpu *v)
{
    switch_free_vcpu(v);
    page_free(v);
}

_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE, "a vcpu is a page");
