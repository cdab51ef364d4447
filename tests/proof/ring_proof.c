/* SPDX-License-Identifier: MIT
 *
 * ring/ under Frama-C's Eva (make prove): the two sides of a block ring and of rings with other slots, called
 * in any order and any number of times, on a page that holds anything at every look.
 *
 * Eva follows all executions at once, with every variable's possible values. It marks each access that it
 * can't show to lie inside of the page, the side's own structure or the caller's buffer, each use of what was
 * never set, each bad shift or overflow of a signed number. No mark: there is none. To Eva a volatile object
 * has any value at each read; so the builtins through which ring/order.h touches the page become accesses to
 * volatile objects, and `any` is what decides.
 *
 * What this leaves to others: the indices' order (tests/fuzz/ring_fuzz.c) and the wake-ups
 * (tests/model/ring_notify.pml). The compiler's barriers and fences are taken for nothing.
 */
#include <stddef.h>
#include <stdint.h>

static inline uint32_t proof_load(const uint32_t *word)
{
    return *(const volatile uint32_t *)word;
}

static inline void proof_store(uint32_t *word, uint32_t value)
{
    *(volatile uint32_t *)word = value;
}

static inline void proof_copy(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((volatile unsigned char *)to)[i] = ((const volatile unsigned char *)from)[i];
}

static inline void proof_fill(void *to, int value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((volatile unsigned char *)to)[i] = (unsigned char)value;
}

#define __atomic_load_n(word, order)         proof_load(word)
#define __atomic_store_n(word, value, order) proof_store(word, value)
#define __atomic_thread_fence(order)         ((void)0)
#define __builtin_memcpy                     proof_copy
#define __builtin_memset                     proof_fill
#include "drivers/blkring.h"

RING_TYPES(small, uint8_t, uint16_t);

struct odd {
    uint8_t bytes[100];
};
RING_TYPES(odd, struct odd, uint32_t);

static volatile unsigned int any;

/* Every function of one kind of ring, on an area of `size` bytes. */
#define PROVE(name, req_t, rsp_t, size)                                   \
    static void prove_##name(void)                                        \
    {                                                                     \
        static uint32_t area[(size) / 4];                                 \
        static struct name##_front front;                                 \
        static struct name##_back back;                                   \
        req_t req = { 0 };                                                \
        rsp_t rsp = { 0 };                                                \
                                                                          \
        name##_front_init(&front, area, sizeof(area));                    \
        name##_back_attach(&back, area, sizeof(area));                    \
        while (any) {                                                     \
            switch (any) {                                                \
            case 0:                                                       \
                name##_front_put(&front, &req);                           \
                break;                                                    \
            case 1:                                                       \
                any = ring_front_push(&front.ring);                       \
                break;                                                    \
            case 2:                                                       \
                if (name##_front_take(&front, &rsp))                      \
                    any = ((const unsigned char *)&rsp)[sizeof(rsp) - 1]; \
                break;                                                    \
            case 3:                                                       \
                any = ring_front_idle(&front.ring);                       \
                break;                                                    \
            case 4:                                                       \
                any = ring_front_free(&front.ring);                       \
                break;                                                    \
            case 5:                                                       \
                if (name##_back_take(&back, &req))                        \
                    any = ((const unsigned char *)&req)[sizeof(req) - 1]; \
                break;                                                    \
            case 6:                                                       \
                name##_back_put(&back, &rsp);                             \
                break;                                                    \
            case 7:                                                       \
                any = ring_back_push(&back.ring);                         \
                break;                                                    \
            default:                                                      \
                any = ring_back_idle(&back.ring);                         \
            }                                                             \
        }                                                                 \
    }

PROVE(blk, struct blkif_request, struct blkif_response, 4096)
PROVE(small, uint8_t, uint16_t, 72)
PROVE(odd, struct odd, uint32_t, 400)

int main(void)
{
    prove_blk();
    prove_small();
    prove_odd();
    return 0;
}
