/* SPDX-License-Identifier: MIT
 *
 * The backend of consoles (drivers/back/consback.c) against a domain that we play: what it writes and is
 * typed, who is attached when, its end, and a domain that lies.
 */
// sources: drivers/back/consback.c drivers/vaddr.c drivers/kernel.c
// sources: tests/host/fake_pv.c tests/host/fake_machine.c
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/console.h>
#include "drivers/back/consback.h"
#include "drivers/xenbus.h"
#include "libpv/errno.h"
#include "libpv/event.h"
#include "libpv/grant.h"
#include "libpv/memory.h"
#include "tests/host/fake_pv.h"

#define FRONT 3

static struct xencons_interface *ring;
static unsigned int port; /* the domain's */
static char shown[100000];
static size_t nr_shown;

/* What the domain's home in xenstore says. */
unsigned long xenbus_number(const char *dir, const char *leaf, unsigned long max, unsigned long otherwise)
{
    cr_assert_str_eq(dir, "/local/domain/3/console");
    cr_assert_str_eq(leaf, "port");
    return port && port <= max ? port : otherwise;
}

static void show(const char *text, size_t n)
{
    cr_assert_leq(nr_shown + n, sizeof(shown));
    memcpy(shown + nr_shown, text, n);
    nr_shown += n;
}

static void no_event(unsigned int at, void *data)
{
    (void)at, (void)data;
}

static void work(void)
{
    for (int i = 0; i < 100 && (fake_upcalls() || consback_pending()); i++)
        consback_work();
    cr_assert(!consback_pending());
}

static void begin(void)
{
    ring = fake_pages(1);
    pv_grant_set(GNTTAB_RESERVED_CONSOLE, 0, pv_virt_to_mfn(ring), false);
    port = (unsigned int)pv_event_alloc_unbound(0, no_event, NULL);
    cr_assert_eq(consback_offer(FRONT), 0);
    nr_shown = 0;
}

static void end(void)
{
    consback_domain_gone(FRONT, false);
    work();
    pv_event_close(port);
    cr_assert_eq(fake_mappings(), 0);
    cr_assert_eq(fake_ports_used(), 0);
}

TestSuite(consback, .init = begin, .fini = end);

/* As far as the ring has room; how much. */
static size_t write_some(const char *text, size_t n)
{
    size_t done = 0;

    for (; done < n && ring->out_prod - ring->out_cons < sizeof(ring->out); done++)
        ring->out[MASK_XENCONS_IDX(ring->out_prod++, ring->out)] = text[done];
    pv_event_send(port);
    return done;
}

static void write_all(const char *text, size_t n)
{
    for (size_t done = 0; done < n; work())
        done += write_some(text + done, n - done);
}

static void expect_shown(const char *text, size_t n)
{
    cr_assert_eq(nr_shown, n);
    cr_assert(memcmp(shown, text, n) == 0);
    nr_shown = 0;
}

Test(consback, who_attaches_sees_what_was_written_and_then_what_comes)
{
    struct consback *c;

    write_all("before ", 7);
    cr_assert_eq(nr_shown, 0);
    c = consback_attach(FRONT, show);
    cr_assert(c);
    work();
    expect_shown("before ", 7);
    write_all("after", 5);
    expect_shown("after", 5);
    consback_detach(c);
    write_all("unseen", 6);
    expect_shown("", 0);
    c = consback_attach(FRONT, show);
    work();
    expect_shown("before afterunseen", 18);
    consback_detach(c);
}

Test(consback, the_last_16384_bytes_are_kept)
{
    static char text[40000];
    struct consback *c;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    write_all(text, sizeof(text));
    c = consback_attach(FRONT, show);
    work();
    expect_shown(text + sizeof(text) - CONSBACK_KEPT, CONSBACK_KEPT);
    write_all(text, sizeof(text));
    expect_shown(text, sizeof(text));
    consback_detach(c);
}

Test(consback, a_round_takes_a_ring_and_tells_the_domain)
{
    static char text[5000];
    unsigned int told;

    cr_assert_eq(write_some(text, sizeof(text)), sizeof(ring->out));
    told = fake_upcalls();
    cr_assert_eq(told, 1);
    cr_assert(!consback_work());
    cr_assert_eq(ring->out_cons, ring->out_prod);
}

