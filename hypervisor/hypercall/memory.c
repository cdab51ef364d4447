/* SPDX-License-Identifier: MIT
 *
 * memory_op: a domain's reservation of frames, and what it may know about the machine's memory. The frames
 * themselves are mm/domain_frames.c's. Source: xen/memory.h.
 *
 * The reservation calls work through a list of extents and return how many they did, whatever stopped them;
 * they never give an errno. Progress of a preempted call travels in the bits of the command above the
 * sub-operation, as the ABI has it.
 *
 * XENMEM_exchange trades frames for others, to get contiguous ones. Chunk by chunk: the smallest number of
 * extents on both sides that is the same amount of memory. A chunk's frames are stolen from the domain first
 * (they must be mapped nowhere); when new ones can't be had, they are given back, so that a chunk happens
 * whole or not at all. Stolen frames are nobody's and linked by their own `next`, the list's head is on the
 * stack.
 */
#include "hypercall/hypercall.h"
#include "boot/boot.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/paging.h"
#include "x86/cpu.h"
#include <xen/memory.h>

#define OP_BITS       6
#define OP_MASK       ((1UL << OP_BITS) - 1)

#define FRAMES_A_LOOK 16

static int target(uint32_t op, uint16_t domid, struct domain **d)
{
    return get_target_domain(__HYPERVISOR_memory_op, op, domid, d);
}

/* The largest extents that the caller may ask for: 2 MiB; domain 0: what there is (as stock Xen's defaults).
 */
static unsigned int max_order(void)
{
    return current->domain->privileged ? HEAP_MAX_ORDER : 9;
}

/* Before long extents are allocated: frames that others left are zeroed here, where it can stop. -ERESTART.
 */
static int clean(unsigned int order)
{
    while (order > 3 && frames_scrub_step())
        if (preempt_pending())
            return -ERESTART;
    return 0;
}

/* Before the i-th frame or extent of a chunk: interrupts may come. The call can't be left in the middle of
 * one. */
static void look(uint64_t i)
{
    if (i % FRAMES_A_LOOK == FRAMES_A_LOOK - 1)
        cpu_window();
}

/* One extent of each call. guest: the address of its number in the list; 0: there is none. */

static int increase(struct domain *d, unsigned int order, uint64_t guest)
{
    mfn_t m = domain_frames_alloc(d, order);

    if (m.v == INVALID_MFN.v)
        return refuse(-ENOMEM, R_NO_MEMORY, 1UL << order, d->domid);
    return guest && put_guest_u64(m.v, guest) ? refuse(-EFAULT, R_BAD_POINTER, guest, 0) : 0;
}

/* The first pfn stands where the first mfn will. */
static int populate(struct domain *d, unsigned int order, uint64_t guest)
{
    uint64_t pfn;
    mfn_t m;

    if (get_guest_u64(&pfn, guest))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    m = domain_frames_alloc(d, order);
    if (m.v == INVALID_MFN.v)
        return refuse(-ENOMEM, R_NO_MEMORY, 1UL << order, d->domid);
    for (uint64_t i = 0; i < 1UL << order; i++) {
        look(i);
        if (get_frame(d, MFN(m.v + i))) { /* else another vcpu has guessed it, and given it back */
            m2p_set(MFN(m.v + i), PFN(pfn + i));
            put_frame(MFN(m.v + i));
        }
    }
    return put_guest_u64(m.v, guest) ? refuse(-EFAULT, R_BAD_POINTER, guest, 0) : 0;
}

static int decrease(struct domain *d, unsigned int order, uint64_t guest)
{
    uint64_t first;

    if (get_guest_u64(&first, guest))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    for (uint64_t i = 0; i < 1UL << order; i++) {
        mfn_t m = MFN(first + i);

        look(i);
        if (!mfn_valid(m) || !get_frame(d, m))
            return refuse(-EINVAL, R_FRAME_FOREIGN, m.v, d->domid);
        if (domain_frame_release(d, m))
            m2p_set(m, INVALID_PFN);
        put_frame(m);
    }
    return 0;
}

