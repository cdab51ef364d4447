/* SPDX-License-Identifier: MIT
 *
 * What the files of the command xl share.
 */
#pragma once

#include <stdint.h>
#include <xen/xen.h>

#define XL_NAME_MAX   32
#define XL_MOST_VCPUS 32
#define XL_END_NS     5000000000ull /* how long to wait until all of a domain is back */

/* Says what is wrong; 1, a command's status. */
int xl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The end of a sentence about a call's error. */
const char *xl_reason(int error);
/* Its name in xenstore, or "(none)"; name has XL_NAME_MAX bytes. */
void xl_name_of(unsigned domid, char *name);
/* Waits until a domain that ended is gone, and its number free: until the services of this domain have
 * unmapped what they mapped of it. The pages that are left of it. */
unsigned long xl_await_end(domid_t domid);

/* The command create. */
int xl_create(int argc, char **argv);
/* The number of the domain that was made anew in place of the one with this name and number because that one
 * rebooted; waits for it while that is being done. 0: there is none. */
domid_t xl_successor(const char *name, domid_t domid);
