/* SPDX-License-Identifier: MIT
 *
 * The kinds of addresses of a PV guest, as types that the compiler keeps apart.
 *
 *   pfn    pseudo-physical frame number: 0 .. nr_pages - 1, the guest's own contiguous numbering
 *   mfn    machine frame number: what page-table entries and hypercalls name
 *   maddr  machine address, in bytes
 *   vaddr  virtual address, plain pointers and unsigned long
 *
 * libpv/memory.h converts between them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    unsigned long v;
} pfn_t;

typedef struct {
    unsigned long v;
} mfn_t;

typedef struct {
    unsigned long v;
} maddr_t;

static inline pfn_t pfn(unsigned long v)
{
    return (pfn_t){ v };
}

static inline mfn_t mfn(unsigned long v)
{
    return (mfn_t){ v };
}

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL
#define PAGE_MASK  (~(PAGE_SIZE - 1))
