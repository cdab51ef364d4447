/* SPDX-License-Identifier: MIT
 *
 * Refusals as sentences: the rule's row of the table (domain/refuse.h) with its {words} filled in. Pure, so
 * that tests/host/refuse_test.c can read every sentence.
 */
#include "domain/refuse.h"
#include "hypercall/hypercall.h" /* names of calls */
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"

static const char *const sentences[NR_RULES] = {
#define X(name, sentence, test) [R_##name] = sentence,
    RULES(X)
#undef X
};

static void owner_text(uint32_t owner, char *buf, size_t size)
{
    if (owner == OWNER_NONE)
        snprintf(buf, size, "nobody");
    else if (owner == OWNER_HV)
        snprintf(buf, size, "Parador");
    else if (owner == OWNER_IO)
        snprintf(buf, size, "a device");
    else
        snprintf(buf, size, "domain %u", owner - 1);
}

/* "frame 0x1a3 is an L1 page table of domain 1, pinned, used 3 times" */
static void frame_text(const struct refusal *r, char *buf, size_t size)
{
    static const char *const types[] = { "an ordinary page", "an L1 page table",      "an L2 page table",
                                         "an L3 page table", "an L4 page table",      "a GDT or LDT",
                                         "a writable page",  "a page of unknown type" };
    uint64_t uses = (r->frame_word & FRAME_COUNT_MASK) >> FRAME_COUNT_SHIFT;
    unsigned int type = uses ? (unsigned int)(r->frame_word >> FRAME_TYPE_SHIFT) : FT_NONE;
    char owner[24];

    if (r->frame_owner == OWNER_SECRET) {
        snprintf(buf, size, "frame %#llx is not this domain's", (unsigned long long)r->a);
        return;
    }
    owner_text(r->frame_owner, owner, sizeof(owner));
    snprintf(buf, size, "frame %#llx is %s of %s%s%s", (unsigned long long)r->a, types[type], owner,
             r->frame_word & FRAME_PINNED ? ", pinned" : "",
             r->frame_word & FRAME_PARTIAL ? ", half validated" : "");
}

/* What stands in {braces}. */
static void word_text(const struct refusal *r, const char *word, size_t len, char *buf, size_t size)
{
    uint64_t value = word[0] == 'b' ? r->b : r->a;

    if (len == 5 && !strncmp(word, "frame", len))
        frame_text(r, buf, size);
    else if (len == 4 && !strncmp(word, "call", len) && r->a < NR_HYPERCALLS && hypercall_table[r->a].name)
        snprintf(buf, size, "%s", hypercall_table[r->a].name);
    else if (len == 3 && word[2] == 'd')
        snprintf(buf, size, "%llu", (unsigned long long)value);
    else
        snprintf(buf, size, "%#llx", (unsigned long long)value);
}

void refusal_text(const struct refusal *r, char *buf, size_t size)
{
    const char *s = r->rule < NR_RULES ? sentences[r->rule] : sentences[R_NONE];
    size_t at = 0;

    while (*s && at + 1 < size) {
        const char *end = *s == '{' ? strchr(s, '}') : NULL;
        char word[96];
        size_t n;

        if (!end) {
            buf[at++] = *s++;
            continue;
        }
        word_text(r, s + 1, (size_t)(end - s - 1), word, sizeof(word));
        n = MIN(strlen(word), size - 1 - at);
        memcpy(buf + at, word, n);
        at += n;
        s = end + 1;
    }
    buf[at] = '\0';
}
