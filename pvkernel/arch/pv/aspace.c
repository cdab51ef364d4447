/* SPDX-License-Identifier: MIT
 *
 * Address spaces of user programs by the PV ABI. Each has two top-level tables: the kernel's, which also maps
 * the kernel, and the user's, which maps the program only. Both point at the same L3 tables for slots 0 to
 * 255.
 *
 *     slot      kernel's L4            user's L4
 *     0..255    the program            the same L3 tables
 *     256..271  the hypervisor's       the hypervisor's (both left zero by us, filled in when pinned)
 *     272..511  the kernel's tables    nothing
 *
 * Invariant: a page is read-only in the linear mapping before any table points at it as a table, and writable
 * again only after both roots are unpinned and loaded on no vcpu. Missing tables of a new mapping are filled
 * while they are still plain pages, lowest first, so that a single mmu_update hangs the finished piece into
 * the tree and the hypervisor checks it as a whole. Read next: mmu.c; in the hypervisor mm/page_type.c.
 */
#include "pvkernel/arch/pv/mmu.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"

#define USER_SLOTS   256
#define KERNEL_SLOTS 272 /* the first of them */
#define GONE_MAX     MMU_BATCH

struct arch_aspace {
    uint64_t *kernel_l4, *user_l4;
    uint64_t vcpus; /* that have it loaded, a bit each: those whose TLB may hold something of it */
    bool leaving;   /* arch_aspace_destroy waits until they have not */
};

static struct arch_aspace *loaded[CPUS_MAX]; /* by vcpu; NULL: the boot tables. Interrupts off. */

/* With interrupts off: stock Xen may stop in the middle of an unpin, and the vcpu that began has to go on. A
 * thread that moved to another meanwhile would return with the tables half undone: making them writable gives
 * -EBUSY. */
static void mmuext(struct mmuext_op *op, unsigned n)
{
    unsigned done = 0;
    bool on = arch_irq_save();
    long error = HYPERVISOR_mmuext_op(op, n, &done, DOMID_SELF);
    arch_irq_restore(on);
    if (error)
        panic("mmuext_op %u on frame 0x%lx gave %ld", op[done < n ? done : 0].cmd,
              (unsigned long)op[done < n ? done : 0].arg1.mfn, error);
    mmu_count(0);
}

static void root_ops(struct arch_aspace *as, unsigned kernel_op, unsigned user_op)
{
    struct mmuext_op op[2] = {
        { .cmd = kernel_op, .arg1.mfn = pv_virt_to_mfn(as ? as->kernel_l4 : pv_kernel_l4()).v },
        { .cmd = user_op, .arg1.mfn = as ? pv_virt_to_mfn(as->user_l4).v : 0 },
    };
    mmuext(op, 2);
}

struct arch_aspace *arch_aspace_make(void)
{
    struct arch_aspace *as = kzalloc(sizeof(*as));
    uint64_t *k = page_zalloc(), *u = page_zalloc();
    if (!as || !k || !u) {
        kfree(as);
        if (k)
            page_put(k);
        if (u)
            page_put(u);
        return NULL;
    }
    as->kernel_l4 = k;
    as->user_l4 = u;
    memcpy(k + KERNEL_SLOTS, pv_kernel_l4() + KERNEL_SLOTS, (512 - KERNEL_SLOTS) * sizeof(*k));
    mmu_protect((void *[]){ k, u }, 2, true);
    root_ops(as, MMUEXT_PIN_L4_TABLE, MMUEXT_PIN_L4_TABLE);
    return as;
}

void arch_aspace_switch(struct arch_aspace *as)
{
    unsigned self = pv_vcpu_id();
    struct arch_aspace *old = loaded[self];
    if (old == as)
        return;
    if (as)
        __atomic_fetch_or(&as->vcpus, 1ull << self, __ATOMIC_RELAXED);
    root_ops(as, MMUEXT_NEW_BASEPTR, MMUEXT_NEW_USER_BASEPTR);
    loaded[self] = as;
    if (old) /* the last touch: it may be freed now */
        __atomic_fetch_and(&old->vcpus, ~(1ull << self), __ATOMIC_RELEASE);
}

void pv_aspace_look(void)
{
    struct arch_aspace *as = loaded[pv_vcpu_id()];
    if (as && __atomic_load_n(&as->leaving, __ATOMIC_ACQUIRE))
        arch_aspace_switch(NULL);
}

/* Until no vcpu has it loaded: here it is switched away from, others are told. A vcpu loads another by itself
 * at the next program that runs there. */
static void leave(struct arch_aspace *as)
{
    uint64_t vcpus;
    bool on = arch_irq_save();
    __atomic_store_n(&as->leaving, true, __ATOMIC_RELEASE);
    pv_aspace_look();
    vcpus = __atomic_load_n(&as->vcpus, __ATOMIC_ACQUIRE);
    arch_irq_restore(on);
    for (unsigned i = 0; i < CPUS_MAX; i++)
        if (vcpus >> i & 1)
            arch_cpu_kick(i);
    for (unsigned n = 0; __atomic_load_n(&as->vcpus, __ATOMIC_ACQUIRE); n++)
        arch_spin(n);
}

