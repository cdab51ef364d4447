/* SPDX-License-Identifier: MIT
 *
 * What the boot loader tells, Multiboot 1 and 2, copied into struct boot_info.
 *
 * Both are lists of memory ranges, modules and command lines in memory that is not reserved for them. Copied:
 * ranges, module addresses, Parador's command line. Not copied: the modules and their command lines; these
 * stay where they are, inside [reserved_start, reserved_end). The loader is trusted, but nothing is read from
 * beyond the direct map of the first 4 GiB, counts are bounded by our own tables, and a list of tags or
 * ranges ends at the first that is broken. tests/fuzz/multiboot_fuzz.c holds it to that.
 *
 * Sources: Multiboot Specification 0.6.96, section 3.3; Multiboot2 Specification 2.0, section 3.4.
 */
#include "boot/boot.h"
#include "lib/string.h"
#include "mm/layout.h"

#define MB1_MAGIC    0x2badb002
#define MB2_MAGIC    0x36d76289
#define LIMIT        (1ULL << 32) /* of the direct map at this point */
#define LONGEST_LINE 4096
#define MB_RAM       1

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length,
        mmap_addr;
};
#define MB1_MEM     (1u << 0)
#define MB1_CMDLINE (1u << 2)
#define MB1_MODS    (1u << 3)
#define MB1_MMAP    (1u << 6)

struct mb1_module {
    uint32_t start, end, cmdline, pad;
};

/* Both protocols'. In a list of Multiboot 1 the size of what follows (4 bytes) stands before each. */
struct mb_range {
    uint64_t addr, len;
    uint32_t type;
} __attribute__((packed));

struct mb2_tag {
    uint32_t type, size;
};
enum { MB2_END = 0, MB2_CMDLINE = 1, MB2_MODULE = 3, MB2_MMAP = 6, MB2_ACPI_OLD = 14, MB2_ACPI_NEW = 15 };

struct mb2_module {
    struct mb2_tag tag;
    uint32_t start, end;
    char cmdline[];
};

struct mb2_mmap {
    struct mb2_tag tag;
    uint32_t entry_size, version;
};

static void add_range(struct boot_info *bi, uint64_t start, uint64_t len)
{
    if (!len || start + len < start)
        return;
    if (bi->nr_ranges == BOOT_MAX_RANGES) {
        warn("memory at %#lx is not used: more than %u ranges\n", start, BOOT_MAX_RANGES);
        return;
    }
    bi->ranges[bi->nr_ranges++] = (struct boot_range){ start, start + len };
}

static void add_ram(struct boot_info *bi, const void *range)
{
    const struct mb_range *r = range;

    if (r->type == MB_RAM)
        add_range(bi, r->addr, r->len);
}

/* Keeps a command line of the loader's from being overwritten. */
static void reserve_line(struct boot_info *bi, const char *line)
{
    uint64_t start = virt_to_maddr(line), end = start + strnlen(line, LONGEST_LINE) + 1;

    if (!bi->reserved_end) {
        bi->reserved_start = start;
        bi->reserved_end = end;
    }
    bi->reserved_start = MIN(bi->reserved_start, start);
    bi->reserved_end = MAX(bi->reserved_end, end);
}

static void add_module(struct boot_info *bi, uint64_t start, uint64_t end, const char *cmdline)
{
    if (bi->nr_modules == BOOT_MAX_MODULES || end < start) {
        exit_note_trouble();
        if (!bi->left_out)
            say("parador: module %u is left out%s\n", bi->nr_modules,
                end < start ? ": its end is before its start" : ", and all after it: too many");
        bi->left_out = true;
        return;
    }
    bi->modules[bi->nr_modules++] = (struct boot_module){ start, end, cmdline };
    if (*cmdline)
        reserve_line(bi, cmdline);
}

/* The line at maddr; "" if there is none, or its end is not in sight. */
static const char *line_at(uint32_t maddr)
{
    uint64_t most = MIN(LIMIT - maddr, LONGEST_LINE);
    const char *line = maddr_to_virt(maddr);

    return maddr && strnlen(line, most) < most ? line : "";
}

