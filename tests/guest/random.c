/* SPDX-License-Identifier: MIT
 *
 * See random.h.
 */
#include "tests/guest/random.h"
#include "libpv/start.h"
#include "libpv/string.h"

#define NONE     (~0UL)
#define CALLS    64
#define ERRNOS   128
#define STATUSES 32

unsigned long random_step, random_steps, random_epoch;
static unsigned long seed, shown, only;
static uint64_t state;
static uint32_t hash;
static uint32_t counts[CALLS + 1][ERRNOS + STATUSES]; /* the last row: numbers beyond */

unsigned int random(unsigned int n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned int)(state >> 33) % n;
}

uint64_t random_bits(void)
{
    return state;
}

void random_mix(uint64_t v)
{
    hash = (hash ^ (uint32_t)v ^ (uint32_t)(v >> 32)) * 16777619; /* FNV-1a */
}

void random_count(unsigned int nr, long r)
{
    unsigned long n = r >= 0               ? 0
                      : r < -RANDOM_STATUS ? ERRNOS + ((unsigned long)-r - RANDOM_STATUS)
                                           : (unsigned long)-r;

    counts[nr < CALLS ? nr : CALLS][n < ERRNOS + STATUSES ? n : ERRNOS - 1]++;
}

/* All calls counted, and those that succeeded. */
static void sum(unsigned long *all, unsigned long *good)
{
    *all = *good = 0;
    for (unsigned int nr = 0; nr <= CALLS; nr++) {
        *good += counts[nr][0];
        for (unsigned int n = 0; n < ERRNOS + STATUSES; n++)
            *all += counts[nr][n];
    }
}

unsigned long random_share(void)
{
    unsigned long all, good;

    sum(&all, &good);
    return all ? good * 100 / all : 0;
}

/* A line for each call: how often which errno (0: success; s1: a status) came. */
static void histogram(void)
{
    unsigned long all, good;

    for (unsigned int nr = 0; nr <= CALLS; nr++) {
        bool first = true;

        for (unsigned int n = 0; n < ERRNOS + STATUSES; n++) {
            if (!counts[nr][n])
                continue;
            if (first)
                pv_printf("count %u:", nr);
            first = false;
            pv_printf(" %s%u=%u", n < ERRNOS ? "" : "s", n < ERRNOS ? n : n - ERRNOS, counts[nr][n]);
        }
        if (!first)
            pv_printf("\n");
    }
    sum(&all, &good);
    if (all)
        pv_printf("calls %lu, succeeded %lu\n", all, good);
}

bool random_shown(void)
{
    return random_epoch == shown;
}

bool random_shows(void)
{
    return shown != NONE;
}

unsigned long random_word(const char *name, unsigned long def)
{
    char text[24];

    return pv_cmdline_option(name, text, sizeof(text)) && text[0] ? strtoul(text, NULL, 0) : def;
}

void random_begin(void)
{
    seed = random_word("seed", 1);
    random_steps = random_word("steps", 20000);
    shown = random_word("epoch", NONE);
    only = random_word("only", NONE);
}

static void begin_epoch(void)
{
    random_epoch = random_step / RANDOM_EPOCH;
    state = (seed + random_epoch * 0x100000001UL) * 0x9e3779b97f4a7c15UL;
    for (unsigned int i = 0; i < 8; i++)
        random(1);
    hash = 2166136261U;
}

static void end_epoch(void)
{
    pv_printf("epoch %lu: hash %08x at step %lu\n", random_epoch, hash, random_step);
}

void random_run(void (*step)(void), void (*begin)(void), bool (*after)(void))
{
    bool more = true;

    random_step = only == NONE ? 0 : only * RANDOM_EPOCH;
    if (only != NONE && random_steps > random_step + RANDOM_EPOCH)
        random_steps = random_step + RANDOM_EPOCH;
    while (more && random_step < random_steps) {
        if (random_step % RANDOM_EPOCH == 0) {
            begin_epoch();
            if (begin)
                begin();
        }
        step();
        more = !after || after();
        random_step++;
        if (random_step % RANDOM_EPOCH == 0 || random_step == random_steps)
            end_epoch();
    }
    histogram();
    check(random_step == random_steps, "%lu steps", random_step);
}