/* Takes an extent's frames from d and puts them on *list. */
static int steal(struct domain *d, unsigned int order, uint64_t guest, uint64_t *list)
{
    uint64_t first;

    if (get_guest_u64(&first, guest))
        return refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    for (uint64_t i = 0; i < 1UL << order; i++) {
        mfn_t m = MFN(first + i);

        look(i);
        if (!mfn_valid(m) || !domain_frame_steal(d, m))
            return refuse(-EINVAL, R_FRAME_NOT_GIVABLE, m.v, 0);
        frame_of(m)->next = (uint32_t)*list;
        *list = m.v;
    }
    return 0;
}

static int (*const extent_fns[])(struct domain *d, unsigned int order, uint64_t guest) = {
    [XENMEM_increase_reservation] = increase,
    [XENMEM_decrease_reservation] = decrease,
    [XENMEM_populate_physmap] = populate,
};

static long reservation(uint32_t op, uint64_t arg, uint64_t start)
{
    struct xen_memory_reservation r;
    struct domain *d;
    uint64_t i, list;

    if (copy_from_guest(&r, arg, sizeof(r))) {
        (void)refuse(-EFAULT, R_BAD_POINTER, arg, 0);
        return (long)start;
    }
    list = (uint64_t)r.extent_start.p;
    if (r.nr_extents > ~0UL >> OP_BITS || start > r.nr_extents || r.extent_order > max_order() ||
        (list && !guest_range_ok(list, r.nr_extents * 8))) {
        (void)refuse(-EINVAL, R_EXTENTS, r.nr_extents, r.extent_order);
        return (long)start;
    }
    if (target(op, r.domid, &d))
        return (long)start;
    for (i = start; i < r.nr_extents; i++) {
        if ((op != XENMEM_decrease_reservation && clean(r.extent_order)) ||
            (i != start && preempt_pending())) {
            put_domain(d);
            return hypercall_restart(__HYPERVISOR_memory_op, 2, (uint64_t[]){ op | i << OP_BITS, arg });
        }
        if (extent_fns[op](d, r.extent_order, list ? list + i * 8 : 0))
            break;
    }
    put_domain(d);
    return (long)i;
}

/* d: who gets the frames of the list back; NULL: nobody. */
static void end_list(struct domain *d, uint64_t list)
{
    for (uint64_t i = 0; list; i++) {
        uint64_t next = frame_of(MFN(list))->next;

        look(i);
        if (!d || !domain_frame_give(d, MFN(list)))
            domain_frame_discard(MFN(list)); /* not wanted, or the domain dies meanwhile */
        list = next;
    }
}

static int check_exchange(const struct xen_memory_exchange *x)
{
    uint64_t in = (uint64_t)x->in.extent_start.p, out = (uint64_t)x->out.extent_start.p;

    if (MAX(x->in.extent_order, x->out.extent_order) > max_order())
        return refuse(-EPERM, R_EXTENTS, x->in.nr_extents, MAX(x->in.extent_order, x->out.extent_order));
    if (x->nr_exchanged > x->in.nr_extents || x->in.domid != x->out.domid)
        return refuse(-EINVAL, R_EXCHANGE, x->nr_exchanged, x->in.nr_extents);
    if (x->in.nr_extents > ~0UL >> OP_BITS || x->out.nr_extents > ~0UL >> OP_BITS ||
        x->in.nr_extents << x->in.extent_order != x->out.nr_extents << x->out.extent_order)
        return refuse(-EINVAL, R_EXCHANGE, x->in.nr_extents, x->out.nr_extents);
    if (x->nr_exchanged == x->in.nr_extents) /* no list is looked at */
        return 0;
    /* The lists' first numbers; the others by each one's copy. */
    if (!guest_range_ok(in + x->nr_exchanged * 8, 1) || !guest_range_ok(out, 1))
        return refuse(-EFAULT, R_BAD_POINTER, in, out);
    return 0;
}

