/* SPDX-License-Identifier: MIT
 *
 * Grant tables, version 1: a domain offers frames in a table that it shares with Parador; others map, copy or
 * take them.
 */
#ifndef DOMAIN_GRANT_H
#define DOMAIN_GRANT_H

#include "lib/types.h"
#include <xen/xen.h>
#include <xen/grant_table.h>
#include "lib/lock.h"

struct domain;
struct grant_table; /* domain/grant.c */

int grant_init(struct domain *d) __must_check;
/* Destruction, preemptible: ends what d maps of others; its page tables are gone already. 0 or -ERESTART. */
int grant_relinquish(struct domain *d) __must_check;
/* Nobody maps d's frames or its grant table any more. */
bool grant_idle(struct domain *d);
void grant_destroy(struct domain *d);

/* Builder: fills entry ref of d for `to`, read-write, without the guest. */
void grant_fill(struct domain *d, uint32_t ref, uint16_t to, uint64_t gmfn);

uint32_t grant_nr_mapped(struct domain *d); /* grants of others that d maps now */
void grant_dump(struct domain *d);          /* a line each (debug key) */

#endif
