/* SPDX-License-Identifier: MIT
 *
 * The end of a domain that broke its own life support: a report (why, registers, where by symbol, last
 * hypercalls), then it is destroyed like any other. After domain_crash() the domain's vcpus never run again;
 * the caller goes on and returns as usual.
 */
#ifndef DOMAIN_CRASH_H
#define DOMAIN_CRASH_H

struct domain;

void domain_crash(struct domain *d, const char *why, ...) __attribute__((format(printf, 2, 3), cold));

#endif
