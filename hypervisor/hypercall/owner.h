/* SPDX-License-Identifier: MIT
 *
 * Whose frames a request is about, when it names a domain other than the caller.
 */
#ifndef HYPERCALL_OWNER_H
#define HYPERCALL_OWNER_H

#include "lib/types.h"

struct domain;

/*
 * The domain `domid` (not DOMID_SELF) that the caller wants to act for, with a reference; NULL for DOMID_IO.
 * 0; -ESRCH: there is none, or it is the caller, who must say DOMID_SELF; -EPERM: the caller isn't domain 0.
 */
int hypercall_owner(struct domain *caller, uint32_t domid, struct domain **owner) __must_check;

#endif
