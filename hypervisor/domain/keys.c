/* SPDX-License-Identifier: MIT
 *
 * Parador's own keys: Ctrl-T and a letter. Each is a row: the key, what it shows, and the function.
 *
 * They look and don't touch (but q), so that a student may press them at any time.
 */
#include <stdarg.h>
#include "domain/console.h"
#include "domain/crash.h"
#include "domain/domain.h"
#include "domain/grant.h"
#include "lib/print.h"
#include "mm/frame.h"

typedef unsigned long long ull;

static void each_domain(void (*fn)(struct domain *d))
{
    struct domain *d;

    for (unsigned int i = 0; (d = get_domain_by_index(i)); i++) {
        fn(d);
        put_domain(d);
    }
}

static const char *vcpu_state(const struct vcpu *v)
{
    static const char *const names[] = { "down", "runnable", "running", "blocked" };

    return v->sched.state < ARRAY_SIZE(names) ? names[v->sched.state] : "?";
}

static void show_domain(struct domain *d)
{
    say("%3u %-12s%s %llu pages of %llu, %u ports, %u grants mapped\n", d->domid, d->name,
        d->crashed                    ? " crashed,"
        : d->dying                    ? " dying,"
        : d->shut_down                ? " shut down,"
        : d->domid == console_owner() ? " keyboard,"
                                      : "",
        (ull)d->tot_pages, (ull)d->max_pages, d->evtchn.in_use, grant_nr_mapped(d));
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];

        if (v && v->initialised)
            say("      vcpu %u: %s in %s at %llx, %llu hypercalls, %u exceptions\n", v->id, vcpu_state(v),
                v->kernel_mode ? "kernel" : "user", (ull)v->regs.rip, (ull)v->hypercalls, v->exceptions);
    }
}

static void key_domains(void)
{
    say("%llu of %llu pages free, %llu Parador's\n", (ull)frames_free(), (ull)frames_total(),
        (ull)frames_hv());
    each_domain(show_domain);
}

/* One count for each owner that has a column and each type. */
#define OWNERS 10 /* free, Parador, domains 0 to 6, other domains */
static unsigned int owner_column(uint32_t owner)
{
    return owner == OWNER_NONE ? 0 : owner == OWNER_HV ? 1 : MIN(owner + 1, OWNERS - 1);
}

static void count_frames(uint64_t counts[8][OWNERS])
{
    for (uint64_t m = 0; m < max_mfn; m++) {
        const struct frame *f = frame_of(MFN(m));

        if (mfn_valid(MFN(m)) && f->owner != OWNER_IO)
            counts[f->word & FRAME_COUNT_MASK ? f->word >> FRAME_TYPE_SHIFT : FT_NONE]
                  [owner_column(f->owner)]++;
    }
}

static void key_frames(void)
{
    static const char *const types[] = { "no type", "L1", "L2", "L3", "L4", "GDT/LDT", "writable" };
    uint64_t counts[8][OWNERS] = { { 0 } };

    count_frames(counts);
    say("frames      free  Parador       d0       d1       d2       d3       d4       d5       d6   "
        "others\n");
    for (unsigned int t = 0; t < ARRAY_SIZE(types); t++) {
        say("%-8s", types[t]);
        for (unsigned int o = 0; o < OWNERS; o++)
            say(o ? "%9llu" : "%8llu", (ull)counts[t][o]);
        say("\n");
    }
}

static void key_events(void)
{
    each_domain(evtchn_dump);
}

static void key_grants(void)
{
    each_domain(grant_dump);
}

static void show_why(struct domain *d)
{
    char text[240];

    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];

        if (!v || !v->refusal.count)
            continue;
        refusal_text(&v->refusal, text, sizeof(text));
        say("%s vcpu %u: error %d, the last of %u: %s\n", d->name, v->id, v->refusal.error, v->refusal.count,
            text);
    }
}

static void key_why(void)
{
    say("The last refusal of each vcpu that had one, and why domains crashed:\n");
    each_domain(show_why);
    for (unsigned int domid = 0; domid < DOMID_FIRST_RESERVED; domid++)
        if (crash_reason(domid))
            say("domain %u crashed: %s\n", domid, crash_reason(domid));
}

static void key_quit(void)
{
    machine_exit(0);
}

static void key_help(void);

static const struct key {
    char key;
    const char *what;
    void (*fn)(void);
} keys[] = {
    { 'd', "domains", key_domains },
    { 'f', "frames by type and owner", key_frames },
    { 'e', "event channels", key_events },
    { 'g', "grants", key_grants },
    { 'w', "why: the last refusal of each vcpu", key_why },
    { 'q', "power off", key_quit },
    { '?', "this help", key_help },
};

static void key_help(void)
{
    say("Ctrl-T and\n  0..9  keyboard to that domain\n  Tab   keyboard to the next domain\n");
    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
        say("  %c     %s\n", keys[i].key, keys[i].what);
    say("  Ctrl-T sends one\n");
}

static void tell_owner(void)
{
    struct domain *d = get_domain(console_owner());

    if (!d)
        return;
    say("keyboard: %s\n", d->name);
    put_domain(d);
}

void keys_pressed(char c)
{
    if (c >= '0' && c <= '9') {
        console_focus((uint16_t)(c - '0'));
        tell_owner();
    } else if (c == '\t') {
        console_focus_next();
        tell_owner();
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].key == c)
            keys[i].fn();
}
