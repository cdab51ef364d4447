/* SPDX-License-Identifier: MIT
 *
 * The end of a domain that broke its own life support: a report (why, registers, where by symbol, last
 * hypercalls), then it is destroyed like any other. After domain_crash() the domain's vcpus never run again;
 * the caller goes on and returns as usual.
 */
#ifndef DOMAIN_CRASH_H
#define DOMAIN_CRASH_H

#include "lib/types.h"
#include <xen/xen.h>
#include <xen/sched.h>

struct domain;
struct vcpu;

/* reason: SHUTDOWN_*, what domain 0 hears. */
void domain_crash_as(struct domain *d, uint8_t reason, const char *why, ...)
    __attribute__((format(printf, 3, 4), cold));
#define domain_crash(d, ...) domain_crash_as(d, SHUTDOWN_crash, __VA_ARGS__)

/* A guest ended itself with SHUTDOWN_crash: the report, with v's last refusal as the likely reason. */
void domain_crash_own(struct vcpu *v) __attribute__((cold));

/* The same for an exception of v, the current vcpu, that its kernel has no handler for: says what v did. */
void domain_crash_exception(struct vcpu *v, unsigned int vector, uint64_t error_code) __attribute__((cold));

/* Why domain domid crashed, of the last few that did, even when it is gone; NULL: it did not. */
const char *crash_reason(unsigned int domid);

/* The rest of a line about v, which had one: its last refusal. */
void crash_say_refusal(const struct vcpu *v);

#endif