static void parse_mb1(uint64_t maddr, struct boot_info *bi)
{
    const struct mb1_info *info = maddr_to_virt(maddr);

    if (info->flags & MB1_CMDLINE)
        snprintf(bi->cmdline, sizeof(bi->cmdline), "%s", line_at(info->cmdline));
    if (info->flags & MB1_MMAP) {
        uint64_t at = info->mmap_addr, end = MIN(at + info->mmap_length, LIMIT);
        uint32_t size;

        for (; at + 4 + sizeof(struct mb_range) <= end; at += 4ULL + size) {
            memcpy(&size, maddr_to_virt(at), sizeof(size));
            if (size < sizeof(struct mb_range))
                break;
            add_ram(bi, maddr_to_virt(at + 4));
        }
    } else if (info->flags & MB1_MEM) {
        add_range(bi, 0, (uint64_t)info->mem_lower << 10);
        add_range(bi, 1 << 20, (uint64_t)info->mem_upper << 10);
    }
    for (uint64_t i = 0; info->flags & MB1_MODS && i < MIN(info->mods_count, BOOT_MAX_MODULES + 1u); i++) {
        uint64_t at = info->mods_addr + i * sizeof(struct mb1_module);
        struct mb1_module m;

        if (at > LIMIT - sizeof(m))
            break;
        memcpy(&m, maddr_to_virt(at), sizeof(m)); /* aligned to nothing */
        add_module(bi, m.start, m.end, line_at(m.cmdline));
    }
}

/* Whether a tag has all of its fields in `left` bytes of list, and its command line (if one) its end. */
static bool tag_is_whole(const struct mb2_tag *tag, uint64_t left)
{
    size_t fields = tag->type == MB2_MODULE ? sizeof(struct mb2_module)
                    : tag->type == MB2_MMAP ? sizeof(struct mb2_mmap)
                                            : sizeof(*tag);

    if (tag->size < fields || tag->size > left)
        return false;
    if (tag->type != MB2_MODULE && tag->type != MB2_CMDLINE)
        return true;
    return strnlen((const char *)tag + fields, tag->size - fields) < tag->size - fields;
}

static void parse_mb2(uint64_t maddr, struct boot_info *bi)
{
    uint64_t total = MIN(*(const uint32_t *)maddr_to_virt(maddr), LIMIT - maddr);
    const struct mb2_tag *tag;

    for (uint64_t at = 8; at + sizeof(*tag) <= total; at += ROUND_UP((uint64_t)tag->size, 8)) {
        tag = maddr_to_virt(maddr + at);
        if (tag->type == MB2_END)
            return;
        if (!tag_is_whole(tag, total - at)) {
            exit_note_trouble();
            say("parador: the boot loader's tag %u at byte %lu is broken\n", tag->type, at);
            return;
        }
        if (tag->type == MB2_CMDLINE) {
            snprintf(bi->cmdline, sizeof(bi->cmdline), "%s", (const char *)(tag + 1));
        } else if (tag->type == MB2_MODULE) {
            const struct mb2_module *m = (const void *)tag;

            add_module(bi, m->start, m->end, m->cmdline);
        } else if (tag->type == MB2_ACPI_OLD || tag->type == MB2_ACPI_NEW) {
            bi->acpi_root = maddr + at + sizeof(*tag);
        } else if (tag->type == MB2_MMAP) {
            const struct mb2_mmap *mmap = (const void *)tag;

            for (uint64_t r = sizeof(*mmap);
                 mmap->entry_size >= sizeof(struct mb_range) && r + mmap->entry_size <= tag->size;
                 r += mmap->entry_size)
                add_ram(bi, (const char *)mmap + r);
        }
    }
}

int multiboot_parse(uint32_t magic, uint64_t maddr, struct boot_info *bi)
{
    memset(bi, 0, sizeof(*bi));
    bi->version = magic == MB2_MAGIC ? 2 : 1;
    if (magic == MB1_MAGIC && maddr <= LIMIT - sizeof(struct mb1_info)) {
        parse_mb1(maddr, bi);
    } else if (magic == MB2_MAGIC && maddr <= LIMIT - sizeof(struct mb2_tag)) {
        parse_mb2(maddr, bi);
    } else {
        say("parador: not started by a Multiboot loader (magic %#x)\n", magic);
        return -EINVAL;
    }
    if (!bi->nr_ranges) {
        say("parador: the boot loader gave no memory map\n");
        return -EINVAL;
    }
    return 0;
}
