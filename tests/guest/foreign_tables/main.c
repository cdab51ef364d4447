/* SPDX-License-Identifier: MIT
 *
 * Domain 0 and the memory of a domain that it controls, named by that domain's number: its frames mapped, its
 * tables changed, pinned and unpinned, its reservation read. What each call takes for whose (xen.h,
 * mmu_update: the domain of the tables in the upper half of the last argument, that of the frames in the
 * lower), and that the other side sees the change. On stock Xen no guest of ours can be domain 0 beside
 * another domain, so this role is Parador's alone.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "libpv/time.h"
#include "tests/guest/pages.h"

TEST("foreign_tables");
ROLE(control);

#define OTHER   1
#define MAGIC   0xf0e16e7ab1e5UL
#define TABLES  ((OTHER + 1U) << 16)
#define SECONDS 20

/* What the other domain leaves in its xenstore page, which domain 0 knows the frame of. */
struct note {
    uint64_t magic;
    uint64_t entry;       /* machine address of an empty L1 entry */
    uint64_t page, table; /* frames: an ordinary page, and a zeroed one that is mapped read-only */
    uint64_t seen;        /* by the other domain, through the entry */
};

static void nap(void)
{
    struct sched_poll poll = { .timeout = pv_time_ns() + 2000000 };

    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

static long update(uint64_t ptr, uint64_t val, unsigned int dom)
{
    struct mmu_update u = { .ptr = ptr, .val = val };

    return HYPERVISOR_mmu_update(&u, 1, NULL, dom);
}

static long ext(unsigned int cmd, uint64_t frame, unsigned int dom)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = frame };

    return HYPERVISOR_mmuext_op(&op, 1, NULL, dom);
}

static volatile struct note *meet(void)
{
    struct parador_domain_info info = { .idx = 1 };
    volatile struct note *note = pv_vaddr_reserve(1);
    uint64_t at = pv_walk_maddr((unsigned long)note).v, until = pv_time_ns() + SECONDS * 1000000000UL;

    require(!HYPERVISOR_parador(PARADOR_domain_info, &info) && info.domid == OTHER, "the other domain");
    expect_eq(update(at, pv_pte(mfn(info.store_mfn), PTE_KERNEL), DOMID_SELF), -EBUSY);
    require(!update(at, pv_pte(mfn(info.store_mfn), PTE_KERNEL), OTHER), "map its xenstore page");
    while (note->magic != MAGIC && pv_time_ns() < until)
        nap();
    require(note->magic == MAGIC, "it wrote its note");
    return note;
}

static void its_frames(const volatile struct note *note)
{
    uint64_t *window = pv_vaddr_reserve(1);
    unsigned long va = (unsigned long)window;
    uint64_t val = pv_pte(mfn(note->page), PTE_KERNEL);

    expect_eq(HYPERVISOR_update_va_mapping(va, val, UVMF_INVLPG), -EBUSY);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(va, val, UVMF_INVLPG, 77), -ESRCH);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(va, val, UVMF_INVLPG, OTHER), 0);
    expect_no_fault(window[7] = 7);
    expect_eq(ext(MMUEXT_PIN_L1_TABLE, note->page, OTHER), -EINVAL); /* we map it writable */
    /* Its table can't be mapped writable, by nobody. */
    val = pv_pte(mfn(note->entry >> PAGE_SHIFT), PTE_KERNEL);
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(va, val, UVMF_INVLPG, OTHER), -EBUSY);
    val &= ~(uint64_t)PTE_RW;
    expect_eq(HYPERVISOR_update_va_mapping_otherdomain(va, val, UVMF_INVLPG, OTHER), 0);
    expect_no_fault((void)*(volatile uint64_t *)window);
    expect_fault(14, 3, window[0] = 1);
    expect_eq(HYPERVISOR_update_va_mapping(va, 0, UVMF_INVLPG), 0);
    expect_eq(update(note->page << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 5, DOMID_SELF), -EINVAL);
    expect_eq(update(note->page << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, pv_mfn_to_pfn(mfn(note->page)).v, OTHER),
              0);
    expect_eq(ext(MMUEXT_CLEAR_PAGE, note->page, DOMID_SELF), -EINVAL);
    expect_eq(ext(MMUEXT_CLEAR_PAGE, note->page, OTHER), 0);
}

static void its_tables(volatile struct note *note)
{
    uint64_t *mine = test_page(), until = pv_time_ns() + SECONDS * 1000000000UL;
    uint64_t val = pv_pte(mfn(note->page), PTE_KERNEL);

    expect_eq(update(note->entry, val, DOMID_SELF), -EINVAL);         /* its table as ours */
    expect_eq(update(note->entry, val, TABLES | DOMID_SELF), -EBUSY); /* its frame as ours */
    expect_eq(update(note->entry, val, 78U << 16 | DOMID_SELF), -ESRCH);
    expect_eq(update(note->entry, test_pte(mine, PTE_KERNEL), TABLES | OTHER), -EBUSY);
    expect_eq(update(note->page << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 5, TABLES | OTHER), -EPERM);
    expect_eq(update(note->entry, val, TABLES | OTHER), 0);
    while (note->seen != MAGIC && pv_time_ns() < until)
        nap();
    expect_eq(note->seen, MAGIC); /* it looked through the entry */
    expect_eq(update(note->entry, 0, TABLES | OTHER), 0);

    expect_eq(ext(MMUEXT_PIN_L1_TABLE, note->table, DOMID_SELF), -EINVAL);
    expect_eq(ext(MMUEXT_PIN_L1_TABLE, note->table, OTHER), 0);
    expect_eq(ext(MMUEXT_PIN_L1_TABLE, note->table, OTHER), -EINVAL);
    expect_eq(ext(MMUEXT_UNPIN_TABLE, note->table, DOMID_SELF), -EINVAL);
    expect_eq(ext(MMUEXT_UNPIN_TABLE, note->table, OTHER), 0);
    expect_eq(ext(MMUEXT_NEW_BASEPTR, note->table, OTHER), -EPERM);
}

static void domain0(void)
{
    volatile struct note *note = meet();
    uint32_t id = OTHER;

    its_frames(note);
    its_tables(note);
    /* Destroyed while we map its page: the frame stays until we let go. */
    expect_eq(HYPERVISOR_parador(PARADOR_destroy, &id), 0);
    note->magic = 0;
    nap();
    expect_no_fault((void)note->magic);
    expect_eq(HYPERVISOR_update_va_mapping((unsigned long)note, 0, UVMF_INVLPG), 0);
}

static void other(struct start_info *si)
{
    volatile struct note *note = pv_vaddr_reserve(1);
    volatile uint64_t *window = pv_vaddr_reserve(1);
    uint64_t *page = test_page(), *table = test_table_page();

    require(!pv_map((unsigned long)note, pv_pte(mfn(si->store_mfn), PTE_KERNEL)), "map the xenstore page");
    note->entry = pv_walk_maddr((unsigned long)window).v;
    note->page = pv_virt_to_mfn(page).v;
    note->table = pv_virt_to_mfn(table).v;
    note->magic = MAGIC;
    for (;;) {
        if (*pv_walk((unsigned long)window) & PTE_P) {
            page[9] = 99;
            if (window[9] == 99)
                note->seen = MAGIC;
        }
        nap();
    }
}

void test_main(void)
{
    HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    if (pv_is_dom0())
        domain0();
    else
        other(pv_start_info);
}
