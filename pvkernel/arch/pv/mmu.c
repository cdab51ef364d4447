/* SPDX-License-Identifier: MIT
 *
 * Batches of mmu_update, and multicalls of update_va_mapping. Read next: aspace.c, which builds address
 * spaces on them.
 */
#include "pvkernel/arch/pv/mmu.h"
#include "libpv/hypercall.h"
#include "pvkernel/core/lib.h"

uint64_t mmu_calls, mmu_entries;

void mmu_count(unsigned entries)
{
    __atomic_fetch_add(&mmu_calls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&mmu_entries, entries, __ATOMIC_RELAXED);
}

void mmu_commit(struct mmu_batch *b)
{
    unsigned done = 0;
    if (!b->n)
        return;
    long error = HYPERVISOR_mmu_update(b->request, b->n, &done, DOMID_SELF);
    if (error)
        panic("mmu_update: request %u of %u (entry at machine address 0x%lx := 0x%lx) gave %ld", done, b->n,
              b->request[done < b->n ? done : 0].ptr, b->request[done < b->n ? done : 0].val, error);
    mmu_count(b->n);
    b->n = 0;
}

void mmu_set(struct mmu_batch *b, uint64_t *entry, uint64_t value)
{
    if (b->n == MMU_BATCH)
        mmu_commit(b);
    b->request[b->n++] =
        (struct mmu_update){ .ptr = pv_virt_to_maddr(entry).v | MMU_NORMAL_PT_UPDATE, .val = value };
}

static void protect_some(void *const *pages, unsigned n, bool readonly)
{
    struct multicall_entry call[32];
    for (unsigned i = 0; i < n; i++)
        call[i] = (struct multicall_entry){
            .op = __HYPERVISOR_update_va_mapping,
            .args = { (unsigned long)pages[i],
                      pv_pte(pv_virt_to_mfn(pages[i]), readonly ? PTE_KERNEL_RO : PTE_KERNEL), UVMF_INVLPG },
        };
    long error = HYPERVISOR_multicall(call, n);
    for (unsigned i = 0; i < n && !error; i++)
        error = (long)call[i].result;
    if (error)
        panic("making %u pages from %p on %s gave %ld", n, pages[0], readonly ? "read-only" : "writable",
              error);
    mmu_count(n);
}

void mmu_protect(void *const *pages, unsigned n, bool readonly)
{
    for (unsigned i = 0; i < n; i += 32)
        protect_some(pages + i, n - i < 32 ? n - i : 32, readonly);
}
