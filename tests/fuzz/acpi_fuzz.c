/* SPDX-License-Identifier: MIT
 *
 * The firmware's tables: any bytes, with the sums put right, somewhere in the first 4 GiB or at their end.
 * Nothing is read from beyond, nor from a table longer than any is; and the CPUs that come out are different
 * ones, none of them everybody.
 *
 * An input: a byte of choices, then up to four pieces: kind and place, a length, the bytes.
 */
// sources: hypervisor/boot/acpi.c
#define _GNU_SOURCE
#include <sys/mman.h>
#include "boot/boot.h"
#include "mm/layout.h"
#include "tests/fuzz/fuzz.h"

#define TOP    (1ULL << 32)
#define LOW    (1U << 20)
#define PLACES 4u
#define PIECE  1024u
#define MOST   16u

static uint8_t *memory;

void *maddr_to_virt(uint64_t maddr)
{
    MUST(maddr <= TOP);
    return memory + maddr;
}

/* 4 GiB of zeros, and behind them what faults. */
static void begin(void)
{
    if (memory)
        return;
    memory = mmap(NULL, TOP + LOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST(memory != MAP_FAILED && mprotect(memory, TOP, PROT_READ | PROT_WRITE) == 0);
}

static uint64_t place(unsigned int n)
{
    static const uint32_t places[PLACES] = { 0xf0000, 0x9fc00, 0x7fe0004, 0x7fe1002 };

    return places[n % PLACES];
}

static void put_sum(uint8_t *at, size_t n, size_t sum_at)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + at[i]);
    at[sum_at] = (uint8_t)(at[sum_at] - sum);
}

/* The bytes of a piece are the fields behind what makes it found at all; its length may lie. */
static void put(struct fuzz_input *in, uint64_t at)
{
    static const char signatures[] = "RSDTAPICFACPXSDT";
    static const uint64_t root = 0x2052545020445352; /* "RSD PTR " */
    uint8_t *p = memory + at, kind = fuzz_byte(in);
    uint32_t length = fuzz_byte(in) * 4u, next = (uint32_t)place(kind >> 4), said;

    fuzz_bytes(in, p, MIN(length, TOP - at));
    if (TOP - at < 64)
        return;
    if ((kind & 7) < 2) {
        memcpy(p, &root, 8);
        memcpy(p + 16, &next, 4);
        put_sum(p, 20, 8);
        return;
    }
    said = kind & 8 ? fuzz_word(in) : MAX(length, 36u);
    memcpy(p, signatures + (kind & 3) * 4, 4);
    memcpy(p + 4, &said, 4);
    if ((kind & 3) == 0)
        memcpy(p + 36, &next, 4);
    put_sum(p, MIN(said, (uint32_t)MIN(TOP - at, 2 * PIECE)), 9);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t ids[MOST + 1] = { 0 }, choices = fuzz_byte(&in);
    struct boot_info bi = { .acpi_root = choices & 1 ? place(choices >> 1) : 0 };
    uint64_t at[PLACES];
    unsigned int n;

    begin();
    if (choices & 0x80)
        bi.acpi_root = TOP - fuzz_byte(&in);
    memory[0x40e] = 0xc0, memory[0x40f] = 0x9f;
    for (unsigned int i = 0; i < PLACES; i++) {
        at[i] = choices & 0x40 && i == 3 ? TOP - fuzz_byte(&in) - 1 : place(i);
        put(&in, at[i]);
    }
    n = acpi_find_cpus(&bi, ids, MOST);
    MUST(!ids[MOST]);
    for (unsigned int i = 0; i < MIN(n, MOST); i++) {
        MUST(ids[i] != 0xff);
        for (unsigned int k = 0; k < i; k++)
            MUST(ids[i] != ids[k]);
    }
    for (unsigned int i = 0; i < PLACES; i++)
        memset(memory + at[i], 0, MIN(2 * PIECE, TOP - at[i]));
    return 0;
}
