/* SPDX-License-Identifier: MIT
 *
 * memory_op: a domain's reservation of frames, and what it may know about the machine's memory.
 *
 * The reservation calls work through a list of extents and return how many they did, whatever stopped them;
 * they never give an errno. Progress of a preempted call
 * travels in the bits of the command above the sub-operation, as the ABI has it (memory.h). The frames
 * themselves are mm/domain_frames.c's; XENMEM_exchange is in memory_exchange.c.
 */
#include "boot/boot.h"
#include "domain/domain.h"
#include "domain/refuse.h"
#include "hypercall/hypercall.h"
#include "hypercall/memory.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/paging.h"
#include "x86/copy.h"
#include "x86/percpu.h"
#include <xen/memory.h>

#define OP_MASK ((1UL << MEMOP_OP_BITS) - 1)

int memory_target(uint16_t domid, struct domain **d)
{
    struct domain *caller = current->domain;

    *d = get_domain_for(caller, domid);
    if (!*d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, domid, 0);
    if (*d != caller && !caller->privileged) {
        put_domain(*d);
        return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_memory_op, 0);
    }
    return 0;
}

unsigned int memory_max_order(void)
{
    return current->domain->privileged ? HEAP_MAX_ORDER : 9;
}

/* One extent of each reservation call; guest: the address of its number in the list. False: stop here. */

static bool put_number(mfn_t m, uint64_t guest)
{
    if (!put_guest_u64(m.v, guest))
        return true;
    (void)refuse(-EFAULT, R_BAD_POINTER, guest, 0);
    return false;
}

static bool increase_one(struct domain *d, const struct xen_memory_reservation *r, uint64_t guest)
{
    mfn_t m = domain_frames_alloc(d, r->extent_order);

    if (m.v == INVALID_MFN.v) {
        (void)refuse(-ENOMEM, R_NO_MEMORY, 1UL << r->extent_order, d->domid);
        return false;
    }
    return !guest || put_number(m, guest);
}

static bool populate_one(struct domain *d, const struct xen_memory_reservation *r, uint64_t guest)
{
    uint64_t pfn;
    mfn_t m;

    if (get_guest_u64(&pfn, guest)) {
        (void)refuse(-EFAULT, R_BAD_POINTER, guest, 0);
        return false;
    }
    m = domain_frames_alloc(d, r->extent_order);
    if (m.v == INVALID_MFN.v) {
        (void)refuse(-ENOMEM, R_NO_MEMORY, 1UL << r->extent_order, d->domid);
        return false;
    }
    for (uint64_t i = 0; i < 1UL << r->extent_order; i++)
        m2p_set(MFN(m.v + i), PFN(pfn + i));
    return put_number(m, guest);
}

static bool decrease_one(struct domain *d, const struct xen_memory_reservation *r, uint64_t guest)
{
    uint64_t first;

    if (get_guest_u64(&first, guest)) {
        (void)refuse(-EFAULT, R_BAD_POINTER, guest, 0);
        return false;
    }
    for (uint64_t i = 0; i < 1UL << r->extent_order; i++) {
        mfn_t m = MFN(first + i);

        if (!mfn_valid(m) || !get_frame(d, m)) {
            (void)refuse(-EINVAL, R_FRAME_FOREIGN, m.v, d->domid);
            return false;
        }
        if (domain_frame_release(d, m))
            m2p_set(m, INVALID_PFN);
        put_frame(m);
    }
    return true;
}

/* Before long extents are allocated: frames that others left are zeroed here, where it can stop. -ERESTART.
 */
int memory_clean(unsigned int order)
{
    while (order > 3 && frames_scrub_step())
        if (preempt_pending())
            return -ERESTART;
    return 0;
}

typedef bool (*extent_fn)(struct domain *d, const struct xen_memory_reservation *r, uint64_t guest);

static const extent_fn extent_fns[] = {
    [XENMEM_increase_reservation] = increase_one,
    [XENMEM_decrease_reservation] = decrease_one,
    [XENMEM_populate_physmap] = populate_one,
};

static long reservation(unsigned int op, uint64_t arg, uint64_t start)
{
    struct xen_memory_reservation r;
    struct domain *d;
    uint64_t i, list;

    if (copy_from_guest(&r, arg, sizeof(r))) {
        (void)refuse(-EFAULT, R_BAD_POINTER, arg, 0);
        return (long)start;
    }
    list = (uint64_t)r.extent_start.p;
    if (r.nr_extents > ~0UL >> MEMOP_OP_BITS || start > r.nr_extents || r.extent_order > memory_max_order() ||
        (list && !guest_range_ok(list, r.nr_extents * 8))) {
        (void)refuse(-EINVAL, R_EXTENTS, r.nr_extents, r.extent_order);
        return (long)start;
    }
    if (memory_target(r.domid, &d))
        return (long)start;
    for (i = start; i < r.nr_extents; i++) {
        if ((op != XENMEM_decrease_reservation && memory_clean(r.extent_order)) ||
            (i != start && preempt_pending())) {
            put_domain(d);
            return hypercall_restart(__HYPERVISOR_memory_op, 2, (uint64_t[]){ op | i << MEMOP_OP_BITS, arg });
        }
        if (!extent_fns[op](d, &r, list ? list + i * 8 : 0))
            break;
    }
    put_domain(d);
    return (long)i;
}

/* The other sub-operations: one structure in, perhaps out. */

