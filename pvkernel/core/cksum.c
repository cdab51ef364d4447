/* SPDX-License-Identifier: MIT
 *
 * POSIX's cksum, eight bytes a step: table[k][b] is what byte b does to the CRC when k more bytes follow it,
 * so the eight bytes' effects are independent and are xor-ed together. Source: POSIX.1-2017, cksum.
 */
#include "pvkernel/core/cksum.h"
#include <stdbool.h>

#define POLY 0x04c11db7u

static struct {
    uint32_t t[8][256];
    bool ready;
} tables;

static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b << 24;
        for (int i = 0; i < 8; i++)
            c = c << 1 ^ (c >> 31 ? POLY : 0);
        tables.t[0][b] = c;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++)
            tables.t[k][b] = tables.t[k - 1][b] << 8 ^ tables.t[0][tables.t[k - 1][b] >> 24];
    __atomic_store_n(&tables.ready, true, __ATOMIC_RELEASE);
}

/* Made twice by two threads they do no harm: the values are the same. */
static void want_tables(void)
{
    if (!__atomic_load_n(&tables.ready, __ATOMIC_ACQUIRE))
        make_tables();
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t add_byte(uint32_t crc, uint8_t byte)
{
    return crc << 8 ^ tables.t[0][crc >> 24 ^ byte];
}

void cksum_add(struct cksum *c, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t crc = c->crc;
    want_tables();
    c->length += n;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t a = crc ^ big_endian(p), b = big_endian(p + 4);
        crc = tables.t[7][a >> 24] ^ tables.t[6][a >> 16 & 255] ^ tables.t[5][a >> 8 & 255] ^
              tables.t[4][a & 255] ^ tables.t[3][b >> 24] ^ tables.t[2][b >> 16 & 255] ^
              tables.t[1][b >> 8 & 255] ^ tables.t[0][b & 255];
    }
    while (n--)
        crc = add_byte(crc, *p++);
    c->crc = crc;
}

uint32_t cksum_end(struct cksum *c)
{
    want_tables();
    for (uint64_t n = c->length; n; n >>= 8)
        c->crc = add_byte(c->crc, (uint8_t)n);
    return ~c->crc;
}
