/* SPDX-License-Identifier: MIT
 *
 * The xenstore server at work in domain 0: its own drivers by libpv's client, other domains by the rings in
 * their store pages.
 *
 * Domains come from the hypervisor's list of those made at boot (PARADOR_domain_info), and by XS_INTRODUCE;
 * the store page is mapped by the domain's grant reference 1, its unbound port is bound. When a domain ends
 * (VIRQ_DOM_EXC) it is unmapped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

/* Thread: starts the server in this domain and makes it libpv's transport, so that pv_xs_* work from here on.
 * 0 or -errno. */
int xenstored_start(void);

/* Thread: the home of a domain that will be introduced: "/local/domain/N" with name, domid, memory, vcpus,
 * console (its frame and port) and the directories that it may write. */
struct xenstored_home {
    domid_t domid;
    const char *name;
    unsigned long pages;
    unsigned int vcpus;
    unsigned long console_frame;
    unsigned int console_port;
};
void xenstored_make_home(const struct xenstored_home *h);

#define XENSTORED_DESTROYED ~0u /* it did not end by itself */

/* Thread: looks at the hypervisor's list. New domains get their home (those that
 * were introduced have one) and are connected; came and gone (either may be NULL) are called for each that
 * came or ended (reason: SHUTDOWN_* or XENSTORED_DESTROYED). On stock Xen there is no list, and domains come
 * by introduction only. Call it at start and when xenstored_domains_changed. */
void xenstored_scan(void (*came)(domid_t domid, const char *name),
                    void (*gone)(domid_t domid, unsigned int reason));
bool xenstored_domains_changed(void);

/* Upcall-safe: is there anything for xenstored_work? */
bool xenstored_pending(void);
/* Thread: one bounded round over all connections. True: call again. */
bool xenstored_work(void);

/* Domains connected now. */
unsigned int xenstored_nr_connections(void);
