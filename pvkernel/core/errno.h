/* SPDX-License-Identifier: MIT
 *
 * Error numbers of the kernel and of its system calls: the usual Unix ones. Functions return them negative.
 */
#pragma once

enum {
    KE_PERM = 1,
    KE_NOENT = 2,
    KE_SRCH = 3,
    KE_INTR = 4,
    KE_IO = 5,
    KE_NXIO = 6,
    KE_NOEXEC = 8,
    KE_BADF = 9,
    KE_CHILD = 10,
    KE_AGAIN = 11,
    KE_NOMEM = 12,
    KE_FAULT = 14,
    KE_BUSY = 16,
    KE_NODEV = 19,
    KE_INVAL = 22,
    KE_NOSPC = 28,
    KE_ROFS = 30,
    KE_NOSYS = 38,
};

/* The name of an error, negative or positive: "no such file", ... */
const char *error_text(int error);
