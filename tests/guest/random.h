/* SPDX-License-Identifier: MIT
 *
 * What the random_* guests share: a generator that gives the same numbers everywhere, a hash of all results,
 * a count of them by call and errno, and the words of the command line. So two hypervisors can be compared
 * (`make fuzz`): a run is cut into epochs, each begins the generator anew and ends with a line with its hash.
 * Where the hashes of an epoch differ, the word epoch=N makes a guest print all steps of that one.
 *
 *     seed=1 steps=20000 epoch=
 */
#pragma once

#include "tests/guest/test.h"

#define RANDOM_EPOCH 1024 /* steps */

/* The step that is made now, how many are asked for, and the epoch. */
extern unsigned long random_step, random_steps, random_epoch;

/* 0 to n - 1. */
unsigned int random(unsigned int n);
/* All 64 bits of the generator as they are. */
uint64_t random_bits(void);
#define PICK(array) array[random(sizeof(array) / sizeof(array[0]))]

/* Takes a result into the hash. */
void random_mix(uint64_t v);

/* Counts a result: of hypercall nr, negative: an errno or, below -RANDOM_STATUS, a status of the call's own.
 */
#define RANDOM_STATUS 1000
void random_count(unsigned int nr, long r);
/* Of the calls counted, those that succeeded, in percent. */
unsigned long random_share(void);

/* Whether the results of this step are to be printed; of any step. */
bool random_shown(void);
bool random_shows(void);

/* A number of the command line. */
unsigned long random_word(const char *name, unsigned long def);

/* Reads the words. */
void random_begin(void);
/* Makes all steps by `step`; `begin`, if there is one, comes before each epoch (only that of the word only=N,
 * if it was given), `after`, if there is one, after each step; when it says false, that was the last. */
void random_run(void (*step)(void), void (*begin)(void), bool (*after)(void));
