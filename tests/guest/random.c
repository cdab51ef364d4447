/* SPDX-License-Identifier: MIT
 *
 * See random.h.
 */
#include "tests/guest/random.h"
#include "libpv/start.h"
#include "libpv/string.h"

unsigned long random_step, random_steps;
static uint64_t state;
static unsigned long from, to;
static uint32_t hash = 2166136261U; /* FNV-1a */

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
    hash = (hash ^ (uint32_t)v ^ (uint32_t)(v >> 32)) * 16777619;
}

bool random_shown(void)
{
    return random_step >= from && random_step < to;
}

bool random_shows(void)
{
    return to;
}

unsigned long random_word(const char *name, unsigned long def)
{
    char text[24];

    return pv_cmdline_option(name, text, sizeof(text)) ? strtoul(text, NULL, 0) : def;
}

void random_begin(void)
{
    state = random_word("seed", 1) * 0x9e3779b97f4a7c15UL;
    random_steps = random_word("steps", 20000);
    from = random_word("from", 0);
    to = random_word("to", 0);
}

void random_run(void (*const calls[])(void), unsigned int n, bool (*go_on)(void))
{
    for (random_step = 0; random_step < random_steps; random_step++) {
        calls[random(n)]();
        if (go_on && !go_on())
            break;
        if (random_step % (random_steps / 10 + 1) == 0)
            pv_printf("step %lu hash %08x\n", random_step, hash);
    }
    pv_printf("seed done, hash %08x\n", hash);
    check(random_step == random_steps, "%lu steps", random_step);
}
