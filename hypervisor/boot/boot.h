/* SPDX-License-Identifier: MIT
 *
 * What the boot loader told us, and the steps from there to the first guest.
 *
 * boot_main() (boot/main.c) runs the steps in order; each later one may use what the earlier ones set up:
 * serial line, multiboot_parse, CPU features, mm_init, the CPU's own area and stack, traps, APIC and TSC,
 * time_init, sched_init, builder_run, and out to the first guest. Until the first schedule() `current` is
 * NULL.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "lib/types.h"

#define BOOT_MAX_RANGES  64
#define BOOT_MAX_MODULES 512
#define BOOT_CMDLINE_LEN 1024

struct boot_range { /* usable RAM as the firmware reports it, machine addresses; [start, end) */
    uint64_t start, end;
};

struct boot_module { /* machine addresses; cmdline points into the loader's memory by the direct map */
    uint64_t start, end;
    const char *cmdline;
};

/* Filled by multiboot_parse; constant after that. The loader's own structures and the modules lie in usable
 * RAM: mm_init() keeps the frames of [reserved_start, reserved_end), of the image and of the modules off the
 * free list. */
struct boot_info {
    unsigned int nr_ranges, nr_modules;
    bool left_out; /* a module was, and a line said so */
    struct boot_range ranges[BOOT_MAX_RANGES];
    struct boot_module modules[BOOT_MAX_MODULES];
    char cmdline[BOOT_CMDLINE_LEN];
    uint64_t reserved_start, reserved_end; /* loader's structures that are still needed (command lines) */
};

/* What the loader told; constant after boot (boot/main.c). */
extern struct boot_info boot_info;

/* Multiboot 1 (magic 2badb002) or 2 (36d76289); maddr: machine address of the information structure (below 4
 * GiB). 0, or a negative errno after a line that says what is wrong. boot/multiboot.c */
int multiboot_parse(uint32_t magic, uint64_t maddr, struct boot_info *bi);

/* Frame table, allocator, machine-to-physical table, direct map beyond 4 GiB; fills hv_l4 (mm/). The image
 * occupies [IMAGE_MADDR, image_end_maddr()). */
void mm_init(const struct boot_info *bi);

/* Builds the domains from the modules. 0, or negative: nothing to run (a line said why). boot/builder.c */
int builder_run(const struct boot_info *bi);

/* First machine address after the image and its bss (boot/main.c). */
uint64_t image_end_maddr(void);

/* The root of Parador's own tables, in the image (boot/head.S). Slots 257 (per-CPU areas), 261 (image) and
 * 262 (direct map: the first 4 GiB, 2 MiB pages, its L3 table is hv_direct_l3) are filled by head.S;
 * mm_init() adds the others. It is what CR3 holds when no guest's tables do; its machine address:
 * hv_l4_maddr(). */
extern uint64_t hv_l4[512], hv_direct_l3[512];
uint64_t hv_l4_maddr(void);

/* The outside entry: from head.S, with the stack and struct cpu of the boot. */
void boot_main(uint32_t magic, uint64_t info_maddr) __noreturn;

#endif
