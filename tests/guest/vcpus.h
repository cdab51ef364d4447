/* SPDX-License-Identifier: MIT
 *
 * Several vcpus in a guest test (its line `// vcpus: N` says how many it has). What runs on the others is
 * plain: no events come, nothing of libpv that keeps state may be used, and the only exception that is
 * caught is the page fault of test_poke(). The verdict of what they do must not depend on who comes first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TEST_VCPUS 4 /* at most */

/* Runs fn(1) to fn(n - 1) on the vcpus of these numbers and fn(0) on vcpu 0; back when all are done. */
void test_on_vcpus(unsigned int n, void (*fn)(unsigned int id));

/* A vcpu's first state for VCPUOP_initialise: in the kernel, at `entry`, on the stack that ends at `top`, no
 * exceptions. */
struct vcpu_guest_context;
void test_context(struct vcpu_guest_context *c, void (*entry)(void), void *top);

/* Any vcpu, in fn: writes a word. False: a page fault. */
bool test_poke(volatile uint64_t *at, uint64_t val);

/* Any vcpu, now and then: the others have their turn. */
void test_let_others(void);

/* The next number of a sequence; the low bits are the poor ones. */
static inline uint64_t test_random(uint64_t *seed)
{
    return *seed = *seed * 6364136223846793005UL + 1442695040888963407UL;
}

/* Whether an errno (or status) is one of those in a list that ends with 1. */
bool test_one_of(long rc, const short *list);
