/* SPDX-License-Identifier: MIT
 *
 * System calls: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9, result in rax (negative: an error of
 * errno.h). Programs include this file too, so it holds numbers only.
 */
#pragma once

#define SYS_exit   0 /* (status) */
#define SYS_write  1 /* (fd, bytes, n): n; fd 1 and 2 are the console */
#define SYS_read   2 /* (fd, buffer, n): a line from the console (fd 0) */
#define SYS_getpid 3
#define SYS_sleep  4 /* (nanoseconds) */
#define SYS_sbrk   5 /* (delta): the old end of the heap */
#define SYS_time   6 /* nanoseconds since boot */
#define SYS_yield  7
#define SYS_clock  8 /* seconds since 1970 */
#define SYS_COUNT  9
