/* SPDX-License-Identifier: MIT
 *
 * The headline plot, hypercall against trap: what an entry of an L1 table costs when `n` of them change, by
 * four ways that the ABI has, and the store alone as the floor. Rows are named entry_WAY_N and give the cost
 * of one entry:
 *
 *     entry_trap_N       N stores into the read-only table, each trapped and emulated
 *     entry_call_N       N hypercalls update_va_mapping
 *     entry_multicall_N  the same N calls in one multicall
 *     entry_batch_N      one mmu_update of N requests
 *     entry_store_N      N stores into a page that is no table: nobody checks anything. It stands where a
 * native kernel's store would (which needs its INVLPG besides)
 *
 * The requests are written before the clock starts. No way flushes: a flush costs all the same.
 */
#include "tests/bench/bench.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/print.h"

#define ENTRIES 512
#define SAMPLES 20

static unsigned long board; /* virtual address that entry 0 maps; the L1 is all its own */
static volatile uint64_t *table, *plain;
static uint64_t table_maddr, frames[2];
static struct mmu_update req[ENTRIES];
static struct multicall_entry calls[ENTRIES];

/* The frame that all entries change to: each sample changes all of them. */
static uint64_t next_entry(void)
{
    static unsigned int turn;

    return frames[turn ^= 1];
}

static void store(volatile uint64_t *to, uint64_t n, uint64_t val)
{
    for (uint64_t i = 0; i < n; i++)
        to[i] = val;
}

static uint64_t by_trap(uint64_t n)
{
    uint64_t val = next_entry();

    return TIMED(store(table, n, val));
}

static uint64_t by_store(uint64_t n)
{
    uint64_t val = next_entry();

    return TIMED(store(plain, n, val));
}

static void call_each(uint64_t n, uint64_t val)
{
    for (uint64_t i = 0; i < n; i++)
        HYPERVISOR_update_va_mapping(board + i * PAGE_SIZE, val, UVMF_NONE);
}

static uint64_t by_call(uint64_t n)
{
    uint64_t val = next_entry();

    return TIMED(call_each(n, val));
}

static uint64_t by_multicall(uint64_t n)
{
    uint64_t val = next_entry();

    for (uint64_t i = 0; i < n; i++)
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_update_va_mapping,
                                             .args = { board + i * PAGE_SIZE, val, UVMF_NONE } };
    return TIMED(HYPERVISOR_multicall(calls, (unsigned int)n));
}

static void requests(uint64_t n, uint64_t val)
{
    for (uint64_t i = 0; i < n; i++)
        req[i] = (struct mmu_update){ .ptr = table_maddr + i * 8 + MMU_NORMAL_PT_UPDATE, .val = val };
}

static uint64_t by_batch(uint64_t n)
{
    requests(n, next_entry());
    return TIMED(HYPERVISOR_mmu_update(req, (unsigned int)n, 0, DOMID_SELF));
}

static const struct {
    const char *name;
    uint64_t (*fn)(uint64_t n);
} ways[] = {
    { "trap", by_trap },   { "call", by_call },   { "multicall", by_multicall },
    { "batch", by_batch }, { "store", by_store },
};

void bench_plot(void)
{
    unsigned long area = (unsigned long)pv_vaddr_reserve(2 * ENTRIES);
    char name[32];

    board = (area + ENTRIES * PAGE_SIZE - 1) & ~(ENTRIES * PAGE_SIZE - 1);
    table = pv_walk(board);
    table_maddr = pv_walk_maddr(board).v;
    plain = pv_page_alloc();
    for (unsigned int i = 0; i < 2; i++)
        frames[i] = pv_pte(pv_virt_to_mfn(pv_page_alloc()), PTE_KERNEL);
    requests(ENTRIES, frames[0]);
    bench_must(HYPERVISOR_mmu_update(req, ENTRIES, 0, DOMID_SELF), "mmu_update");
    for (unsigned int way = 0; way < sizeof(ways) / sizeof(ways[0]); way++)
        for (unsigned int n = 1; n <= ENTRIES; n *= 2) {
            pv_snprintf(name, sizeof(name), "entry_%s_%u", ways[way].name, n);
            bench_row(name, ways[way].fn, n, SAMPLES, n);
        }
    requests(ENTRIES, 0);
    bench_must(HYPERVISOR_mmu_update(req, ENTRIES, 0, DOMID_SELF), "mmu_update");
}
