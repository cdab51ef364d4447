/* SPDX-License-Identifier: MIT
 *
 * The words on Parador's command line and on those of the boot modules (boot/cmdline.c).
 */
#ifndef BOOT_CMDLINE_H
#define BOOT_CMDLINE_H

#include "lib/types.h"
#include "lib/print.h"

struct boot_options {
    enum log_level log_level; /* loglevel=error|warn|info|debug */
};

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
bool cmdline_parse(const char *line, struct boot_options *o, char *why, size_t size);
bool cmdline_parse_module(const char *line, struct module_options *m, char *why, size_t size);

#endif
