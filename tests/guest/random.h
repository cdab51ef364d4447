/* SPDX-License-Identifier: MIT
 *
 * What the random_* guests share: a generator that gives the same numbers everywhere, a hash of all results,
 * and the words of the command line. So two hypervisors can be compared (tests/guest/compare): by the hash,
 * or line by line for the steps from=N to=M.
 *
 *     seed=1 steps=20000 from=0 to=0
 */
#pragma once

#include "tests/guest/test.h"

/* The step that is made now, and how many are asked for. */
extern unsigned long random_step, random_steps;

/* 0 to n - 1. */
unsigned int random(unsigned int n);
/* All 64 bits of the generator as they are. */
uint64_t random_bits(void);
#define PICK(array) array[random(sizeof(array) / sizeof(array[0]))]

/* Takes a result into the hash. */
void random_mix(uint64_t v);

/* Whether the results of this step are to be printed; of any step. */
bool random_shown(void);
bool random_shows(void);

/* A number of the command line. */
unsigned long random_word(const char *name, unsigned long def);

/* Reads the words; the generator begins. */
void random_begin(void);
/* Makes all steps, each one of the n calls; after each asks `go_on`, if there is one. Prints the hash. */
void random_run(void (*const calls[])(void), unsigned int n, bool (*go_on)(void));
