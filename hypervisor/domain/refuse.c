/* SPDX-License-Identifier: MIT
 *
 * Refusals, remembered when they happen; domain/refusal_text.c makes sentences of them when somebody asks.
 *
 * refuse() stores a few words in the calling vcpu and is the end of every path that says no. What a frame was
 * at that moment is kept too, because it may be something else when the sentence is read.
 *
 * Debug builds also remember which rules refused anything at all, and say so when the machine ends: `make
 * test` adds the lists up and fails for a rule that its test (third column of the table) did not break.
 */
#include "domain/domain.h"
#include "lib/bits.h"
#include "lib/print.h"
#include "x86/percpu.h"

static uint64_t broken[(NR_RULES + 63) / 64]; /* a bit for each rule, only ever set, atomically */

void refusals_report(void)
{
#ifdef DEBUG
    static const char *const names[NR_RULES] = {
#define X(name, sentence, test) [R_##name] = #name,
        RULES(X)
#undef X
    };

    say("parador: rules:");
    for (unsigned int i = R_NONE + 1; i < NR_RULES; i++)
        if (test_bit(i, broken))
            say(" %s", names[i]);
    say("\n");
#endif
}

int refuse(int error, enum rule rule, uint64_t a, uint64_t b)
{
    struct vcpu *v = current;
    struct refusal *r;

    if (!v) /* the builder, before anything runs */
        return error;
    r = &v->refusal;
    r->a = a;
    r->b = b;
    r->frame_word = 0;
    r->frame_owner = OWNER_IO; /* no memory, as far as we know */
    r->table = 0;
    if (mfn_valid(MFN(a))) {
        r->frame_word = READ_ONCE(frame_of(MFN(a))->word);
        r->frame_owner = READ_ONCE(frame_of(MFN(a))->owner);
    }
    r->error = error;
    r->rule = rule;
    r->count++;
    r->rip = v->regs.rip;
    r->call = hypercalls_made(v);
    WRITE_ONCE(v->domain->refused, (uint8_t)v->id);
    set_bit(rule, broken);
    return error;
}

int refuse_as(int error)
{
    if (current)
        current->refusal.error = error;
    return error;
}

void refuse_entry(uint64_t table, unsigned int index)
{
    struct vcpu *v = current;

    if (!v || v->refusal.table)
        return;
    v->refusal.table = table;
    v->refusal.index = index;
}