/* ins extents at `in` for outs extents at `out`. */
static long exchange_chunk(struct domain *d, struct xen_memory_exchange *x, uint64_t in, uint64_t ins,
                           uint64_t out, uint64_t outs)
{
    uint64_t list = 0;
    long rc = clean(x->out.extent_order);

    for (uint64_t i = 0; !rc && i < ins; i++) {
        look(i);
        rc = steal(d, x->in.extent_order, in + i * 8, &list);
    }
    if (rc) {
        end_list(d, list);
        return rc;
    }
    for (uint64_t i = 0; !rc && i < outs; i++) {
        look(i);
        rc = populate(d, x->out.extent_order, out + i * 8);
    }
    end_list(rc == -ENOMEM ? d : NULL, list);
    if (rc != -ENOMEM)
        x->nr_exchanged += ins;
    return rc;
}

/* nr_exchanged is the progress in any case. */
static long exchange(struct vcpu *v, uint32_t op, void *arg)
{
    struct xen_memory_exchange *x = arg;
    unsigned int in_order = x->in.extent_order, out_order = x->out.extent_order;
    uint64_t in = (uint64_t)x->in.extent_start.p, out = (uint64_t)x->out.extent_start.p, ins, outs;
    struct domain *d;
    long rc = check_exchange(x);

    if (!rc && x->nr_exchanged < x->in.nr_extents)
        rc = target(op, x->in.domid, &d);
    if (rc || x->nr_exchanged == x->in.nr_extents)
        return rc;
    ins = out_order > in_order ? 1UL << (out_order - in_order) : 1;
    outs = in_order > out_order ? 1UL << (in_order - out_order) : 1;
    if (x->nr_exchanged % ins)
        rc = refuse(-EINVAL, R_EXCHANGE, x->nr_exchanged, ins);
    for (uint64_t chunk = x->nr_exchanged / ins; !rc && x->nr_exchanged < x->in.nr_extents; chunk++) {
        rc = exchange_chunk(d, x, in + chunk * ins * 8, ins, out + chunk * outs * 8, outs);
        if (!rc && preempt_pending() && x->nr_exchanged < x->in.nr_extents)
            rc = -ERESTART;
    }
    put_domain(d);
    return rc;
}

/* The other sub-operations. */

static long reservation_pages(struct vcpu *v, uint32_t op, void *arg)
{
    struct domain *d;
    long rc = target(op, *(domid_t *)arg, &d);

    if (rc)
        return rc;
    rc = (long)(op == XENMEM_current_reservation ? d->tot_pages : d->max_pages);
    put_domain(d);
    return rc;
}

static long maximum_ram_page(struct vcpu *v, uint32_t op, void *arg)
{
    return (long)max_mfn;
}

/* No domain has a memory map of its own: a PV guest's memory starts at 0 and ends at nr_pages. */
static long memory_map(struct vcpu *v, uint32_t op, void *arg)
{
    return refuse(-ENOSYS, R_NO_MEMORY_MAP, 0, 0);
}

static long machine_memory_map(struct vcpu *v, uint32_t op, void *arg)
{
    struct xen_memory_map *map = arg;
    uint64_t buffer = (uint64_t)map->buffer.p;
    unsigned int n = boot_info.nr_ranges;

    for (unsigned int i = 0; i < n && (!buffer || i < map->nr_entries); i++) {
        const struct boot_range *r = &boot_info.ranges[i];
        struct {
            uint64_t addr, size;
            uint32_t type;
        } __attribute__((packed)) e820 = { r->start, r->end - r->start, 1 /* RAM: nothing else is kept */ };

        if (buffer && copy_to_guest(buffer + i * sizeof(e820), &e820, sizeof(e820)))
            return refuse(-EFAULT, R_BAD_POINTER, buffer, 0);
    }
    if (!buffer || map->nr_entries > n)
        map->nr_entries = n;
    return 0;
}

static long machphys_mapping(struct vcpu *v, uint32_t op, void *arg)
{
    *(struct xen_machphys_mapping *)arg =
        (struct xen_machphys_mapping){ MACH2PHYS_VIRT_START, MACH2PHYS_VIRT_END, max_mfn - 1 };
    return 0;
}

