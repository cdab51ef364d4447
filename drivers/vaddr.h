/* SPDX-License-Identifier: MIT
 *
 * Pages of kernel address space with nothing mapped there, to map other domains' frames at. libpv reserves
 * such space for ever; this keeps what is given back for the next who wants as many pages.
 */
#pragma once

/* Thread. n pages in a row, or NULL. */
void *drv_vaddr_get(unsigned int n);
/* Thread. Nothing is mapped there any more. NULL is allowed. */
void drv_vaddr_put(void *vaddr, unsigned int n);
