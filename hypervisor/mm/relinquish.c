/* SPDX-License-Identifier: MIT
 *
 * The end of a domain's memory, in steps that stop when something else waits.
 *
 * First nobody uses a table as such any more: roots, descriptor tables, pins and half-done work are dropped,
 * frame by frame, each frame moving from page_list to done_list. Levels strictly descend, so after that every
 * type count has gone down to what other domains hold. Then each frame loses the reference that was its
 * owner's; those that others still map go back to page_list and wait for the last unmap.
 *
 * No vcpu of the domain runs. Where the walk stands is told by the lists alone.
 */
#include "hypercall/hypercall.h"
#include "mm/descriptor.h"
#include "mm/page_type.h"
#include "mm/paging.h"
#include "mm/tlb.h"
#include "x86/cpu.h"

#define FRAMES_A_LOOK 4 /* frames between two looks whether something waits */

static void drop_root(uint64_t *root)
{
    uint64_t maddr = *root;

    if (!maddr)
        return;
    *root = 0;
    put_frame_type(maddr_to_mfn(maddr));
}

static void drop_vcpu(struct vcpu *v)
{
    drop_root(&v->arch.cr3_kernel);
    drop_root(&v->arch.cr3_user);
    ldt_set(v, 0, 0);
    gdt_release(v);
}

/* From the front of one list to the other; unless its last reference, which may be another CPU's, was
 * dropped.
 */
static void move(struct domain *d, mfn_t m, const uint32_t *from, uint32_t *to)
{
    lock_take(&d->page_lock);
    if (*from == m.v)
        frame_list_move(d, m, to);
    lock_drop(&d->page_lock);
}

/* Under the lock: who had one given before the domain was dying is out of it. */
static mfn_t first_of(struct domain *d, const uint32_t *list)
{
    mfn_t m;

    lock_take(&d->page_lock);
    m = MFN(*list);
    lock_drop(&d->page_lock);
    return m;
}

int paging_relinquish(struct domain *d)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i]) {
            drop_vcpu(d->vcpu[i]);
            cpu_window();
        }
    for (;;) {
        mfn_t m;

        if (paging_finish(d))
            return -ERESTART;
        m = first_of(d, &d->page_list);
        if (!m.v)
            return 0;
        if (abandon_table(d, m))
            return -ERESTART;
        move(d, m, &d->page_list, &d->done_list);
        if (!(++n % FRAMES_A_LOOK) && preempt_pending())
            return -ERESTART;
    }
}

int domain_frames_relinquish(struct domain *d)
{
    unsigned int n = 0;
    mfn_t m;

    while ((m = first_of(d, &d->done_list)).v) {
        (void)!domain_frame_release(d, m); /* the guest may have done that before */
        move(d, m, &d->done_list, &d->page_list);
        if (!(++n % FRAMES_A_LOOK) && preempt_pending())
            return -ERESTART;
    }
    return 0;
}
