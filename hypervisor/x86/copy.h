/* SPDX-License-Identifier: MIT
 *
 * The only way to touch guest memory. Every address is checked against the hypervisor's slots 256 to 271 (so
 * a guest can name neither Parador's memory nor write the machine-to-physical table); a fault inside is
 * caught by the exception table.
 *
 * Copy once into a local, then check the copy: the guest's other vcpus may change the original at any time.
 * The address space is the current one: call in the context of the guest whose pointer it is, in kernel mode.
 */
#ifndef X86_COPY_H
#define X86_COPY_H

#include "lib/types.h"
#include "mm/layout.h"

/* [addr, addr + size) lies outside the hypervisor's slots and the non-canonical hole. */
static inline __attribute__((always_inline)) bool guest_range_ok(uint64_t addr, uint64_t size)
{
    uint64_t end = addr + size;

    /* One comparison for objects of a known size. One that wraps from the last address to 0 is the guest's
     * too. */
    if (__builtin_constant_p(size) && size && size <= PAGE_SIZE)
        return addr - ((1ULL << 47) - size + 1) >= HV_VIRT_END - (1ULL << 47) + size - 1;
    if (addr < (1ULL << 47))
        return size <= (1ULL << 47) - addr;
    return addr >= HV_VIRT_END && (end >= addr || end == 0);
}

/* Bytes not copied (0: all). */
size_t copy_to_guest_raw(void *guest, const void *src, size_t n);
size_t copy_from_guest_raw(void *dst, const void *guest, size_t n);

#ifdef HOST_TEST
static inline int __must_check copy_from_guest(void *dst, uint64_t guest, size_t n)
{
    return guest_range_ok(guest, n) && !copy_from_guest_raw(dst, (const void *)guest, n) ? 0 : -EFAULT;
}

static inline int __must_check copy_to_guest(uint64_t guest, const void *src, size_t n)
{
    return guest_range_ok(guest, n) && !copy_to_guest_raw((void *)guest, src, n) ? 0 : -EFAULT;
}

static inline int __must_check get_guest_u64(uint64_t *val, uint64_t guest)
{
    return copy_from_guest(val, guest, 8);
}

static inline int __must_check put_guest_u64(uint64_t val, uint64_t guest)
{
    return copy_to_guest(guest, &val, 8);
}

#define get_guest_u64_nocheck get_guest_u64
#define put_guest_u64_nocheck put_guest_u64
#else
/*
 * One object of 8, 4, 2 or 1 bytes, in one instruction; a fault goes to `label`. The caller checked the
 * range. val is an lvalue of the type that ptr (a pointer into guest memory) points to.
 */
#define guest_get_or(val, ptr, label)                                                            \
    do {                                                                                         \
        __typeof__(val) got_; /* gcc 12: a member as the output crashes it */                    \
        __asm__ goto("1: mov %1, %0\n"                                                           \
                     ".section .extable, \"a\"\n"                                                \
                     ".balign 4; .long 1b - ., %l[" #label "] - .\n"                             \
                     ".previous"                                                                 \
                     : "=q"(got_)                                                                \
                     : "m"(*(const volatile __typeof__(val) *)(ptr))                             \
                     :                                                                           \
                     : label);                                                                   \
        __asm__ volatile(""); /* gcc PR 113921: without it the output may get lost on its way */ \
        (val) = got_;                                                                            \
    } while (0)
#define guest_put_or(val, ptr, label)                                \
    __asm__ goto("1: mov %0, %1\n"                                   \
                 ".section .extable, \"a\"\n"                        \
                 ".balign 4; .long 1b - ., %l[" #label "] - .\n"     \
                 ".previous"                                         \
                 :                                                   \
                 : "q"(val), "m"(*(volatile __typeof__(val) *)(ptr)) \
                 : "memory"                                          \
                 : label)

static inline int __must_check get_guest_u64_nocheck(uint64_t *val, uint64_t guest)
{
    uint64_t word;

    guest_get_or(word, guest, fault);
    *val = word;
    return 0;
fault:
    return -EFAULT;
}

static inline int __must_check put_guest_u64_nocheck(uint64_t val, uint64_t guest)
{
    guest_put_or(val, guest, fault);
    return 0;
fault:
    return -EFAULT;
}

static inline int __must_check get_guest_u64(uint64_t *val, uint64_t guest)
{
    return likely(guest_range_ok(guest, 8)) ? get_guest_u64_nocheck(val, guest) : -EFAULT;
}

static inline int __must_check put_guest_u64(uint64_t val, uint64_t guest)
{
    return likely(guest_range_ok(guest, 8)) ? put_guest_u64_nocheck(val, guest) : -EFAULT;
}

/* Sizes that copy_from_guest and copy_to_guest do word by word, without a call. */
#define COPY_BY_WORDS(n) (__builtin_constant_p(n) && (n) <= 48 && (n) % 4 == 0)

#define COPY_WORD_IN(at)                                  \
    do {                                                  \
        if (n >= (at) + 8) {                              \
            uint64_t w_;                                  \
            guest_get_or(w_, guest + (at), fault);        \
            __builtin_memcpy((char *)dst + (at), &w_, 8); \
        } else if (n >= (at) + 4) {                       \
            uint32_t h_;                                  \
            guest_get_or(h_, guest + (at), fault);        \
            __builtin_memcpy((char *)dst + (at), &h_, 4); \
        }                                                 \
    } while (0)
#define COPY_WORD_OUT(at)                                       \
    do {                                                        \
        if (n >= (at) + 8) {                                    \
            uint64_t w_;                                        \
            __builtin_memcpy(&w_, (const char *)src + (at), 8); \
            guest_put_or(w_, guest + (at), fault);              \
        } else if (n >= (at) + 4) {                             \
            uint32_t h_;                                        \
            __builtin_memcpy(&h_, (const char *)src + (at), 4); \
            guest_put_or(h_, guest + (at), fault);              \
        }                                                       \
    } while (0)

static inline __attribute__((always_inline)) int __must_check copy_from_guest(void *dst, uint64_t guest,
                                                                              size_t n)
{
    if (unlikely(!guest_range_ok(guest, n)))
        return -EFAULT;
    if (!COPY_BY_WORDS(n))
        return unlikely(copy_from_guest_raw(dst, (const void *)guest, n)) ? -EFAULT : 0;
    COPY_WORD_IN(0);
    COPY_WORD_IN(8);
    COPY_WORD_IN(16);
    COPY_WORD_IN(24);
    COPY_WORD_IN(32);
    COPY_WORD_IN(40);
    return 0;
fault:
    return -EFAULT;
}

static inline __attribute__((always_inline)) int __must_check copy_to_guest(uint64_t guest, const void *src,
                                                                            size_t n)
{
    if (unlikely(!guest_range_ok(guest, n)))
        return -EFAULT;
    if (!COPY_BY_WORDS(n))
        return unlikely(copy_to_guest_raw((void *)guest, src, n)) ? -EFAULT : 0;
    COPY_WORD_OUT(0);
    COPY_WORD_OUT(8);
    COPY_WORD_OUT(16);
    COPY_WORD_OUT(24);
    COPY_WORD_OUT(32);
    COPY_WORD_OUT(40);
    return 0;
fault:
    return -EFAULT;
}
#endif

#endif