static long current_reservation(void *arg)
{
    struct domain *d;
    int rc = memory_target(*(domid_t *)arg, &d);
    long pages;

    if (rc)
        return rc;
    pages = (long)d->tot_pages;
    put_domain(d);
    return pages;
}

static long maximum_reservation(void *arg)
{
    struct domain *d;
    int rc = memory_target(*(domid_t *)arg, &d);
    long pages;

    if (rc)
        return rc;
    pages = (long)d->max_pages;
    put_domain(d);
    return pages;
}

static long maximum_ram_page(void *arg)
{
    (void)arg;
    return (long)max_mfn;
}

/* No domain has a memory map of its own: a PV guest's memory starts at 0 and ends at nr_pages. */
static long memory_map(void *arg)
{
    (void)arg;
    return refuse(-ENOSYS, R_NO_MEMORY_MAP, 0, 0);
}

static long machine_memory_map(void *arg)
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

static long machphys_mapping(void *arg)
{
    *(struct xen_machphys_mapping *)arg = (struct xen_machphys_mapping){ .v_start = MACH2PHYS_VIRT_START,
                                                                         .v_end = MACH2PHYS_VIRT_END,
                                                                         .max_mfn = max_mfn - 1 };
    return 0;
}

/* The first frame of each 2 MiB of the table. */
static long machphys_mfn_list(void *arg)
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
static long physmap(void *arg)
{
    struct domain *d = get_domain_for(current->domain, *(domid_t *)arg);

    if (!d)
        return refuse(-ESRCH, R_NO_SUCH_DOMAIN, *(domid_t *)arg, 0);
    put_domain(d);
    return refuse(-EACCES, R_NO_PHYSMAP, 0, 0);
}

/* What Xen says to a command with progress in its upper bits (an extent to go on with) that needs none. */
enum progress { PROGRESS_EINVAL, PROGRESS_ENOSYS, PROGRESS_OK };

struct memory_call {
    long (*fn)(void *arg);
    uint8_t size;
    bool out;
    uint8_t progress; /* enum progress */
    bool control;     /* domain 0's; asked before the argument is looked at */
};

static const struct memory_call calls[] = {
    [XENMEM_maximum_ram_page] = { maximum_ram_page, 0, false, PROGRESS_EINVAL, false },
    [XENMEM_current_reservation] = { current_reservation, sizeof(domid_t), false, PROGRESS_EINVAL, false },
    [XENMEM_maximum_reservation] = { maximum_reservation, sizeof(domid_t), false, PROGRESS_EINVAL, false },
    [XENMEM_machphys_mfn_list] = { machphys_mfn_list, sizeof(struct xen_machphys_mfn_list), true,
                                   PROGRESS_ENOSYS, false },
    [XENMEM_add_to_physmap] = { physmap, sizeof(struct xen_add_to_physmap), false, PROGRESS_OK, false },
    [XENMEM_memory_map] = { memory_map, sizeof(struct xen_memory_map), false, PROGRESS_ENOSYS, false },
    [XENMEM_machine_memory_map] = { machine_memory_map, sizeof(struct xen_memory_map), true, PROGRESS_ENOSYS,
                                    true },
    [XENMEM_exchange] = { memory_exchange, sizeof(struct xen_memory_exchange), true, PROGRESS_EINVAL, false },
    [XENMEM_machphys_mapping] = { machphys_mapping, sizeof(struct xen_machphys_mapping), true,
                                  PROGRESS_ENOSYS, false },
    [XENMEM_remove_from_physmap] = { physmap, sizeof(struct xen_remove_from_physmap), false, PROGRESS_EINVAL,
                                     false },
    [XENMEM_add_to_physmap_batch] = { physmap, sizeof(struct xen_add_to_physmap_batch), false, PROGRESS_OK,
                                      false },
};

/* memory_op(sub-operation and progress, argument): source memory.h. */
long do_memory_op(uint64_t cmd, uint64_t arg, uint64_t a3, uint64_t a4, uint64_t a5)
{
    union {
        char bytes[96];
        uint64_t align;
    } buf;
    unsigned int op = (unsigned int)(cmd & OP_MASK);
    const struct memory_call *call;
    long rc;

    (void)a3, (void)a4, (void)a5;
    if (op < ARRAY_SIZE(extent_fns) && extent_fns[op])
        return reservation(op, arg, cmd >> MEMOP_OP_BITS);
    if (op >= ARRAY_SIZE(calls) || !calls[op].fn)
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_memory_op, op);
    call = &calls[op];
    if (cmd >> MEMOP_OP_BITS && call->progress != PROGRESS_OK)
        return refuse(call->progress == PROGRESS_EINVAL ? -EINVAL : -ENOSYS, R_NO_SUCH_OP,
                      __HYPERVISOR_memory_op, cmd);
    if (call->control && !current->domain->privileged)
        return refuse(-EPERM, R_NOT_PRIVILEGED, __HYPERVISOR_memory_op, op);
    _Static_assert(sizeof(struct xen_memory_exchange) <= sizeof(buf), "the largest argument");
    if (call->size && copy_from_guest(&buf, arg, call->size))
        return refuse(-EFAULT, R_BAD_POINTER, arg, 0);
    rc = call->fn(&buf);
    if (call->out && (rc >= 0 || op == XENMEM_exchange) && copy_to_guest(arg, &buf, call->size))
        return refuse(-EFAULT, R_BAD_POINTER, arg, 0);
    return rc == -ERESTART ? hypercall_restart(__HYPERVISOR_memory_op, 2, (uint64_t[]){ cmd, arg }) : rc;
}
