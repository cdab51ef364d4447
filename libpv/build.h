/* SPDX-License-Identifier: MIT
 *
 * Building a domain, in domain 0: out of a kernel's file and a ramdisk becomes a domain that is ready to run,
 * by the control calls and otherwise by the calls that every guest makes for its own memory. Works on Parador
 * and on stock Xen alike.
 *
 * What lies where is that of xen.h ("Start-of-day memory layout"), as both systems' own builders have it:
 *
 *     image | ramdisk | p2m list | start_info | store page | console page | page tables | boot stack | spare
 *
 * Source: xen.h, xen/domctl.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>

/* 1 GiB: as many frames as a p2m list can name that is mapped at once. */
#define PV_BUILD_MAX_PAGES (1UL << 18)

struct pv_build {
    /* In. */
    const void *kernel, *ramdisk; /* ramdisk NULL: none */
    size_t kernel_size, ramdisk_size;
    const char *words;   /* the command line */
    unsigned long pages; /* memory */
    unsigned int vcpus;
    domid_t domid; /* the number that it shall have; 0: any. Out: which it has */
    /* Out: the two pages of start_info, and the domain's ports, which wait for domain 0. */
    unsigned long store_frame, console_frame;
    unsigned int store_port, console_port;
    const char *why; /* when it failed: what was wrong, as the end of a sentence */
};

/* The domain is paused then; 0. Or a negative errno and nothing is left of it. One build at a time: the
 * caller sees to that. */
int pv_build(struct pv_build *b);
