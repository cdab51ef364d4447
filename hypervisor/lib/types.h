/* SPDX-License-Identifier: MIT
 *
 * Words that every file of Parador uses: sizes, address kinds, errnos, small macros.
 *
 * Machine frame numbers (mfn) and a guest's pseudo-physical ones (pfn) are distinct one-member structs, so
 * that the compiler refuses to mix them. maddr and vaddr are plain 64-bit numbers. Errnos are Xen's
 * (xen/errno.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef HOST_TEST
#include <errno.h>
#else
/* -fvisibility=hidden is for definitions only; this makes declared functions local too, so that nothing needs
 * a GOT. */
#pragma GCC visibility push(hidden)
enum {
#define XEN_ERRNO(name, value) name = value,
#include <xen/errno.h>
    ERESTART = 85, /* Parador's own, never given to a guest: stopped half-way, call again */
};
#endif

typedef struct {
    uint64_t v;
} mfn_t;

typedef struct {
    uint64_t v;
} pfn_t;

#define MFN(x)      ((mfn_t){ (x) })
#define PFN(x)      ((pfn_t){ (x) })
#define INVALID_MFN MFN(~0ULL)
#define INVALID_PFN PFN(~0ULL)

#define PAGE_SHIFT  12
#define PAGE_SIZE   4096UL
#define PAGE_MASK   (~(PAGE_SIZE - 1))

static inline uint64_t mfn_to_maddr(mfn_t m)
{
    return m.v << PAGE_SHIFT;
}

static inline mfn_t maddr_to_mfn(uint64_t maddr)
{
    return MFN(maddr >> PAGE_SHIFT);
}

#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define __must_check                    __attribute__((warn_unused_result))
#define __noreturn                      __attribute__((noreturn))
#define force_inline                    inline __attribute__((always_inline))
#define DIV_ROUND_UP(n, d)              (((n) + (d)-1) / (d))
#define ROUND_UP(n, to)                 (((n) + (to)-1) & ~((__typeof__(n))(to)-1))
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Word-sized access that the compiler may neither tear, repeat nor drop (shared pages, flags). */
#define READ_ONCE(x)       (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, val) (*(volatile __typeof__(x) *)&(x) = (val))
