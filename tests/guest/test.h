/* SPDX-License-Identifier: MIT
 *
 * The harness of the guest tests. A test is a folder with a main.c:
 *
 *     TEST("name");              the folder's name
 *     ROLE(dom0, domU);          where it runs: dom0, domU, pair (two domains of the same image), or control
 *                                (domains 0 and 1 of the same image, on Parador alone); the runner greps it
 *     void test_main(void)       makes its checks and returns
 *
 * Four outcomes, the worst counts, printed as the last line `test: NAME: pass|skip|fail|error`; then the
 * domain powers off.
 *   pass    every check held           skip   what is tested isn't there, test_skip says why
 *   fail    the hypervisor is wrong    error  the test itself could not do its work
 *
 * A test whose end is the crash of its domain calls test_expect_crash first: it prints `expect: crash`, and
 * the runner then takes the crash as the pass.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "libpv/errno.h"
#include "libpv/print.h"
#include "libpv/traps.h"

#define TEST(name) const char test_name[] = name
/* Nothing for the compiler: documentation that the runner reads. */
#define ROLE(...) extern const char test_name[]

extern const char test_name[];
void test_main(void);

/* True when the condition holds; else the line is printed and the test has failed. The rest is a message as
 * for printf. */
#define check(cond, ...) test_check(!!(cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
/* Compares two numbers (as long) and prints both when they differ. True when equal. */
#define expect_eq(expr, want) test_expect_eq((long)(expr), (long)(want), __FILE__, __LINE__, #expr, #want)
/* For steps that the test itself needs: a condition that doesn't hold ends it with `error`. */
#define require(cond, ...) test_require(!!(cond), __FILE__, __LINE__, #cond, __VA_ARGS__)

bool test_check(bool ok, const char *file, int line, const char *text, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
bool test_expect_eq(long got, long want, const char *file, int line, const char *expr, const char *want_text);
void test_require(bool ok, const char *file, int line, const char *text, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints the verdict and powers off. */
void test_finish(void) __attribute__((noreturn));
/* The same while other vcpus of the domain go on. */
void test_finish_amid(void) __attribute__((noreturn));
void test_expect_crash(const char *why);

/* True on Parador (its arch_0 answers), false on stock Xen. For what differs by design: docs/oracle.md. */
bool test_on_parador(void);

/* What the last FAULT caught. vector is -1 when the statement ran through. */
struct test_trap {
    long vector;
    uint64_t error;
    unsigned long cr2;
    struct pv_regs regs;
    unsigned long frame; /* where the registers lay */
};
extern struct test_trap test_trap;

/* Runs a statement and gives the vector of the exception that it raised, or -1. Details are in test_trap. The
 * statement is left at the fault; it must not depend on local variables that it changes. */
#define FAULT(...)               \
    ({                           \
        if (!test_try_begin()) { \
            __VA_ARGS__;         \
            test_try_end();      \
        }                        \
        test_trap.vector;        \
    })
/* Expects an exception with this vector and error code from the statement. */
#define expect_fault(vec, err, ...) \
    test_expect_fault(FAULT(__VA_ARGS__), vec, err, __FILE__, __LINE__, #__VA_ARGS__)
#define expect_no_fault(...) test_expect_fault(FAULT(__VA_ARGS__), -1, 0, __FILE__, __LINE__, #__VA_ARGS__)

/* The handler behind FAULT: of all exceptions from the start; for others as a test wants. */
void test_catch(struct pv_regs *r);
bool test_try_begin(void) __attribute__((returns_twice));
void test_try_end(void);
bool test_expect_fault(long got, long want, uint64_t error, const char *file, int line, const char *text);

/* Exception vectors by their names in the manual. */
enum { DE, DB, NMI, BP, OF, BR, UD, NM, DF, TS = 10, NP, SS, GP, PF, MF = 16, AC, MC, XM };
