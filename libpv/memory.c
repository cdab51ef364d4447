/* SPDX-License-Identifier: MIT
 *
 * The linear mapping of all of the domain's memory, walks over the kernel's page tables, and the early pages.
 *
 * Invariant: a page is made read-only in the linear mapping before it becomes a page table, and stays so; the
 * hypervisor would refuse it otherwise (xen.h, mmu_update). Entries are read through the linear mapping and
 * written by hypercalls. The only mapping of the builder that matters here is that of the image and what
 * follows up to a 4 MiB boundary.
 */
#include "libpv/memory.h"
#include "libpv/errno.h"
#include "libpv/hypercall.h"
#include "libpv/lock.h"
#include "libpv/print.h"
#include "libpv/shutdown.h"
#include "libpv/start.h"
#include "libpv/string.h"

static uint64_t *kernel_l4;

/* tables_lock: who makes tables of the kernel, or reserves address space. pages_lock, inside of it: the pages
 * below. */
static struct pv_lock tables_lock, pages_lock;

/* Fresh pages: frames [next, mapped) of the linear mapping; freed pages are a list through their first words.
 */
static unsigned long next, mapped;
static void **freed;
static unsigned long nr_freed;
static unsigned long reserved_to = PV_VIRT_BASE + PV_LINEAR_MAX;
void *(*pv_page_source)(void);

unsigned long pv_nr_pages(void)
{
    return pv_start_info->nr_pages;
}

mfn_t pv_pfn_to_mfn(pfn_t p)
{
    return mfn(((unsigned long *)pv_start_info->mfn_list)[p.v]);
}

void pv_set_p2m(pfn_t p, mfn_t m)
{
    ((unsigned long *)pv_start_info->mfn_list)[p.v] = m.v;
}

pfn_t pv_mfn_to_pfn(mfn_t m)
{
    return pfn(machine_to_phys_mapping[m.v]);
}

uint64_t *pv_kernel_l4(void)
{
    return kernel_l4;
}

void pv_set_kernel_l4(uint64_t *l4)
{
    kernel_l4 = l4;
}

uint64_t *pv_walk_level(unsigned long va, unsigned int level)
{
    uint64_t *table = kernel_l4;

    for (unsigned int l = 4; l > level; l--) {
        uint64_t entry = table[pv_pt_index(va, l)];

        if (!(entry & PTE_P))
            return NULL;
        table = pv_mfn_to_virt(pv_pte_mfn(entry));
    }
    return &table[pv_pt_index(va, level)];
}

uint64_t *pv_walk(unsigned long va)
{
    return pv_walk_level(va, 1);
}

maddr_t pv_walk_maddr(unsigned long va)
{
    uint64_t *entry = pv_walk(va);

    return entry ? pv_virt_to_maddr(entry) : (maddr_t){ 0 };
}

int pv_map(unsigned long va, uint64_t pte)
{
    return (int)HYPERVISOR_update_va_mapping(va, pte, UVMF_INVLPG);
}

int pv_set_readonly(const void *page, bool readonly)
{
    return pv_map((unsigned long)page, pv_pte(pv_virt_to_mfn(page), readonly ? PTE_KERNEL_RO : PTE_KERNEL));
}

int pv_write_entry(uint64_t *entry, uint64_t val)
{
    struct mmu_update u = { .ptr = pv_virt_to_maddr(entry).v | MMU_NORMAL_PT_UPDATE, .val = val };

    return (int)HYPERVISOR_mmu_update(&u, 1, NULL, DOMID_SELF);
}

/* Makes a filled page a table and enters it into the table above. */
static int enter_table(uint64_t *parent, void *page)
{
    int err = pv_set_readonly(page, true);

    return err ? err : pv_write_entry(parent, pv_pte(pv_virt_to_mfn(page), PTE_TABLE));
}

