/* SPDX-License-Identifier: MIT
 *
 * ACPI's tables, read by hypervisor/boot/acpi.c: where they are found, which CPUs they name, and tables that
 * are wrong or lie.
 */
// sources: hypervisor/boot/acpi.c
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include "boot/boot.h"
#include "mm/layout.h"

#define TOP  (1ULL << 32)
#define MOST 8u
#define ROOT 0xf1230u
#define RSDT 0x7fe0004u /* firmware aligns nothing */
#define MADT 0x7fe1002u

static uint8_t *memory; /* 4 GiB */
static struct boot_info bi;
static uint8_t ids[MOST + 1];
static uint32_t madt_length;

void *maddr_to_virt(uint64_t maddr)
{
    cr_assert_leq(maddr, TOP);
    return memory + maddr;
}

static void set_sum(uint64_t at, uint32_t n, uint32_t sum_at)
{
    uint8_t sum = 0;

    memory[at + sum_at] = 0;
    for (uint32_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + memory[at + i]);
    memory[at + sum_at] = (uint8_t)-sum;
}

static void put_root(uint64_t at, uint32_t rsdt)
{
    memcpy(memory + at, "RSD PTR ", 8);
    memcpy(memory + at + 16, &rsdt, 4);
    set_sum(at, 20, 8);
}

static void end_table(uint64_t at, const char *signature, uint32_t length)
{
    memcpy(memory + at, signature, 4);
    memcpy(memory + at + 4, &length, 4);
    set_sum(at, length, 9);
}

static void put_rsdt(uint64_t at, const uint32_t *tables, uint32_t n)
{
    memcpy(memory + at + 36, tables, n * 4);
    end_table(at, "RSDT", 36 + n * 4);
}

static void entry(uint8_t type, uint8_t length, uint8_t apic_id, uint32_t flags)
{
    uint8_t *e = memory + MADT + madt_length;

    e[0] = type;
    e[1] = length;
    e[2] = apic_id;
    e[3] = apic_id;
    memcpy(e + 4, &flags, 4);
    madt_length += length;
    end_table(MADT, "APIC", madt_length);
}

static void cpu(uint8_t apic_id)
{
    entry(0, 8, apic_id, 1);
}

/* A machine with tables that name no CPU yet. */
static void begin(void)
{
    static const uint32_t tables[] = { 0x7fe3000, 0xfffffff0, 0, MADT };

    memory = mmap(NULL, TOP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cr_assert_neq(memory, MAP_FAILED);
    memset(&bi, 0, sizeof(bi));
    memset(ids, 0xee, sizeof(ids));
    put_root(ROOT, RSDT);
    end_table(0x7fe3000, "FACP", 116);
    put_rsdt(RSDT, tables, 4);
    madt_length = 44;
    end_table(MADT, "APIC", madt_length);
}

static void end(void)
{
    munmap(memory, TOP);
}

TestSuite(acpi, .init = begin, .fini = end);

static unsigned int found(void)
{
    unsigned int n = acpi_find_cpus(&bi, ids, MOST);

    cr_assert_eq(ids[MOST], 0xee, "behind the last");
    return n;
}

Test(acpi, names_the_processors)
{
    cpu(0);
    entry(1, 12, 9, 1); /* an I/O APIC */
    cpu(2);
    entry(0, 8, 5, 0); /* not enabled */
    entry(9, 16, 1, 1);
    cpu(7);
    cr_assert_eq(found(), 3);
    cr_assert(ids[0] == 0 && ids[1] == 2 && ids[2] == 7);
}

Test(acpi, the_root_is_found_where_the_loader_or_the_bios_has_it)
{
    cpu(0);
    memory[ROOT] = 0;
    cr_assert_eq(found(), 0);
    bi.acpi_root = 0x12345;
    put_root(bi.acpi_root, RSDT);
    cr_assert_eq(found(), 1);
    memory[bi.acpi_root] = 0;
    memory[0x40f] = 0x9f; /* the extended BIOS data area: 0x9f000 */
    put_root(0x9f3e0, RSDT);
    cr_assert_eq(found(), 1);
    memory[0x9f3e0] = 0;
    put_root(0x9f400, RSDT);
    cr_assert_eq(found(), 0, "behind its first KB");
}

Test(acpi, a_wrong_sum_is_no_table)
{
    static const uint64_t bytes[] = { ROOT + 9, RSDT + 10, MADT + 20 };

    cpu(0);
    for (unsigned int i = 0; i < 3; i++) {
        memory[bytes[i]]++;
        cr_assert_eq(found(), 0);
        memory[bytes[i]]--;
    }
    cr_assert_eq(found(), 1);
}

Test(acpi, more_than_there_is_room_for)
{
    for (uint8_t i = 0; i < MOST + 3; i++)
        cpu(i);
    cr_assert_eq(found(), MOST + 3);
    cr_assert_eq(ids[MOST - 1], MOST - 1);
}

Test(acpi, a_processor_named_twice_is_one)
{
    cpu(0);
    cpu(1);
    cpu(1);
    cpu(0);
    cpu(3);
    cr_assert_eq(found(), 3);
    cr_assert(ids[0] == 0 && ids[1] == 1 && ids[2] == 3);
}

Test(acpi, the_number_that_means_all_is_no_processor)
{
    cpu(0);
    cpu(0xff);
    cr_assert_eq(found(), 1);
}

Test(acpi, entries_that_do_not_fit)
{
    cpu(0);
    entry(0, 4, 1, 1); /* shorter than one of its kind; the next one's bytes are not its flags */
    cpu(2);
    entry(0, 8, 3, 1);
    end_table(MADT, "APIC", madt_length - 1); /* the last one is cut off */
    cr_assert_eq(found(), 2);
    cr_assert_eq(ids[1], 2);
    end_table(MADT, "APIC", madt_length);
    cr_assert_eq(found(), 3);
    memory[MADT + 44 + 1] = 0; /* an entry of no length: the end */
    end_table(MADT, "APIC", madt_length);
    cr_assert_eq(found(), 0);
}

Test(acpi, tables_at_the_end_of_4_gib)
{
    uint32_t at = (uint32_t)(TOP - 40);

    put_rsdt(at, (const uint32_t[]){ (uint32_t)(TOP - 20) }, 1);
    put_root(ROOT, at);
    cr_assert_eq(found(), 0);
    bi.acpi_root = TOP - 8; /* of a loader's information that ends there */
    cr_assert_eq(found(), 0);
    memset(memory + at + 4, 0xff, 4); /* its length */
    cr_assert_eq(found(), 0);
}

/* A length of gigabytes with the right sum: nobody reads through all of memory, registers of devices
 * included. */
Test(acpi, a_table_is_no_gigabyte_long)
{
    uint32_t length = 1U << 30;

    cpu(0);
    memcpy(memory + MADT + 4, &length, 4);
    memory[MADT + 9] = 0;
    set_sum(MADT, 4096, 9); /* the rest is zero */
    cr_assert_eq(found(), 0);
}