Test(consback, keys_go_in_as_far_as_there_is_room)
{
    char keys[2000];
    struct consback *c = consback_attach(FRONT, show);

    memset(keys, 'k', sizeof(keys));
    cr_assert_eq(consback_type(c, "ls\r", 3), 3);
    cr_assert_eq(ring->in_prod, 3);
    cr_assert(memcmp(ring->in, "ls\r", 3) == 0);
    cr_assert_eq(consback_type(c, keys, sizeof(keys)), sizeof(ring->in) - 3);
    cr_assert_eq(consback_type(c, keys, 1), 0);
    ring->in_cons += 2;
    cr_assert_eq(consback_type(c, keys, sizeof(keys)), 2);
    consback_detach(c);
}

Test(consback, one_at_a_time_and_only_whom_we_serve)
{
    struct consback *c = consback_attach(FRONT, show);

    cr_assert_null(consback_attach(FRONT, show));
    cr_assert_null(consback_attach(FRONT + 1, show));
    consback_detach(c);
    c = consback_attach(FRONT, show);
    cr_assert(c);
    consback_detach(c);
}

Test(consback, the_last_words_of_a_domain_are_shown)
{
    struct consback *c = consback_attach(FRONT, show);

    work();
    cr_assert(consback_lives(c));
    write_some("panic", 5);
    consback_domain_gone(FRONT, true);
    cr_assert(!consback_lives(c));
    cr_assert(consback_crashed(c));
    cr_assert_eq(fake_mappings(), 0);
    work();
    expect_shown("panic", 5);
    cr_assert_eq(consback_type(c, "x", 1), 0);
    cr_assert_null(consback_attach(FRONT, show), "its number may be another's soon");
    consback_detach(c);
    work();
}

Test(consback, a_domain_that_lies_about_its_indices_loses_its_own_text)
{
    struct consback *c = consback_attach(FRONT, show);

    for (uint32_t lie = 1; lie; lie <<= 1) {
        uint32_t from = ring->out_cons;

        ring->out_prod = from + (uint32_t)sizeof(ring->out) + lie;
        pv_event_send(port);
        work();
        cr_assert_eq(ring->out_cons, ring->out_prod);
        expect_shown("", 0);
        ring->in_cons = lie + 1;
        cr_assert_leq(consback_type(c, "abc", 3), 3);
    }
    write_all("still here", 10);
    expect_shown("still here", 10);
    consback_detach(c);
}

Test(consback, a_storm_of_events_costs_one)
{
    for (int i = 0; i < 1000; i++)
        pv_event_send(port);
    cr_assert_leq(fake_upcalls(), 1);
    for (int i = 0; i < 1000; i++) {
        pv_event_send(port);
        cr_assert_eq(fake_upcalls(), 0, "masked until the round is over");
    }
    work();
}

Test(consback, what_cannot_be_served_leaves_nothing)
{
    unsigned int mappings = fake_mappings(), ports = fake_ports_used(), was = port;
    long allocs = fake_allocs;

    port = 0;
    cr_assert_eq(consback_offer(FRONT), -ENOENT);
    port = 63; /* nobody's */
    cr_assert_lt(consback_offer(FRONT), 0);
    port = was;
    fake_alloc_budget = 0;
    cr_assert_eq(consback_offer(FRONT), -ENOMEM);
    fake_alloc_budget = -1;
    cr_assert_eq(fake_mappings(), mappings);
    cr_assert_eq(fake_ports_used(), ports);
    cr_assert_leq(fake_allocs, allocs + 1, "the list of address space keeps one");
}

Test(consback, of_one_that_crashes_the_last_lines_are_printed)
{
    unsigned int before = fake_lines;

    for (int i = 0; i < 100; i++)
        write_all("a line\r\n", 8);
    write_all("\033[2Jthe end\n", 12);
    consback_domain_gone(FRONT, true);
    cr_assert_eq(fake_lines - before, 1 + 40);
    cr_assert_str_eq(fake_line, "  [2Jthe end\n");
    work();
}

Test(consback, of_one_that_crashes_before_a_word_nothing_is_printed)
{
    unsigned int before = fake_lines;

    consback_domain_gone(FRONT, true);
    cr_assert_eq(fake_lines, before);
    work();
}
