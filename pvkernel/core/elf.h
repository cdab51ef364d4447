/* SPDX-License-Identifier: MIT
 *
 * Loading of programs: a static 64-bit ELF file becomes regions of an address space. Nothing is copied here:
 * pages are filled from the file when they are touched.
 */
#pragma once

#include "pvkernel/core/vm.h"

/* Adds a region for each PT_LOAD segment and an empty heap behind the last; *entry: where to start. The file
 * must stay where it is. -KE_NOEXEC: no static x86-64 program, or one whose numbers make no sense (*why says
 * what). */
int elf_load(struct vm *vm, const void *file, size_t size, uintptr_t *entry, const char **why);
