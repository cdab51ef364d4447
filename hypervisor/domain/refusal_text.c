/* SPDX-License-Identifier: MIT
 *
 * Refusals as sentences: the rule's row of the table (domain/refuse.h) with its {words} filled in. Pure, so
 * that tests/host/refuse_test.c can read every sentence.
 */
#include "hypercall/hypercall.h" /* names of calls */
#include "lib/print.h"
#include "lib/string.h"

static const char *const sentences[NR_RULES] = {
#define X(name, sentence, test) [R_##name] = sentence,
    RULES(X)
#undef X
};

static void domain_text(uint64_t domid, char *buf, size_t size)
{
    if (domid == DOMID_SELF)
        snprintf(buf, size, "the caller");
    else if (domid == DOMID_IO)
        snprintf(buf, size, "DOMID_IO (devices)");
    else if (domid == DOMID_XEN)
        snprintf(buf, size, "DOMID_XEN (Parador itself)");
    else
        snprintf(buf, size, "domain %lu", domid);
}

/* "frame 0x1a3 is an L1 page table of domain 1, pinned" */
static void frame_text(const struct refusal *r, char *buf, size_t size)
{
    static const char *const types[] = { "an ordinary page", "an L1 page table",      "an L2 page table",
                                         "an L3 page table", "an L4 page table",      "a GDT or LDT",
                                         "a writable page",  "a page of unknown type" };
    uint64_t uses = (r->frame_word & FRAME_COUNT_MASK) >> FRAME_COUNT_SHIFT;
    unsigned int type = uses ? (unsigned int)(r->frame_word >> FRAME_TYPE_SHIFT) : FT_NONE;
    const char *whose = r->frame_owner == OWNER_SECRET ? "not this domain's"
                        : r->frame_owner == OWNER_NONE ? "free memory"
                        : r->frame_owner == OWNER_HV   ? "Parador's own memory"
                        : r->frame_owner == OWNER_IO   ? "no memory"
                                                       : NULL;

    if (whose)
        snprintf(buf, size, "frame %#lx is %s", r->a, whose);
    else
        snprintf(buf, size, "frame %#lx is %s of domain %u%s%s", r->a, types[type], r->frame_owner - 1,
                 r->frame_word & FRAME_PINNED ? ", pinned" : "",
                 r->frame_word & FRAME_PARTIAL ? ", half validated" : "");
}

/* What a frame was wanted for and can't be. */
static const char *use_text(uint64_t type)
{
    static const char *const uses[] = {
        [FT_NONE] = "cannot be used",
        [FT_L1] = "cannot become an L1 page table",
        [FT_L2] = "cannot become an L2 page table",
        [FT_L3] = "cannot become an L3 page table",
        [FT_L4] = "cannot become an L4 page table",
        [FT_DESC] = "cannot hold descriptors",
        [FT_WRITABLE] = "cannot be mapped writable",
    };

    return type < ARRAY_SIZE(uses) ? uses[type] : uses[FT_NONE];
}

static const char *port_text(uint64_t state)
{
    static const char *const states[] = { "free",           "reserved",        "unbound",
                                          "interdomain",    "bound to a VIRQ", "bound to an interrupt",
                                          "bound to an IPI" };

    return state < ARRAY_SIZE(states) ? states[state] : "of unknown state";
}

/* What stands in {braces}. */
static void word_text(const struct refusal *r, const char *word, size_t len, char *buf, size_t size)
{
    uint64_t value = word[0] == 'b' ? r->b : r->a;
    const char *form = word + 2;

    if (len == 5 && !strncmp(word, "frame", len))
        frame_text(r, buf, size);
    else if (len == 4 && !strncmp(word, "call", len) && r->a < NR_HYPERCALLS && hypercall_table[r->a].name)
        snprintf(buf, size, "%s", hypercall_table[r->a].name);
    else if (len == 3 && *form == 'd')
        snprintf(buf, size, "%lu", value);
    else if (len == 5 && !strncmp(form, "dom", 3))
        domain_text(value, buf, size);
    else if (len == 5 && !strncmp(form, "use", 3))
        snprintf(buf, size, "%s", use_text(value));
    else if (len == 6 && !strncmp(form, "port", 4))
        snprintf(buf, size, "%s", port_text(value));
    else
        snprintf(buf, size, "%#lx", value);
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
    if (r->table)
        snprintf(buf + at, size - at, " (entry %u of the table in frame %#lx)", r->index, r->table);
}
