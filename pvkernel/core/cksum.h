/* SPDX-License-Identifier: MIT
 *
 * The checksum that POSIX's cksum prints: CRC-32 of polynomial 04c11db7, most significant bit first, over the
 * bytes and then the length's bytes, least significant first, complemented.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct cksum {
    uint32_t crc;
    uint64_t length;
};

/* Start with a zeroed struct, add bytes in any portions. */
void cksum_add(struct cksum *c, const void *bytes, size_t n);
uint32_t cksum_end(struct cksum *c);
