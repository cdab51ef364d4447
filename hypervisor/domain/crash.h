/* SPDX-License-Identifier: MIT
 *
 * The end of a domain that broke its own life support: a report (why, registers, where by symbol, last
 * hypercalls), then it is destroyed like any other. After domain_crash() the domain's vcpus never run again;
 * the caller goes on and returns as usual.
 */
#ifndef DOMAIN_CRASH_H
#define DOMAIN_CRASH_H

#include "lib/types.h"

struct domain;
struct vcpu;

void domain_crash(struct domain *d, const char *why, ...) __attribute__((format(printf, 2, 3), cold));

/* The same for an exception of v, the current vcpu, that its kernel has no handler for: says what v did. */
void domain_crash_exception(struct vcpu *v, unsigned int vector, uint64_t error_code) __attribute__((cold));

/* Why domain domid crashed, of the last few that did, even when it is gone; NULL: it did not. */
const char *crash_reason(unsigned int domid);

#endif
