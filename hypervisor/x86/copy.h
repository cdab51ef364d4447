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
static inline bool guest_range_ok(uint64_t addr, uint64_t size)
{
    uint64_t end = addr + size;

    if (addr < (1ULL << 47))
        return size <= (1ULL << 47) - addr;
    return addr >= HV_VIRT_END && (end >= addr || end == 0);
}

/* Bytes not copied (0: all). */
size_t copy_to_guest_raw(void *guest, const void *src, size_t n);
size_t copy_from_guest_raw(void *dst, const void *guest, size_t n);
size_t clear_guest_raw(void *guest, size_t n);

static inline int __must_check copy_from_guest(void *dst, uint64_t guest, size_t n)
{
    if (unlikely(!guest_range_ok(guest, n)) || unlikely(copy_from_guest_raw(dst, (const void *)guest, n)))
        return -EFAULT;
    return 0;
}

static inline int __must_check copy_to_guest(uint64_t guest, const void *src, size_t n)
{
    if (unlikely(!guest_range_ok(guest, n)) || unlikely(copy_to_guest_raw((void *)guest, src, n)))
        return -EFAULT;
    return 0;
}

#ifdef HOST_TEST
static inline int get_guest_u64(uint64_t *val, uint64_t guest)
{
    return copy_from_guest(val, guest, 8);
}
#else
/* One aligned-or-not word, in a handful of instructions; the caller checked the range. 0 or -EFAULT. */
static inline int __must_check get_guest_u64_nocheck(uint64_t *val, uint64_t guest)
{
    int rc = 0;

    __asm__ volatile("1: mov %2, %1\n"
                     "2:\n"
                     ".section .fixup, \"ax\"\n"
                     "3: mov %3, %0; xor %k1, %k1; jmp 2b\n"
                     ".previous\n"
                     ".section .extable, \"a\"\n"
                     ".balign 4; .long 1b - ., 3b - .\n"
                     ".previous"
                     : "+r"(rc), "=&r"(*val)
                     : "m"(*(const uint64_t *)guest), "i"(-EFAULT));
    return rc;
}

static inline int __must_check get_guest_u64(uint64_t *val, uint64_t guest)
{
    return likely(guest_range_ok(guest, 8)) ? get_guest_u64_nocheck(val, guest) : -EFAULT;
}

/* The same for a word of 32 bits. */
static inline int __must_check get_guest_u32(uint32_t *val, uint64_t guest)
{
    int rc = 0;

    if (unlikely(!guest_range_ok(guest, 4)))
        return -EFAULT;
    __asm__ volatile("1: mov %2, %1\n"
                     "2:\n"
                     ".section .fixup, \"ax\"\n"
                     "3: mov %3, %0; xor %1, %1; jmp 2b\n"
                     ".previous\n"
                     ".section .extable, \"a\"\n"
                     ".balign 4; .long 1b - ., 3b - .\n"
                     ".previous"
                     : "+r"(rc), "=&r"(*val)
                     : "m"(*(const uint32_t *)guest), "i"(-EFAULT));
    return rc;
}

static inline int __must_check put_guest_u64_nocheck(uint64_t val, uint64_t guest)
{
    int rc = 0;

    __asm__ volatile("1: mov %1, %2\n"
                     "2:\n"
                     ".section .fixup, \"ax\"\n"
                     "3: mov %3, %0; jmp 2b\n"
                     ".previous\n"
                     ".section .extable, \"a\"\n"
                     ".balign 4; .long 1b - ., 3b - .\n"
                     ".previous"
                     : "+r"(rc)
                     : "r"(val), "m"(*(uint64_t *)guest), "i"(-EFAULT)
                     : "memory");
    return rc;
}

static inline int __must_check put_guest_u64(uint64_t val, uint64_t guest)
{
    return likely(guest_range_ok(guest, 8)) ? put_guest_u64_nocheck(val, guest) : -EFAULT;
}
#endif

#endif
