/* SPDX-License-Identifier: MIT
 *
 * The sentences of refusals: every rule has one, all their {words} are known, and what is filled in is right.
 */
// sources: hypervisor/domain/refusal_text.c
#include <criterion/criterion.h>
#include <string.h>
#include "lib/types.h"
#include <xen/xen.h>
#include "domain/refuse.h"
#include "hypercall/hypercall.h"
#include "mm/frame.h"

static long none(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    return 0;
}

const struct hypercall hypercall_table[NR_HYPERCALLS] = { [12] = { none, "memory_op", 2, 0 } };

static const struct {
    const char *name, *sentence, *test;
} rules[] = {
#define X(name, sentence, test) { #name, sentence, test },
    RULES(X)
#undef X
};

static const char *text(struct refusal r)
{
    static char buf[240];

    refusal_text(&r, buf, sizeof(buf));
    return buf;
}

Test(refuse, every_rule_makes_a_sentence)
{
    for (unsigned int i = 0; i < NR_RULES; i++) {
        const char *s = text((struct refusal){ .a = 0x1a3, .b = 17, .rule = i, .error = -1, .count = 1 });

        cr_assert_gt(strlen(s), 8, "%s: too short", rules[i].name);
        cr_assert_lt(strlen(s), 239, "%s: too long: %s", rules[i].name, s);
        cr_assert_null(strchr(s, '{'), "%s: %s", rules[i].name, s);
        cr_assert(i == R_NONE || rules[i].test[0], "%s names no test", rules[i].name);
    }
}

Test(refuse, words_in_braces_are_known)
{
    static const char *const known[] = { "{a}",     "{b}",     "{a:d}",    "{b:d}",   "{a:dom}",
                                         "{b:dom}", "{b:use}", "{b:port}", "{frame}", "{call}" };

    for (unsigned int i = 0; i < NR_RULES; i++)
        for (const char *s = strchr(rules[i].sentence, '{'); s; s = strchr(s + 1, '{')) {
            bool found = false;

            for (unsigned int k = 0; k < ARRAY_SIZE(known); k++)
                found |= !strncmp(s, known[k], strlen(known[k]));
            cr_assert(found, "%s: %s", rules[i].name, rules[i].sentence);
        }
}

Test(refuse, numbers_and_names)
{
    cr_assert_str_eq(text((struct refusal){ .a = 12, .b = 99, .rule = R_NO_SUCH_OP }),
                     "memory_op has no sub-operation 99");
    cr_assert_str_eq(text((struct refusal){ .a = 0x1234, .rule = R_BAD_MFN }), "frame 0x1234 does not exist");
    cr_assert_str_eq(text((struct refusal){ .rule = NR_RULES + 5 }), "nothing was refused");
}

Test(refuse, frames)
{
    struct refusal r = { .a = 0x1a3, .rule = R_FRAME_FOREIGN, .frame_owner = 2 };

    r.frame_word = (uint64_t)FT_L1 << FRAME_TYPE_SHIFT | FRAME_PINNED | FRAME_COUNT_ONE | 1;
    cr_assert(strstr(text(r), "frame 0x1a3 is an L1 page table of domain 1, pinned"), "%s", text(r));
    r.frame_word = 0;
    r.frame_owner = OWNER_HV;
    cr_assert(strstr(text(r), "frame 0x1a3 is Parador's own memory"), "%s", text(r));
    r.frame_owner = OWNER_NONE;
    cr_assert(strstr(text(r), "frame 0x1a3 is free memory"), "%s", text(r));
    r.frame_owner = OWNER_IO;
    cr_assert(strstr(text(r), "frame 0x1a3 is no memory"), "%s", text(r));
    r.frame_owner = OWNER_SECRET;
    cr_assert(strstr(text(r), "frame 0x1a3 is not this domain's"), "%s", text(r));
}

/* The sentence that issue 2 gives as the model, with the place where a walk found it. */
Test(refuse, the_model)
{
    struct refusal r = {
        .a = 0x1a3, .b = FT_WRITABLE, .rule = R_FRAME_TYPE_BUSY, .frame_owner = 2, .table = 0x1b0, .index = 17
    };

    r.frame_word = (uint64_t)FT_L1 << FRAME_TYPE_SHIFT | FRAME_PINNED | FRAME_COUNT_ONE | 1;
    cr_assert_str_eq(text(r), "frame 0x1a3 is an L1 page table of domain 1, pinned, so it cannot be mapped "
                              "writable (entry 17 of the table in frame 0x1b0)");
    r.table = 0;
    r.b = FT_L4;
    cr_assert_str_eq(text(r),
                     "frame 0x1a3 is an L1 page table of domain 1, pinned, so it cannot become an L4 "
                     "page table");
}

Test(refuse, domains_and_ports)
{
    cr_assert_str_eq(text((struct refusal){ .a = 77, .rule = R_NO_SUCH_DOMAIN }), "there is no domain 77");
    cr_assert_str_eq(text((struct refusal){ .a = 0x1a3, .b = DOMID_IO, .rule = R_FRAME_FOREIGN }),
                     "frame 0x1a3 is free memory, so DOMID_IO (devices) cannot use it");
    cr_assert_str_eq(text((struct refusal){ .a = 5, .b = 3, .rule = R_PORT_STATE }),
                     "port 5 is interdomain, which that call does not take");
}

Test(refuse, small_buffers)
{
    struct refusal r = { .a = ~0ULL, .b = ~0ULL, .rule = R_NO_SUCH_OP, .table = ~0ULL };
    char buf[64];

    for (size_t size = 1; size <= sizeof(buf); size++) {
        memset(buf, 'x', sizeof(buf));
        refusal_text(&r, buf, size);
        cr_assert_lt(strlen(buf), size);
    }
}
