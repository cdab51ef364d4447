/* SPDX-License-Identifier: MIT
 *
 * What a program's address space holds: regions (where, with which protection, backed by which bytes of its
 * file), and pages that come when they are touched first. Zeros follow a region's file bytes: bss, heap and
 * stack are regions with few or no file bytes.
 *
 * A vm is used by one thread only, its program's (and by who starts the program, before that). The file's
 * bytes stay where they are (the ramdisk), so a page can be filled from them at any time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "pvkernel/core/arch.h"

#define VM_REGIONS 12

struct region {
    uintptr_t start, end; /* page-aligned, end exclusive */
    unsigned prot;        /* MAP_* */
    const uint8_t *file;  /* the bytes at start; NULL: none */
    size_t file_len;
    const char *name;
};

struct vm {
    struct arch_aspace *as;
    struct region regions[VM_REGIONS];
    unsigned nr_regions;
    struct region *heap; /* the region that vm_brk moves */
    uintptr_t brk;       /* exact end of the heap */
    size_t pages;        /* mapped now */
    uint64_t faults;
};

/* 0, or -KE_NOMEM. */
int vm_init(struct vm *vm);
/* Frees all pages and tables. */
void vm_destroy(struct vm *vm);

/* Adds a region. -KE_INVAL: not aligned, outside of the user's range, or it overlaps another one; -KE_NOMEM:
 * too many. */
int vm_add(struct vm *vm, const struct region *r);
/* Starts an empty heap at `start`. */
int vm_add_heap(struct vm *vm, uintptr_t start);
/* Moves the end of the heap by `delta` bytes; the old end goes to *old. -KE_NOMEM when that can't be. */
int vm_brk(struct vm *vm, intptr_t delta, uintptr_t *old);

/* The page at `va` becomes present if a region allows this access. False: it doesn't, or no memory (*why: a
 * few words). */
bool vm_fault(struct vm *vm, uintptr_t va, unsigned access, const char **why);

/* Copies between kernel and program. 0, or -KE_FAULT. */
int vm_copy_out(struct vm *vm, uintptr_t to, const void *from, size_t n);
int vm_copy_in(struct vm *vm, void *to, uintptr_t from, size_t n);
