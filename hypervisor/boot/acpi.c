/* SPDX-License-Identifier: MIT
 *
 * Which processors the machine has, by the firmware's tables: the root pointer leads to a list of tables, one
 * of which (signature APIC, the "MADT") names every local APIC. Source: ACPI Specification 6.4, 5.2.5 to
 * 5.2.12.
 *
 * The firmware is trusted to mean well but not to be right: sums are checked, and nothing is read beyond the
 * direct map of the first 4 GiB or behind a table's end. Without tables there is one CPU.
 */
#include "boot/boot.h"
#include "lib/string.h"
#include "mm/layout.h"

#define BIOS_START 0xe0000
#define BIOS_END   0x100000
#define EBDA_WORD  0x40e /* segment of the extended BIOS data area, whose first KB is searched too */
#define LIMIT      (1ULL << 32)
#define LONGEST    (1U << 20) /* of a table */

#define SIGNATURE  0x2052545020445352 /* "RSD PTR " */

struct root_pointer {
    uint64_t signature;
    uint8_t sum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
} __attribute__((packed));

struct table {
    char signature[4];
    uint32_t length;
    uint8_t revision, sum;
    char oem[26];
} __attribute__((packed));

struct madt {
    struct table header;
    uint32_t apic_maddr, flags;
} __attribute__((packed));

#define MADT_LOCAL_APIC 0
#define MADT_ENABLED    1
#define ALL_APICS       0xff /* no number of one */

struct madt_entry {
    uint8_t type, length, acpi_id, apic_id;
    uint32_t flags;
} __attribute__((packed));

static bool sum_is_zero(const void *p, uint32_t n)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)p)[i]);
    return !sum;
}

/* On 16-byte boundaries of [start, end). */
static const struct root_pointer *find_root(uint64_t start, uint64_t end)
{
    for (; start + sizeof(struct root_pointer) <= end; start += 16) {
        const struct root_pointer *r = maddr_to_virt(start);

        if (r->signature == SIGNATURE && sum_is_zero(r, sizeof(*r)))
            return r;
    }
    return NULL;
}

/* The table at maddr if it is whole and right; its signature is `signature`. */
static const void *table_at(uint64_t maddr, const char *signature)
{
    const struct table *t = maddr_to_virt(maddr);

    if (maddr > LIMIT - sizeof(*t) || memcmp(t->signature, signature, 4) || t->length < sizeof(*t) ||
        t->length > MIN(LIMIT - maddr, LONGEST) || !sum_is_zero(t, t->length))
        return NULL;
    return t;
}

static const struct madt *find_madt(const struct root_pointer *root)
{
    const struct table *rsdt = root ? table_at(root->rsdt, "RSDT") : NULL;
    const struct madt *madt = NULL;

    for (uint32_t at = sizeof(*rsdt), maddr; rsdt && !madt && at + 4 <= rsdt->length; at += 4) {
        memcpy(&maddr, (const char *)rsdt + at, 4);
        madt = table_at(maddr, "APIC");
    }
    return madt && madt->header.length >= sizeof(*madt) ? madt : NULL;
}

/* A CPU that is named twice is one: it must not be started again while it runs. */
static bool named(const uint8_t *apic_ids, unsigned int n, uint8_t id)
{
    for (unsigned int i = 0; i < n; i++)
        if (apic_ids[i] == id)
            return true;
    return false;
}

unsigned int acpi_find_cpus(const struct boot_info *bi, uint8_t *apic_ids, unsigned int most)
{
    uint64_t ebda = (uint64_t) * (const uint16_t *)maddr_to_virt(EBDA_WORD) << 4;
    const struct root_pointer *root =
        bi->acpi_root ? find_root(bi->acpi_root, MIN(bi->acpi_root + 32, LIMIT)) : NULL;
    const struct madt *madt;
    const uint8_t *e, *end;
    unsigned int n = 0;

    root = root ?: find_root(BIOS_START, BIOS_END) ?: find_root(ebda, ebda + 1024);
    madt = find_madt(root);
    if (!madt)
        return 0;
    e = (const uint8_t *)(madt + 1);
    end = (const uint8_t *)madt + madt->header.length;
    for (; e + 2 <= end && e[1] >= 2; e += e[1]) {
        const struct madt_entry *entry = (const void *)e;

        if (e[0] != MADT_LOCAL_APIC || e[1] < sizeof(*entry) || e + sizeof(*entry) > end ||
            !(entry->flags & MADT_ENABLED) || entry->apic_id == ALL_APICS ||
            named(apic_ids, MIN(n, most), entry->apic_id))
            continue;
        if (n < most)
            apic_ids[n] = entry->apic_id;
        n++;
    }
    return n;
}
