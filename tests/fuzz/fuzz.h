/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share: libFuzzer's one function, a claim that must hold, and an input as a row of
 * choices.
 *
 * tests/fuzz/NAME_fuzz.c is a target: libFuzzer calls it with any bytes, and whatever they are, the
 * sanitizers find nothing and every MUST holds. It leaves no state behind, so that one input alone shows
 * again what it showed. tests/fuzz/corpus/NAME/ holds inputs to begin with, and those that once found
 * something. Run by `make test` (a fixed number of inputs) and `make fuzz-host`; a line `// sources:` says
 * what a target is linked with, as in tests/host/.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) ((cond) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #cond))

static inline __attribute__((noreturn, unused)) void fuzz_failed(const char *file, int line, const char *cond)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, cond);
    abort();
}

/* The input from front to back. Behind its end all is zero. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* At most n bytes; returns how many. */
static inline size_t fuzz_bytes(struct fuzz_input *in, void *to, size_t n)
{
    size_t some = n < in->left ? n : in->left;

    memset(to, 0, n);
    if (some)
        memcpy(to, in->at, some);
    in->at += some;
    in->left -= some;
    return some;
}

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    uint8_t b;

    fuzz_bytes(in, &b, 1);
    return b;
}

static inline uint32_t fuzz_word(struct fuzz_input *in)
{
    uint32_t w;

    fuzz_bytes(in, &w, sizeof(w));
    return w;
}

/* What a peer that means harm writes into a page with a ring (ring/ring.h): an index of the header, or a word
 * of the slots. */
static inline void fuzz_ring_page(struct fuzz_input *in, void *page)
{
    uint32_t *words = page;
    uint8_t where = fuzz_byte(in);

    if (where < 4)
        words[where] += (fuzz_byte(in) ^ 128u) - 128; /* from -128 to 127 */
    else if (where < 8)
        words[where - 4] += fuzz_word(in);
    else
        words[16 + (fuzz_byte(in) << 8 | where) % 1008] = fuzz_word(in);
}
