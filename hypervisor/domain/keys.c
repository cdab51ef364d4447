/* SPDX-License-Identifier: MIT
 *
 * Parador's own keys: Ctrl-T and a letter. Each is a row: the key, what it shows, and the function.
 *
 * They look and don't touch (but q), so that a student may press them at any time.
 */
#include "domain/console.h"
#include "domain/domain.h"
#include "domain/grant.h"
#include "lib/print.h"
#include "x86/cpu.h"

static void show_domain(struct domain *d)
{
    static const char *const states[] = { "blocked", "runnable", "running" }; /* enum vcpu_state */

    say("%3u %-12s%s %lu pages of %lu, ports: %u, grants mapped: %u\n", d->domid, d->name,
        d->crashed                    ? " crashed,"
        : d->dying                    ? " dying,"
        : d->shut_down                ? " shut down,"
        : d->domid == console_owner() ? " keyboard,"
                                      : "",
        d->tot_pages, MIN(d->max_pages, frames_total()), d->evtchn.in_use, grant_nr_mapped(d));
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];

        if (v->initialised)
            say("      vcpu %u: %s in %s at %lx, CPU %u of %lx, hypercalls: %lu, exceptions: %u\n", v->id,
                vcpu_is_up(v) ? states[v->sched.state] : "down", v->kernel_mode ? "kernel" : "user",
                v->regs.rip, v->sched.cpu, v->sched.affinity & all_cpus(), hypercalls_made(v), v->exceptions);
    }
}

static void show_memory(void)
{
    say("%lu of %lu pages free, %lu Parador's\n", frames_free(), frames_total(), frames_hv());
}

#ifdef DEBUG
static void show_latency(void)
{
    latency_report(true);
}
#endif

#define OWNERS 10 /* columns: free, Parador, domains 0 to 6, other domains */

static void show_frames(void)
{
    static const char *const types[] = { "no type", "L1", "L2", "L3", "L4", "GDT/LDT", "writable" };
    uint64_t counts[8][OWNERS] = { { 0 } };

    for (uint64_t m = 0; m < max_mfn; m++) {
        const struct frame *f = frame_of(MFN(m));
        uint64_t type;

        if (!mfn_valid(MFN(m)) || f->owner == OWNER_IO)
            continue;
        type = f->word & FRAME_COUNT_MASK ? f->word >> FRAME_TYPE_SHIFT : FT_NONE;
        counts[type][f->owner == OWNER_HV ? 1 : MIN(f->owner ? f->owner + 1 : 0, OWNERS - 1)]++;
    }
    say("frames      free  Parador       d0       d1       d2       d3       d4       d5       d6   "
        "others\n");
    for (unsigned int t = 0; t < ARRAY_SIZE(types); t++) {
        say("%-8s", types[t]);
        for (unsigned int o = 0; o < OWNERS; o++)
            say(o ? "%9lu" : "%8lu", counts[t][o]);
        say("\n");
    }
}

static void show_why(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        if (!d->vcpu[i]->refusal.count)
            continue;
        say("%s vcpu %u: ", d->name, i);
        crash_say_refusal(d->vcpu[i]);
    }
}

static void show_crashes(void)
{
    say("Why domains crashed, and the last refusal of each vcpu, if there was one:\n");
    for (unsigned int domid = 0; domid < DOMID_FIRST_RESERVED; domid++)
        if (crash_reason(domid))
            say("domain %u crashed: %s\n", domid, crash_reason(domid));
}

static void quit(void)
{
    machine_exit(0);
}

static void help(void);

static const struct key {
    char key;
    const char *what;
    void (*fn)(void);               /* once, or NULL */
    void (*each)(struct domain *d); /* then for each domain, or NULL */
} keys[] = {
    { 'd', "domains; of each vcpu, its CPU and the mask of those it may use", show_memory, show_domain },
    { 'f', "frames by type and owner", show_frames, NULL },
    { 'e', "event channels", NULL, evtchn_dump },
    { 'g', "grants", NULL, grant_dump },
    { 'w', "why: the last refusal of each vcpu", show_crashes, show_why },
#ifdef DEBUG
    { 'c', "check of all invariants", check_machine_and_say, NULL },
    { 'l', "longest paths without interrupts", show_latency, NULL },
#endif
    { 'q', "power off", quit, NULL },
    { '?', "this help", help, NULL },
};

static void help(void)
{
    say("Ctrl-T and\n  0..9  keyboard to that domain\n  Tab   keyboard to the next domain\n");
    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
        say("  %c     %s\n", keys[i].key, keys[i].what);
    say("  Ctrl-T sends one\n");
}

static void press(const struct key *k)
{
    struct domain *d;

    if (k->fn)
        k->fn();
    for (unsigned int i = 0; k->each && (d = get_domain_by_index(i)); i++) {
        k->each(d);
        put_domain(d);
    }
    latency_begin(); /* they take their time */
}

void keys_pressed(char c)
{
    struct domain *d;

    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].key == c) {
            press(&keys[i]);
            return;
        }
    if (c == '\t') {
        console_focus_after(console_owner());
    } else if (c < '0' || c > '9') {
        say("no such key; Ctrl-T ? lists them (c and l: with DEBUG=1)\n");
        return;
    } else if (!console_focus((uint16_t)(c - '0'))) {
        say("domain %c does not run; ", c);
    }
    d = get_domain(console_owner());
    if (!d)
        return;
    say("keyboard: %s\n", d->name);
    put_domain(d);
}
