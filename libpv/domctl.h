/* SPDX-License-Identifier: MIT
 *
 * Domain 0's calls about other domains: the control calls of xen/domctl.h, and mapping of others' frames.
 *
 * All give 0 or a negative errno: -EPERM outside of domain 0, -ESRCH when there is no such domain, -EINVAL
 * for the caller's own domain where that can't be, and on Parador for a domain that is dying.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/domctl.h>
#include "libpv/types.h"

/* Any of them: sets the version, and op->cmd and the rest are the caller's. */
int pv_domctl(struct xen_domctl *op);

#define PV_TSC_NATIVE 2 /* tsc_mode of XEN_DOMCTL_settscinfo: rdtsc is never emulated */

/* An empty, paused domain that reads the machine's own TSC, with `vcpus` vcpus and room for `pages` frames.
 * *domid in: the number that it shall have, 0: any; out: its number. */
int pv_domain_create(domid_t *domid, unsigned int vcpus, unsigned long pages);
/* Ends it for good; returns when its memory is back, but for frames that are still mapped somewhere. */
int pv_domain_destroy(domid_t domid);
int pv_domain_pause(domid_t domid);
int pv_domain_unpause(domid_t domid);
/* About the domain with this or the next higher number: info->domain says which. -ESRCH: there is none. */
int pv_domain_info(domid_t domid, struct xen_domctl_getdomaininfo *info);

/* Pages of the machine that no domain has; 0 if this domain may not know. */
uint64_t pv_free_pages(void);

/* It exists, and has not begun to end. */
static inline bool pv_domain_lives(domid_t domid)
{
    struct xen_domctl_getdomaininfo info;

    return !pv_domain_info(domid, &info) && info.domain == domid &&
           !(info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown));
}

/* The CPUs that a vcpu may run on from now on, bit n: CPU n. -EINVAL: none of them exists. */
int pv_domain_pin(domid_t domid, unsigned int vcpu, uint64_t cpus);

/* Maps n frames of another domain at va, whose page tables exist (pv_vaddr_reserve). All or none. */
int pv_foreign_map(domid_t domid, void *va, const uint64_t *frames, unsigned int n);
/* The same pages are unmapped. */
void pv_foreign_unmap(void *va, unsigned int n);
