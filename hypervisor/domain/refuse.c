/* SPDX-License-Identifier: MIT
 *
 * Refusals, remembered when they happen; domain/refusal_text.c makes sentences of them when somebody asks.
 *
 * refuse() stores a few words in the calling vcpu and is the end of every path that says no. What a frame was
 * at that moment is kept too, because it may be something else when the sentence is read.
 */
#include "domain/domain.h"
#include "mm/frame.h"
#include "x86/percpu.h"

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
    r->frame_owner = OWNER_NONE;
    if (mfn_valid(MFN(a))) {
        r->frame_word = READ_ONCE(frame_of(MFN(a))->word);
        r->frame_owner = READ_ONCE(frame_of(MFN(a))->owner);
    }
    r->error = error;
    r->rule = rule;
    r->count++;
    r->rip = v->regs.rip;
    return error;
}
