/* SPDX-License-Identifier: MIT
 *
 * The error numbers of the ABI (<xen/errno.h>) under their plain names: a hypercall returns -EPERM and so on.
 * No other header of libpv includes this one, so that a kernel with error numbers of its own can leave it
 * out.
 */
#pragma once

#define XEN_ERRNO(name, value) name = (value),
enum pv_errno {
#include <xen/errno.h>
};