/* The first frame of each 2 MiB of the table. */
static long machphys_mfn_list(struct vcpu *v, uint32_t op, void *arg)
{
    struct xen_machphys_mfn_list *l = arg;
    uint64_t n = MIN(l->max_extents, DIV_ROUND_UP(max_mfn * 8, 2UL << 20));

    for (uint64_t i = 0; i < n; i++) {
        uint64_t mfn = *hv_pte(M2P_RW_VIRT + (i << 21)) >> PAGE_SHIFT & ((1ULL << 40) - 1);

        if (put_guest_u64(mfn, (uint64_t)l->extent_start.p + i * 8))
            return refuse(-EFAULT, R_BAD_POINTER, (uint64_t)l->extent_start.p, 0);
    }
    l->nr_extents = (unsigned int)n;
    return 0;
}

/* A PV guest has no physical address space to add to or remove from; domid is the first field of all. */
_Static_assert(offsetof(struct xen_add_to_physmap, domid) == 0 &&
                   offsetof(struct xen_remove_from_physmap, domid) == 0 &&
                   offsetof(struct xen_add_to_physmap_batch, domid) == 0,
               "physmap() reads it");
static long physmap(struct vcpu *v, uint32_t op, void *arg)
{
    struct domain *d = get_domain_for(v->domain, *(domid_t *)arg);

    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, *(domid_t *)arg, 0);
    put_domain(d);
    return refuse(-EACCES, R_NO_PHYSMAP, 0, 0);
}

static const struct sub_op ops[] = {
    [XENMEM_maximum_ram_page] = { .fn = maximum_ram_page },
    [XENMEM_current_reservation] = { .fn = reservation_pages, IN(domid_t) },
    [XENMEM_maximum_reservation] = { .fn = reservation_pages, IN(domid_t) },
    [XENMEM_machphys_mfn_list] = { .fn = machphys_mfn_list, IN_OUT(struct xen_machphys_mfn_list) },
    [XENMEM_add_to_physmap] = { .fn = physmap, IN(struct xen_add_to_physmap) },
    [XENMEM_memory_map] = { .fn = memory_map, IN(struct xen_memory_map) },
    [XENMEM_machine_memory_map] = { .fn = machine_memory_map,
                                    IN_OUT(struct xen_memory_map),
                                    .privileged = true },
    [XENMEM_exchange] = { .fn = exchange, IN_OUT(struct xen_memory_exchange), .out_always = true },
    [XENMEM_machphys_mapping] = { .fn = machphys_mapping, OUT(struct xen_machphys_mapping) },
    [XENMEM_remove_from_physmap] = { .fn = physmap, IN(struct xen_remove_from_physmap) },
    [XENMEM_add_to_physmap_batch] = { .fn = physmap, IN(struct xen_add_to_physmap_batch) },
};

/* What Xen says to a command with progress in its upper bits (an extent to go on with) that needs none. */
#define PROGRESS_OK (1UL << XENMEM_add_to_physmap | 1UL << XENMEM_add_to_physmap_batch)
#define PROGRESS_ENOSYS                                                                              \
    (1UL << XENMEM_machphys_mfn_list | 1UL << XENMEM_memory_map | 1UL << XENMEM_machine_memory_map | \
     1UL << XENMEM_machphys_mapping)

/* cmd: sub-operation and progress; arg: its structure. Source: memory.h. */
long do_memory_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint32_t op = (uint32_t)(cmd & OP_MASK);

    if (op < ARRAY_SIZE(extent_fns) && extent_fns[op])
        return reservation(op, arg, cmd >> OP_BITS);
    if (cmd >> OP_BITS && op < ARRAY_SIZE(ops) && ops[op].fn && !(PROGRESS_OK >> op & 1))
        return refuse(PROGRESS_ENOSYS >> op & 1 ? -ENOSYS : -EINVAL, R_NO_SUCH_OP, __HYPERVISOR_memory_op,
                      cmd);
    return sub_op(__HYPERVISOR_memory_op, ops, ARRAY_SIZE(ops), current, op, arg);
}
