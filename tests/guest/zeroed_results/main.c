/* SPDX-License-Identifier: MIT
 *
 * What a call writes back is all defined: the text and nothing but zeros behind it, the structure and not a
 * byte behind its end; a refused call writes nothing. Bytes of the hypervisor's stack would show here.
 * docs/safety.md XSA-122.
 */
#include <stdint.h>
#include <xen/version.h>
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("zeroed_results");
ROLE(dom0, domU);

#define JUNK 0xa5

static unsigned char *page;

static void fill(void)
{
    memset(page, JUNK, PAGE_SIZE);
}

/* Nothing was written from `from` on. */
static bool untouched(unsigned int from)
{
    for (unsigned int i = from; i < PAGE_SIZE; i++)
        if (page[i] != JUNK)
            return false;
    return true;
}

/* The text may end anywhere; behind it are zeros to the structure's end. */
static void texts(void)
{
    static const struct {
        int cmd;
        unsigned int size;
        const char *name;
    } ops[] = { { XENVER_extraversion, 16, "extraversion" },
                { XENVER_capabilities, 1024, "capabilities" },
                { XENVER_changeset, 64, "changeset" },
                { XENVER_commandline, 1024, "commandline" } };

    for (unsigned int k = 0; k < sizeof(ops) / sizeof(ops[0]); k++) {
        unsigned int end;

        fill();
        expect_eq(HYPERVISOR_xen_version(ops[k].cmd, page), 0);
        for (end = 0; end < ops[k].size && page[end]; end++)
            check(page[end] != JUNK, "%s: byte %u was not written", ops[k].name, end);
        check(end < ops[k].size, "%s has no end", ops[k].name);
        /* A domU of Xen gets a shorter text instead of the command line, and no more than that. */
        while (end < ops[k].size && (!page[end] || (ops[k].cmd == XENVER_commandline && page[end] == JUNK)))
            end++;
        check(end == ops[k].size, "%s: byte %u behind the text is %x", ops[k].name, end, page[end]);
        check(untouched(ops[k].size), "%s: more than the structure was written", ops[k].name);
    }
}

static void build(void)
{
    struct xen_compile_info *info = (void *)page;

    fill();
    expect_eq(HYPERVISOR_xen_version(XENVER_compile_info, info), 0);
    for (unsigned int i = 0; i < sizeof(*info); i++)
        if (!check(page[i] != JUNK, "byte %u was not written", i))
            break;
    check(untouched(sizeof(*info)), "more than the structure was written");
    fill();
    expect_eq(HYPERVISOR_xen_version(XENVER_guest_handle, page), 0);
    check(untouched(16), "more than a handle was written");
}

/* Structures whose fields and paddings the guest gave stay as they were but for what is result. */
static void structures(void)
{
    struct evtchn_status *status = (void *)page;
    struct gnttab_query_size *size = (void *)page;
    struct vcpu_runstate_info *state = (void *)page;

    fill();
    *status = (struct evtchn_status){ .dom = DOMID_SELF, .port = 1 };
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_status, status), 0);
    check(status->status <= EVTCHNSTAT_ipi, "status %u", status->status);
    check(untouched(sizeof(*status)), "more than the status was written");

    fill();
    *size = (struct gnttab_query_size){ .dom = DOMID_SELF };
    expect_eq(HYPERVISOR_grant_table_op(GNTTABOP_query_size, size, 1), 0);
    check(untouched(sizeof(*size)), "more than the size was written");

    fill();
    expect_eq(HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, state), 0);
    expect_eq(state->state, RUNSTATE_running);
    for (unsigned int i = 4; i < 8; i++) /* between `state` and the times */
        check(page[i] == 0 || page[i] == JUNK, "padding %u is %x", i, page[i]);
    check(untouched(sizeof(*state)), "more than the run state was written");
}

static void refused(void)
{
    fill();
    ((struct xen_feature_info *)page)->submap_idx = 7;
    expect_eq(HYPERVISOR_xen_version(XENVER_get_features, page), -EINVAL);
    check(untouched(4), "a refused call wrote");
    fill();
    expect_eq(HYPERVISOR_xen_version(XENVER_pagesize, page), -EINVAL);
    check(untouched(0), "a refused call wrote");
    fill();
    ((struct evtchn_status *)page)->dom = 77;
    expect_eq(HYPERVISOR_event_channel_op(EVTCHNOP_status, page), -ESRCH);
    check(untouched(2), "a refused call wrote");
}

/* Parador's own structures: texts end in zeros too. */
static void parador(void)
{
    struct parador_why *why = (void *)page;
    unsigned int end;

    if (!test_on_parador())
        return;
    fill();
    *why = (struct parador_why){ .domid = DOMID_SELF };
    memset(why->text, JUNK, sizeof(why->text));
    expect_eq(HYPERVISOR_parador(PARADOR_why, why), 0);
    check(why->error < 0, "refusals were made here");
    end = (unsigned int)strlen(why->text);
    check(end > 10 && end < sizeof(why->text), "a sentence: %u bytes", end);
    while (end < sizeof(why->text) && !why->text[end])
        end++;
    check(end == sizeof(why->text), "byte %u behind the sentence is %x", end, why->text[end]);
    check(untouched(sizeof(*why)), "more than the structure was written");
}

void test_main(void)
{
    page = (unsigned char *)test_page();
    texts();
    build();
    structures();
    refused();
    parador();
}
