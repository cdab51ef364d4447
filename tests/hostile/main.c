/* SPDX-License-Identifier: MIT
 *
 * The rounds of the hostile guest: see hostile.h.
 */
#include "libpv/print.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/hostile/hostile.h"

unsigned long hostile_flood = 2000;
static unsigned int complaints;

void hostile_complain(const char *fmt, ...)
{
    va_list args;

    if (complaints++ > 20)
        return;
    pv_printf("hostile: fail: ");
    va_start(args, fmt);
    pv_vprintf(fmt, args);
    va_end(args);
    pv_printf("\n");
}

uint32_t hostile_random(void)
{
    static uint32_t x = 2463534242;

    x ^= x << 13;
    x ^= x >> 17;
    return x ^= x << 5;
}

/* All attacks of a list; their names the first time. */
static unsigned int go_through(const struct attack *a, bool tell)
{
    unsigned int n = 0;

    for (; a->name; a++, n++) {
        if (tell)
            pv_printf("hostile: %s\n", a->name);
        a->run();
    }
    return n;
}

static unsigned long number_word(const char *name, unsigned long otherwise)
{
    char text[24];

    return pv_cmdline_option(name, text, sizeof(text)) ? strtoul(text, NULL, 10) : otherwise;
}

static void attack_disk(void)
{
    unsigned long done = 0, seq;
    char text[64];

    disk_begin();
    disk_answer(0, 0);
    for (unsigned long round = 0;; round++) {
        unsigned int n = go_through(disk_attacks, !round) + go_through(console_attacks, !round);

        if (!round)
            pv_printf("hostile: %u attacks on disk and console, again and again\n", n);
        if (disk_command(&seq, text, sizeof(text)) && seq > done)
            disk_answer(done = seq, complaints != 0);
    }
}

/* The word end=N: at the first command the connection is broken. */
static void attack_store(void)
{
    unsigned long done = 0, seq;
    char text[64];

    store_begin();
    store_answer(0, 0);
    while (pv_cmdline_option("end", text, sizeof(text)))
        if (store_command(&seq, text, sizeof(text)))
            store_end(number_word("end", 0), seq);
    for (unsigned long round = 0;; round++) {
        unsigned int n = go_through(store_attacks, !round);

        if (!round)
            pv_printf("hostile: %u attacks on xenstore, again and again\n", n);
        if (store_command(&seq, text, sizeof(text)) && seq > done)
            store_answer(done = seq, complaints != 0);
    }
}

void main(struct start_info *si)
{
    (void)si;
    hostile_flood = number_word("flood", hostile_flood);
    if (pv_cmdline_option("deaf", (char[8]){ 0 }, 8))
        console_deaf();
    else if (pv_cmdline_option("disk", (char[8]){ 0 }, 8))
        attack_disk();
    else
        attack_store();
}
