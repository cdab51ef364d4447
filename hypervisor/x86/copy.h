/* SPDX-License-Identifier: MIT
 *
 * The only way to touch guest memory. Every address is checked against the hypervisor's slots 256 to 271 (so
 * a guest can name neither Parador's memory nor write the machine-to-physical table); a fault inside is
 * caught by the exception table.
 *
 * Copy once into a local, then check the copy: the guest's other vcpus may change the original at any time.
 * The address space is the current one: call in the context of the guest whose pointer it is, in kernel mode.
 */
#pragma once

#include "lib/types.h"
#include "mm/layout.h"

/* [addr, addr + size) lies outside the hypervisor's slots and the non-canonical hole. */
static force_inline bool guest_range_ok(uint64_t addr, uint64_t size)
{
    uint64_t end = addr + size;

    /* One comparison for objects of a known size in a guest kernel's half. One that wraps from the last
     * address to 0 is the guest's too. */
    if (__builtin_constant_p(size) && size && size <= PAGE_SIZE) {
        if (likely(addr >= HV_VIRT_END))
            return true;
        __asm__("" : "+r"(addr)); /* the compiler would make one longer comparison out of two */
        return addr <= (1ULL << 47) - size;
    }
    if (addr < (1ULL << 47))
        return size <= (1ULL << 47) - addr;
    return addr >= HV_VIRT_END && (end >= addr || end == 0);
}

/* Copies n bytes to or from guest memory; bytes not copied (0: all). */
size_t copy_guest_raw(void *dst, const void *src, size_t n);

/*
 * One object of 8, 4, 2 or 1 bytes, in one instruction; a fault goes to `label`. The caller checked the
 * range. val is an lvalue of the type that ptr (a pointer into guest memory) points to.
 */
#ifdef HOST_TEST
#define guest_get_or(val, ptr, label)                               \
    do {                                                            \
        if (!(ptr))                                                 \
            goto label;                                             \
        __builtin_memcpy(&(val), (const void *)(ptr), sizeof(val)); \
    } while (0)
#define guest_put_or(val, ptr, label)                         \
    do {                                                      \
        if (!(ptr))                                           \
            goto label;                                       \
        __builtin_memcpy((void *)(ptr), &(val), sizeof(val)); \
    } while (0)
#define guest_put_at(val, base, offset, label) guest_put_or(val, (base) + (offset), label)
#else
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
/* 8 bytes at base plus a constant offset. */
#define guest_put_at(val, base, offset, label)                   \
    __asm__ goto("1: movq %0, %c2(%1)\n"                         \
                 ".section .extable, \"a\"\n"                    \
                 ".balign 4; .long 1b - ., %l[" #label "] - .\n" \
                 ".previous"                                     \
                 :                                               \
                 : "r"(val), "r"(base), "i"(offset)              \
                 : "memory"                                      \
                 : label)
#endif

/* Whether copies of n bytes are made word by word, without a call. */
#define COPY_BY_WORDS(n) (__builtin_constant_p(n) && (n) <= 48 && (n) % 4 == 0)

#ifdef __clang__
#define UNROLL /* it can't unroll asm goto, and would say so */
#else
#define UNROLL _Pragma("GCC unroll 6")
#endif

static force_inline int __must_check copy_from_guest(void *dst, uint64_t guest, size_t n)
{
    uint64_t word;
    uint32_t half;

    if (unlikely(!guest_range_ok(guest, n)))
        return -EFAULT;
    if (!COPY_BY_WORDS(n))
        return unlikely(copy_guest_raw(dst, (const void *)guest, n)) ? -EFAULT : 0;
    UNROLL for (size_t at = 0; at + 8 <= n; at += 8)
    {
        guest_get_or(word, guest + at, fault);
        __builtin_memcpy((char *)dst + at, &word, 8);
    }
    if (n % 8) {
        guest_get_or(half, guest + n - 4, fault);
        __builtin_memcpy((char *)dst + n - 4, &half, 4);
    }
    return 0;
fault:
    return -EFAULT;
}

/* The caller checked the range. */
static force_inline int __must_check copy_to_guest_nocheck(uint64_t guest, const void *src, size_t n)
{
    uint64_t word;
    uint32_t half;

    if (!COPY_BY_WORDS(n))
        return unlikely(copy_guest_raw((void *)guest, src, n)) ? -EFAULT : 0;
    UNROLL for (size_t at = 0; at + 8 <= n; at += 8)
    {
        __builtin_memcpy(&word, (const char *)src + at, 8);
        guest_put_or(word, guest + at, fault);
    }
    if (n % 8) {
        __builtin_memcpy(&half, (const char *)src + n - 4, 4);
        guest_put_or(half, guest + n - 4, fault);
    }
    return 0;
fault:
    return -EFAULT;
}

static force_inline int __must_check copy_to_guest(uint64_t guest, const void *src, size_t n)
{
    return likely(guest_range_ok(guest, n)) ? copy_to_guest_nocheck(guest, src, n) : -EFAULT;
}

static inline int __must_check get_guest_u64(uint64_t *val, uint64_t guest)
{
    return copy_from_guest(val, guest, 8);
}

static inline int __must_check put_guest_u64(uint64_t val, uint64_t guest)
{
    return copy_to_guest(guest, &val, 8);
}