/* Makes the missing tables above the L1 of va, and that L1 unless it stops at level 2. */
static int make_levels(unsigned long va, unsigned int lowest)
{
    for (unsigned int level = 4; level > lowest; level--) {
        uint64_t *entry = pv_walk_level(va, level);
        void *page;
        int err;

        if (*entry & PTE_P)
            continue;
        page = pv_page_alloc();
        if (!page)
            return -ENOMEM;
        err = enter_table(entry, page);
        if (err)
            return err;
    }
    return 0;
}

static int make_tables(unsigned long va, unsigned long size)
{
    unsigned long last = va + size - 1;

    for (va &= ~0x1fffffUL;; va += 0x200000) {
        int err = make_levels(va, 1);

        if (err || (last & ~0x1fffffUL) == va)
            return err;
    }
}

int pv_make_tables(unsigned long va, unsigned long size)
{
    bool events = pv_lock_take(&tables_lock);
    int err = make_tables(va, size);

    pv_lock_drop(&tables_lock, events);
    return err;
}

void *pv_vaddr_reserve(unsigned int n)
{
    bool events = pv_lock_take(&tables_lock);
    unsigned long va = reserved_to, size = n * PAGE_SIZE;
    void *area = NULL;

    if (n && size <= -PAGE_SIZE - va && !make_tables(va, size)) {
        reserved_to += size;
        area = (void *)va;
    }
    pv_lock_drop(&tables_lock, events);
    return area;
}

void *pv_page_alloc(void)
{
    bool events = pv_lock_take(&pages_lock);
    void *page = NULL;

    if (freed) {
        page = freed;
        freed = *freed;
        nr_freed--;
    } else if (next < mapped) {
        page = pv_pfn_to_virt(pfn(next++));
    }
    pv_lock_drop(&pages_lock, events);
    if (!page)
        return pv_page_source ? pv_page_source() : NULL;
    return memset(page, 0, PAGE_SIZE);
}

void pv_page_free(void *page)
{
    bool events = pv_lock_take(&pages_lock);

    *(void **)page = freed;
    freed = page;
    nr_freed++;
    pv_lock_drop(&pages_lock, events);
}

unsigned long pv_pages_free(void)
{
    return mapped - next + nr_freed;
}

unsigned long pv_pages_take_rest(pfn_t *first)
{
    unsigned long n = mapped - next;

    *first = pfn(next);
    next = mapped;
    return n;
}

/* Maps the frames of one L1 from `mapped` on. 0, or an errno. */
static int map_more(unsigned long end)
{
    unsigned long va = PV_VIRT_BASE + (mapped << PAGE_SHIFT), stop = (mapped | 511) + 1;
    uint64_t *l1 = pv_walk(va), *entries;
    int err = 0;

    if (stop > end)
        stop = end;
    if (l1) { /* the builder's last table has room left */
        for (; mapped < stop && !err; mapped++)
            err =
                pv_map(PV_VIRT_BASE + (mapped << PAGE_SHIFT), pv_pte(pv_pfn_to_mfn(pfn(mapped)), PTE_KERNEL));
        return err;
    }
    err = make_levels(va, 2);
    entries = err ? NULL : pv_page_alloc();
    if (!entries)
        return err ? err : -ENOMEM;
    for (unsigned long p = mapped; p < stop; p++)
        entries[p & 511] = pv_pte(pv_pfn_to_mfn(pfn(p)), PTE_KERNEL);
    err = enter_table(pv_walk_level(va, 2), entries);
    if (!err)
        mapped = stop;
    return err;
}

void pv_memory_init(void)
{
    unsigned long end = pv_nr_pages(), max = PV_LINEAR_MAX >> PAGE_SHIFT;
    uint64_t *entry;

    if (end > max)
        end = max;
    kernel_l4 = (uint64_t *)pv_start_info->pt_base;
    next = mapped = pv_virt_to_pfn((void *)pv_boot_rsp).v;
    while (mapped < end && (entry = pv_walk(PV_VIRT_BASE + (mapped << PAGE_SHIFT))) != NULL &&
           (*entry & PTE_P))
        mapped++;
    while (mapped < end) {
        int err = map_more(end);

        if (err)
            pv_panic("libpv: mapping frame %lu of %lu gave %d", mapped, end, err);
    }
}
