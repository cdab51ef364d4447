/* SPDX-License-Identifier: MIT
 *
 * Rows of page-table updates: the mission's question, hypercall against trap. One L1 table of 512 entries is
 * the board: entries change between two frames, from nothing to a frame, and back.
 */
#include "tests/bench/bench.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/string.h"

#define ENTRIES 512
#define MULTI   32

static unsigned long board;       /* virtual address of entry 0's page; the L1 is all its own */
static uint64_t *board_l1;        /* the table, as mapped read-only */
static uint64_t board_maddr;      /* its machine address */
static uint64_t entry_a, entry_b; /* two frames of ours, writable */
static struct mmu_update req[ENTRIES];
static struct multicall_entry calls[MULTI];

/* Entries of alternating frames, so that each update changes a reference. */
static uint64_t other(uint64_t *turn)
{
    return (*turn ^= 1) ? entry_a : entry_b;
}

static uint64_t turn;

static uint64_t remap_invlpg(uint64_t arg)
{
    uint64_t val = other(&turn);

    (void)arg;
    return TIMED(HYPERVISOR_update_va_mapping(board, val, UVMF_INVLPG));
}

static uint64_t map_one(uint64_t arg)
{
    bench_must(HYPERVISOR_update_va_mapping(board, 0, UVMF_INVLPG), "clear");
    (void)arg;
    return TIMED(HYPERVISOR_update_va_mapping(board, entry_a, UVMF_INVLPG));
}

static uint64_t clear_one(uint64_t arg)
{
    bench_must(HYPERVISOR_update_va_mapping(board, entry_a, UVMF_NONE), "map");
    (void)arg;
    return TIMED(HYPERVISOR_update_va_mapping(board, 0, UVMF_INVLPG));
}

static uint64_t batch(uint64_t n)
{
    uint64_t val = other(&turn);

    for (unsigned int i = 0; i < n; i++)
        req[i] = (struct mmu_update){ .ptr = board_maddr + i * 8 + MMU_NORMAL_PT_UPDATE, .val = val };
    return TIMED(HYPERVISOR_mmu_update(req, (unsigned int)n, 0, DOMID_SELF));
}

static uint64_t multicall_update(uint64_t arg)
{
    uint64_t val = other(&turn);

    (void)arg;
    for (unsigned int i = 0; i < MULTI; i++)
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_update_va_mapping,
                                             .args = { board + i * PAGE_SIZE, val, UVMF_NONE } };
    return TIMED(HYPERVISOR_multicall(calls, MULTI));
}

static uint64_t trapped_write(uint64_t arg)
{
    volatile uint64_t *entry = &board_l1[arg];
    uint64_t val = other(&turn);

    return TIMED(*entry = val);
}

static void fill(uint64_t val)
{
    for (unsigned int i = 0; i < ENTRIES; i++)
        req[i] = (struct mmu_update){ .ptr = board_maddr + i * 8 + MMU_NORMAL_PT_UPDATE, .val = val };
    bench_must(HYPERVISOR_mmu_update(req, ENTRIES, 0, DOMID_SELF), "mmu_update");
}

void bench_tables(void)
{
    unsigned long area = (unsigned long)pv_vaddr_reserve(2 * ENTRIES);

    board = (area + ENTRIES * PAGE_SIZE - 1) & ~(ENTRIES * PAGE_SIZE - 1);
    board_l1 = pv_walk(board);
    board_maddr = pv_walk_maddr(board).v;
    entry_a = pv_pte(pv_virt_to_mfn(pv_page_alloc()), PTE_KERNEL);
    entry_b = pv_pte(pv_virt_to_mfn(pv_page_alloc()), PTE_KERNEL);
    bench_row("update_va_mapping_remap_invlpg", remap_invlpg, 0, 200, 1);
    bench_row("update_va_mapping_map", map_one, 0, 200, 1);
    bench_row("update_va_mapping_clear", clear_one, 0, 200, 1);
    fill(entry_b);
    bench_row("mmu_update_1", batch, 1, 200, 1);
    bench_row("mmu_update_8", batch, 8, 100, 8);
    bench_row("mmu_update_64", batch, 64, 50, 64);
    bench_row("mmu_update_512", batch, 512, 20, 512);
    bench_row("multicall_update_va_mapping_32", multicall_update, 0, 100, MULTI);
    bench_must(HYPERVISOR_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), "vm_assist");
    bench_row("trapped_pt_write", trapped_write, 3, 200, 1);
    fill(0);
}
