/* SPDX-License-Identifier: MIT
 *
 * What the boot loader told us, and the steps from there to the first guest.
 *
 * boot_main() (boot/main.c) runs the steps in order; each later one may use what the earlier ones set up:
 * serial line, multiboot_parse, CPU features, mm_init, the CPU's own area and stack, traps, APIC and TSC,
 * time_init, sched_init, cpus_start, builder_run, and out to the first guest. Until the first schedule()
 * `current` is NULL.
 */
#pragma once

#include "lib/print.h"
#include "lib/types.h"
#include "x86/percpu.h"

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
    unsigned int version; /* of Multiboot: 1 or 2 */
    unsigned int nr_ranges, nr_modules;
    bool left_out; /* a module was, and a line said so */
    struct boot_range ranges[BOOT_MAX_RANGES];
    struct boot_module modules[BOOT_MAX_MODULES];
    char cmdline[BOOT_CMDLINE_LEN];
    uint64_t acpi_root;                    /* a copy of ACPI's root pointer, 0: to be searched for */
    unsigned int nr_cpus;                  /* that the firmware's tables name; 0: there are no tables */
    uint8_t apic_ids[MAX_CPUS];            /* theirs */
    uint64_t reserved_start, reserved_end; /* loader's structures that are still needed (command lines) */
};

/* What the loader told; constant after boot (boot/main.c). */
extern struct boot_info boot_info;

/* Multiboot 1 (magic 2badb002) or 2 (36d76289); maddr: machine address of the information structure (below 4
 * GiB). 0, or a negative errno after a line that says what is wrong. boot/multiboot.c */
int multiboot_parse(uint32_t magic, uint64_t maddr, struct boot_info *bi);

/* The local APICs of all processors by ACPI's tables, at most `most` of them; how many there are. 0: no
 * tables. While all of the first 4 GiB still is as the loader left it. boot/acpi.c */
unsigned int acpi_find_cpus(const struct boot_info *bi, uint8_t *apic_ids, unsigned int most);

/* Starts the other CPUs; they idle. boot/cpus.c */
void cpus_start(const struct boot_info *bi);

/* Frame table, allocator, machine-to-physical table, direct map beyond 4 GiB; fills hv_l4 (mm/). The image
 * occupies [IMAGE_MADDR, image_end_maddr()). */
void mm_init(const struct boot_info *bi);

/* Builds the domains from the modules. 0, or negative: nothing to run (a line said why). boot/builder.c */
int builder_run(const struct boot_info *bi);

/* Something at boot went wrong and a line said so (a bad word, a domain that was not built): the machine's
 * exit status will be 2 even if all domains end well. boot/exit.c */
void exit_note_trouble(void);

/* ---- Words on command lines: boot/cmdline.c ---- */

#define MODULE_NAME_LEN 32

struct module_options {
    bool ramdisk;               /* belongs to the domain before it */
    char name[MODULE_NAME_LEN]; /* "": the default, d and the number */
    uint64_t mem;               /* bytes, 0: a share of what is left */
    uint32_t vcpus;             /* 1 by default */
    uint32_t weight, cap;       /* for the credit scheduler; 0: its defaults */
    const char *guest;          /* the guest's own words, within the line that was parsed; "" if none */
};

/* Read a line whose first word is a label and is skipped. True; or false, with what is wrong in why (size
 * bytes with the final zero). */
bool cmdline_parse(const char *line, enum log_level *level, char *why, size_t size);
bool cmdline_parse_module(const char *line, struct module_options *m, char *why, size_t size);

/* ---- The first screen, a line for each act with the file that did it: boot/screen.c ---- */

/* The page's title and what was done before the first domain: boot, memory, clocks. */
void screen_begin(const struct boot_info *bi);

/* One act, at most 72 columns, and the file below hypervisor/ that did it ("mm/frame.c"). With loglevel=info
 * and up it is a line of the log. */
void screen_act(const char *file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The last lines: where to go from here. */
void screen_end(void);

/* What a tick of the TSC is here: "instructions" under -icount, else "TSC ticks". */
const char *screen_unit(void);

/* n as a text with commas, in buf (28 bytes are enough). */
const char *screen_number(uint64_t n, char buf[28]);
#define COMMAS(n) screen_number((n), (char[28]){ 0 })

/* ---- Parador's own memory ---- */

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
