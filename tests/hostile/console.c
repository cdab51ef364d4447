/* SPDX-License-Identifier: MIT
 *
 * A client of the console ring that lies: see hostile.h.
 */
#include <stdint.h>
#include <xen/io/console.h>
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "tests/hostile/hostile.h"

static struct xencons_interface *page(void)
{
    return pv_mfn_to_virt(mfn(pv_start_info->console.domU.mfn));
}

static void tell(void)
{
    pv_event_send(pv_start_info->console.domU.evtchn);
}

/* Domain 0 has taken what there is, whatever it made of it. */
static void await_taken(const char *what)
{
    struct xencons_interface *c = page();

    tell();
    for (int i = 0; __atomic_load_n(&c->out_cons, __ATOMIC_ACQUIRE) != c->out_prod; i++) {
        if (i == PATIENCE) {
            hostile_complain("console: %s: out_cons %u, out_prod %u", what, c->out_cons, c->out_prod);
            return;
        }
        pv_event_wait(pv_start_info->console.domU.evtchn, LOOK);
    }
}

static void wild_out(void)
{
    static const uint32_t step[] = { 2049, 1u << 31, UINT32_MAX, 4096, 1u << 20 };

    for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
        page()->out_prod += step[i];
        await_taken("out_prod is wild");
        page()->out_cons += step[i]; /* not ours */
        tell();
        page()->out_prod += 3;
        await_taken("out_cons was overwritten");
    }
}

static void wild_in(void)
{
    for (int i = 0; i < 50; i++) {
        page()->in_cons = hostile_random();
        page()->in_prod = hostile_random();
        tell();
    }
    page()->in_cons = page()->in_prod = 0;
}

static void escapes(void)
{
    struct xencons_interface *c = page();

    for (unsigned int i = 0; i < sizeof(c->out); i++)
        c->out[i] = i % 5 ? (char)hostile_random() : "\033\233\007"[i % 4];
    c->out_prod += (uint32_t)sizeof(c->out);
    await_taken("escapes");
}

/* 4 GiB by the index, or as much of it as the flood is long. */
static void endless(void)
{
    struct xencons_interface *c = page();

    for (unsigned long i = 0; i < hostile_flood; i++) {
        c->out_prod += (uint32_t)sizeof(c->out);
        tell();
        if (i % 8 == 0)
            await_taken("output without an end");
    }
    await_taken("output without an end");
}

void console_deaf(void)
{
    page()->in_cons = page()->in_prod - (uint32_t)sizeof(page()->in);
    for (;;)
        HYPERVISOR_sched_op(SCHEDOP_block, NULL);
}

const struct attack console_attacks[] = {
    { "console: out_prod and out_cons wild", wild_out },
    { "console: in_prod and in_cons wild", wild_in },
    { "console: escape bytes", escapes },
    { "console: output without an end", endless },
    { NULL, NULL },
};
