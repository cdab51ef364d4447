/* SPDX-License-Identifier: MIT
 *
 * What a boot loader hands over: any bytes, near the end of the 4 GiB that are mapped then. Nothing is read
 * from beyond, nor, in a list of tags, from behind the list's end; and what comes out keeps to the limits of
 * struct boot_info.
 *
 * The first byte: 1 for Multiboot 2, 2 for bytes that end where memory ends; else they begin a page before,
 * so that addresses in them hold whatever their number is, and zeros follow.
 */
// sources: hypervisor/boot/multiboot.c
#define _GNU_SOURCE
#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <sys/mman.h>
#include "boot/boot.h"
#include "mm/layout.h"
#include "tests/fuzz/fuzz.h"

#define TOP  (1ULL << 32)
#define MOST 4096u /* bytes of an input */

static uint8_t *memory;

void *maddr_to_virt(uint64_t maddr)
{
    MUST(maddr <= TOP);
    return memory + maddr;
}

uint64_t virt_to_maddr(const void *p)
{
    return (uint64_t)((const uint8_t *)p - memory);
}

void exit_note_trouble(void)
{
}

void printk(enum log_level level, const char *fmt, ...)
{
    char line[256];
    va_list args;

    (void)level;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
}

/* 4 GiB of zeros, and behind them what faults. */
static void begin(void)
{
    if (memory)
        return;
    memory = mmap(NULL, TOP + (1 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MUST(memory != MAP_FAILED && mprotect(memory, TOP, PROT_READ) == 0 &&
         mprotect(memory + TOP - 2 * MOST, 2 * MOST, PROT_READ | PROT_WRITE) == 0);
}

static void check(const struct boot_info *bi)
{
    MUST(bi->nr_ranges >= 1 && bi->nr_ranges <= BOOT_MAX_RANGES && bi->nr_modules <= BOOT_MAX_MODULES);
    MUST(memchr(bi->cmdline, '\0', sizeof(bi->cmdline)));
    for (unsigned int i = 0; i < bi->nr_ranges; i++)
        MUST(bi->ranges[i].start < bi->ranges[i].end);
    for (unsigned int i = 0; i < bi->nr_modules; i++) {
        const struct boot_module *m = &bi->modules[i];
        uint64_t line = virt_to_maddr(m->cmdline);

        MUST(m->start <= m->end);
        if (*m->cmdline)
            MUST(line >= bi->reserved_start && line + strlen(m->cmdline) + 1 <= bi->reserved_end);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info bi;
    uint8_t *info;
    uint32_t total = 0;
    bool tags;
    int err;

    if (size < 2 || size > MOST)
        return 0;
    begin();
    tags = data[0] & 1;
    size--;
    info = memory + TOP - (data[0] & 2 ? ROUND_UP(size, 8) : MOST);
    memcpy(info, data + 1, size);
    if (tags && size >= 8) {
        memcpy(&total, info, sizeof(total));
        total = MAX(total, 8u);
        if (total < TOP - virt_to_maddr(info))
            ASAN_POISON_MEMORY_REGION(info + total, TOP - virt_to_maddr(info) - total);
    }
    err = multiboot_parse(tags ? 0x36d76289 : 0x2badb002, virt_to_maddr(info), &bi);
    if (!err)
        check(&bi);
    ASAN_UNPOISON_MEMORY_REGION(info, TOP - virt_to_maddr(info));
    memset(info, 0, size);
    return 0;
}
