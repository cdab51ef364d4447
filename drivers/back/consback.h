/* SPDX-License-Identifier: MIT
 *
 * The other end of the domains' consoles: serves the console page (xen/io/console.h) of each other domain, in
 * domain 0.
 *
 * What a domain writes is kept, the last CONSBACK_KEPT bytes of it, and goes out at once while somebody is
 * attached; what is typed then goes in. The domain is not trusted: an index that is out of range costs it
 * what is in its ring, and a domain that writes without end gets a ring's worth a round, like all others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>

#define CONSBACK_KEPT 16384

struct consback;

/* Thread: serves domain `front`, whose unbound port and frame are in its home in xenstore, console/port and
 * console/ring-ref. 0; -ENOENT: it has no console; or why it can't be served (errno, or of grants -1 to -13).
 */
int consback_offer(domid_t front);

/* Thread: domain `front` is gone: what is left in its ring is taken, and its page unmapped. What it wrote
 * stays while somebody is attached; where nobody is, the last lines of one that crashed are printed. */
void consback_domain_gone(domid_t front, bool crashed);

/* Upcall-safe: is there anything for consback_work? */
bool consback_pending(void);

/* Thread: one bounded round over all consoles. True: call again. */
bool consback_work(void);

/* Any thread but the one of the work: out() gets what was kept, and then what comes, one call after the
 * other, in the thread of consback_work(). One at a time and domain: NULL if the domain is not served, or
 * somebody is attached. */
struct consback *consback_attach(domid_t front, void (*out)(const char *text, size_t n));
void consback_detach(struct consback *c);

/* Who is attached types: how many characters the ring had room for. */
size_t consback_type(struct consback *c, const char *keys, size_t n);

/* False when the domain is gone. */
bool consback_lives(const struct consback *c);
/* It has written something. */
bool consback_spoke(const struct consback *c);
/* It is gone, and had crashed. */
bool consback_crashed(const struct consback *c);
