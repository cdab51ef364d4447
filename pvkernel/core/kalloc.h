/* SPDX-License-Identifier: MIT
 *
 * Small objects: kalloc rounds up to a power of two from 16 to 2048 bytes, each size with its own pages; more
 * takes whole pages. Addresses are aligned to their (rounded) size, up to a page.
 */
#pragma once

#include <stddef.h>

/* Contents undefined; NULL: no memory, or more than 4 MiB. */
void *kalloc(size_t size);
/* Zeroed. */
void *kzalloc(size_t size);
/* NULL is allowed. */
void kfree(void *object);
/* Objects in use now, and pages that hold them. */
void kalloc_figures(size_t *objects, size_t *pages);
