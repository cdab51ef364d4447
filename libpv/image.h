/* SPDX-License-Identifier: MIT
 *
 * A PV kernel's ELF file and its Xen notes, as much of them as libpv/build.c needs. Nothing in the file is
 * trusted. Source: ELF-64 object file format; xen/elfnote.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PV_IMAGE_UNSET    (~0UL)
#define PV_IMAGE_SEGMENTS 16

struct pv_image {
    const unsigned char *file;
    struct {
        unsigned long offset, file_size; /* in the file */
        unsigned long vaddr;
    } segment[PV_IMAGE_SEGMENTS];
    unsigned int segments;
    unsigned long start, end; /* of all segments in memory */
    unsigned long virt_base, entry;
    unsigned long hypercall_page; /* PV_IMAGE_UNSET: none */
};

/* NULL, or what is wrong with the file, as the end of a sentence ("it is no ELF file"). */
const char *pv_image_read(struct pv_image *image, const void *file, size_t size);
