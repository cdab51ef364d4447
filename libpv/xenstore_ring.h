/* SPDX-License-Identifier: MIT
 *
 * The xenstore ring of start_info as a transport. Only libpv/xenstore.c includes this.
 */
#pragma once

#include "libpv/xenstore.h"

/* The ring of start_info; NULL when it has no store page. */
const struct pv_xs_transport *pv_xs_ring_connect(void);
/* The same for a page and a port that are given. */
const struct pv_xs_transport *pv_xs_ring_attach(struct xenstore_domain_interface *page, unsigned int store);
void pv_xs_ring_hooks(const struct pv_xs_hooks *hooks);
/* Takes the complete watch events that are in the ring now. The caller holds the lock, so no request is under
 * way. */
void pv_xs_ring_drain(void);
/* Blocks the vcpu until the store has notified. Without a ring: yields. */
void pv_xs_ring_wait(void);