/* After entries of `as` were changed: what vcpus have cached of them goes, for one page or (va 0) all. */
static void flush(struct arch_aspace *as, uintptr_t va)
{
    const uint64_t vcpus = __atomic_load_n(&as->vcpus, __ATOMIC_SEQ_CST);
    struct mmuext_op op = { .cmd = va ? MMUEXT_INVLPG_LOCAL : MMUEXT_TLB_FLUSH_LOCAL,
                            .arg1.linear_addr = va };
    if (!vcpus)
        return;
    if (pv_several) { /* also if it is this one alone: the thread may be on another by the time of the call */
        op.cmd = va ? MMUEXT_INVLPG_MULTI : MMUEXT_TLB_FLUSH_MULTI;
        set_xen_guest_handle(op.arg2.vcpumask, (const void *)&vcpus);
    }
    mmuext(&op, 1);
}

/* The tables below an entry are plain pages again: makes them writable and frees them. */
static void free_below(uint64_t entry, unsigned level)
{
    if (!(entry & PTE_P))
        return;
    uint64_t *table = pv_mfn_to_virt(pv_pte_mfn(entry));
    for (unsigned i = 0; level > 1 && i < 512; i++)
        free_below(table[i], level - 1);
    mmu_protect((void *[]){ table }, 1, false);
    page_put(table);
}

void arch_aspace_destroy(struct arch_aspace *as)
{
    leave(as);
    root_ops(as, MMUEXT_UNPIN_TABLE, MMUEXT_UNPIN_TABLE);
    for (unsigned i = 0; i < USER_SLOTS; i++)
        free_below(as->user_l4[i], 3);
    mmu_protect((void *[]){ as->kernel_l4, as->user_l4 }, 2, false);
    page_put(as->kernel_l4);
    page_put(as->user_l4);
    kfree(as);
}

/* Descends towards the L1 entry of va. Returns the lowest entry that there is; *level: the table that holds
 * it. */
static uint64_t *descend(struct arch_aspace *as, uintptr_t va, unsigned *level)
{
    uint64_t *entry = &as->user_l4[pv_pt_index(va, 4)];
    for (*level = 4; *level > 1 && *entry & PTE_P; --*level) {
        uint64_t *table = pv_mfn_to_virt(pv_pte_mfn(*entry));
        entry = &table[pv_pt_index(va, *level - 1)];
    }
    return entry;
}

static uint64_t leaf(void *page, unsigned prot)
{
    return pv_pte(pv_virt_to_mfn(page),
                  PTE_P | PTE_US | (prot & MAP_WRITE ? PTE_RW : 0) | (prot & MAP_EXEC ? 0 : PTE_NX));
}

int arch_aspace_map(struct arch_aspace *as, uintptr_t va, void *page, unsigned prot)
{
    struct mmu_batch batch = { .n = 0 };
    void *tables[3];
    unsigned level, n = 0;
    uint64_t value = leaf(page, prot);
    uint64_t *entry = descend(as, va, &level);
    bool replaced = *entry & PTE_P;
    for (unsigned l = 1; l < level; l++) {
        uint64_t *table = page_zalloc();
        if (!table) {
            while (n)
                page_put(tables[--n]);
            return -KE_NOMEM;
        }
        table[pv_pt_index(va, l)] = value;
        value = pv_pte(pv_virt_to_mfn(table), PTE_TABLE);
        tables[n++] = table;
    }
    if (n)
        mmu_protect(tables, n, true);
    mmu_set(&batch, entry, value);
    if (level == 4) /* the kernel's root sees it too */
        mmu_set(&batch, &as->kernel_l4[pv_pt_index(va, 4)], value);
    mmu_commit(&batch);
    if (replaced)
        flush(as, va);
    return 0;
}

/* Carries out the clearing, and only when no translation is left gives the pages back. */
static void finish_unmap(struct arch_aspace *as, struct mmu_batch *b, void **pages, unsigned n,
                         void (*gone)(void *))
{
    mmu_commit(b);
    if (n)
        flush(as, 0);
    for (unsigned i = 0; i < n; i++)
        gone(pages[i]);
}

size_t arch_aspace_unmap(struct arch_aspace *as, uintptr_t start, uintptr_t end, void (*gone)(void *page))
{
    struct mmu_batch batch = { .n = 0 };
    void *pages[GONE_MAX];
    unsigned level, n = 0;
    size_t total = 0;
    for (uintptr_t va = start; va < end;) {
        uint64_t *entry = descend(as, va, &level);
        if (*entry & PTE_P) {
            pages[n++] = pv_mfn_to_virt(pv_pte_mfn(*entry));
            mmu_set(&batch, entry, 0);
            total++;
        }
        if (n == GONE_MAX) {
            finish_unmap(as, &batch, pages, n, gone);
            n = 0;
        }
        uintptr_t step = PAGE_SIZE << (9 * (level - 1)); /* what the missing entry spans */
        va = (va & ~(step - 1)) + step;
    }
    finish_unmap(as, &batch, pages, n, gone);
    return total;
}

void *arch_aspace_lookup(struct arch_aspace *as, uintptr_t va, unsigned *prot)
{
    unsigned level;
    uint64_t *entry = descend(as, va, &level);
    if (!(*entry & PTE_P))
        return NULL;
    if (prot)
        *prot = MAP_READ | (*entry & PTE_RW ? MAP_WRITE : 0u) | (*entry & PTE_NX ? 0u : MAP_EXEC);
    return pv_mfn_to_virt(pv_pte_mfn(*entry));
}
