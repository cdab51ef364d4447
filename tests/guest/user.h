/* SPDX-License-Identifier: MIT
 *
 * User mode for guest tests: one user page table with a page of code and a page of stack, and snippets that
 * run there.
 *
 *     USER_CODE(name, "mov $1, %eax; syscall");
 *     test_user_init();
 *     struct pv_regs r = test_user_regs(name);
 *     FAULT(pv_resume(&r));           back with the first entry from user mode: test_trap.vector,
 * test_trap.regs
 */
#pragma once

#include "libpv/types.h"
#include "tests/guest/test.h"

#define USER_CODE_VA   0x400000UL
#define USER_STACK_VA  0x401000UL
#define USER_STACK_TOP 0x402000UL

/* Position-independent code of less than a page. */
#define USER_CODE(name, text)               \
    extern const char name[], name##_end[]; \
    __asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection")

/* Makes and pins the tables, sets them as the user's, maps them also in the kernel's slot 0, sets the kernel
 * stack (stack_switch) and takes SYSCALL into FAULT. Ends the test with `error` when that doesn't work. */
void test_user_init(void);

/* Copies a snippet to the code page; the registers to start it with: rip and rsp set, all else 0, events on.
 */
struct pv_regs test_user_load(const char *code, const char *end);
#define test_user_regs(name) test_user_load(name, name##_end)

/* The tables and pages, in the linear mapping. */
struct test_user {
    uint64_t *l4, *l3, *l2, *l1;
    char *code, *stack;
    char *kernel_stack_top; /* what stack_switch was told */
};
extern struct test_user test_user;
