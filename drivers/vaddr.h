/* SPDX-License-Identifier: MIT
 *
 * Pages of kernel address space with nothing mapped there, to map other domains' frames at. libpv reserves
 * such space for ever; this keeps what is given back for the next who wants as many pages.
 */
#pragma once

#include "libpv/grant.h"

/* Thread. n pages in a row, or NULL. */
void *drv_vaddr_get(unsigned int n);
/* Thread. Nothing is mapped there any more. NULL is allowed. */
void drv_vaddr_put(void *vaddr, unsigned int n);

/* A page of another domain that it granted; vaddr NULL: none. */
struct drv_page {
    void *vaddr;
    grant_handle_t handle;
};

/* Thread. 0; -ENOMEM or a negative GNTST_*: then p->vaddr is NULL. */
int drv_page_map(struct drv_page *p, domid_t from, grant_ref_t ref);
/* Thread. Nothing, if there is none. */
void drv_page_unmap(struct drv_page *p);
