/* SPDX-License-Identifier: MIT
 *
 * Copies to and from guest memory of any length (x86/copy.h): words of 8 bytes, then bytes. A fault in the
 * words leaves the rest to be counted; which byte of a word faulted doesn't matter to anybody.
 */
#include "x86/copy.h"

/* One string instruction over n units of (1 << shift) bytes; what is left, in units. */
#define STRING_COPY(insn, d, s, left)                    \
    __asm__ volatile("1: rep " insn "\n"                 \
                     "2:\n"                              \
                     ".section .extable, \"a\"\n"        \
                     ".balign 4; .long 1b - ., 2b - .\n" \
                     ".previous"                         \
                     : "+D"(d), "+S"(s), "+c"(left)      \
                     :                                   \
                     : "memory")

size_t copy_guest_raw(void *dst, const void *src, size_t n)
{
    size_t words = n / 8, bytes = n % 8;

    STRING_COPY("movsq", dst, src, words);
    if (unlikely(words))
        return words * 8 + bytes;
    if (bytes)
        STRING_COPY("movsb", dst, src, bytes);
    return bytes;
}
