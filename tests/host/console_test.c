/* SPDX-License-Identifier: MIT
 *
 * One serial line for several domains (hypervisor/domain/console.c): whose lines appear when, what is marked,
 * and where the keys go. What the serial line got is compared as a text.
 */
// sources: hypervisor/domain/console.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "domain/console.h"
#include "domain/domain.h"
#include "x86/cpu.h"
#include "x86/serial.h"

static char out[4096];
static const char *keys = "";
static struct domain three[3];
static unsigned int events[3];
static char pressed[16];

void serial_write(const char *s, size_t n)
{
    cr_assert_lt(strlen(out) + n, sizeof(out));
    strncat(out, s, n);
}

int serial_getc(void)
{
    return *keys ? *keys++ : -1;
}

void cpu_relax(void)
{
}

void cpu_window(void)
{
}

void lock_check(const struct lock *l, bool taking)
{
    (void)l, (void)taking;
}

struct domain_list domains = { .lock = LOCK_INIT(LOCK_DOMAIN_LIST) };

struct domain *get_domain_by_index(unsigned int idx)
{
    struct domain *d = idx < 3 ? &three[idx] : NULL;

    if (d)
        domain_ref(d);
    return d;
}

void evtchn_send_virq(struct domain *d, uint32_t vcpu, uint32_t virq)
{
    cr_assert_eq(virq, VIRQ_CONSOLE);
    cr_assert_eq(vcpu, 0);
    events[d->domid]++;
}

void keys_pressed(char c)
{
    strncat(pressed, &c, 1);
}

/* The first n domains begin; 0 has the keyboard. */
static void begin(unsigned int n)
{
    for (unsigned int i = 0; i < 3; i++) {
        three[i].domid = (uint16_t)i;
        snprintf(three[i].name, sizeof(three[i].name), "d%u", i);
        domains.by_id[i] = i < n ? &three[i] : NULL;
        if (i < n)
            console_domain_begins(&three[i]);
    }
}

static void print(unsigned int domid, const char *text)
{
    for (size_t n = strlen(text), done; n; text += done, n -= done)
        done = console_write(&three[domid], text, n);
}

static void own(const char *text)
{
    console_own(text, strlen(text));
}

#define is(text) cr_assert_str_eq(out, text)

Test(console, one_domain_has_no_marks)
{
    begin(1);
    print(0, "hello\n> ");
    is("hello\n> ");
}

Test(console, each_line_is_marked)
{
    begin(2);
    print(0, "a\nb\n");
    print(1, "c\n\nd\n");
    is("[d0] a\n[d0] b\n[d1] c\n[d1] \n[d1] d\n");
}

Test(console, others_lines_wait_until_they_are_whole)
{
    begin(2);
    print(1, "half");
    is("");
    print(0, "now\n");
    print(1, " and half\n");
    is("[d0] now\n[d1] half and half\n");
}

Test(console, prompt_is_shown_at_once_and_again_below)
{
    begin(2);
    print(0, "> ");
    is("[d0] > ");
    print(1, "news\n");
    is("[d0] > \n[d1] news\n[d0] > ");
    print(0, "ls\n");
    is("[d0] > \n[d1] news\n[d0] > ls\n");
}

Test(console, parador_speaks_on_lines_of_its_own)
{
    begin(1);
    print(0, "> ");
    own("parador: hm\n");
    is("> \nparador: hm\n> ");
}

Test(console, a_line_of_paradors_in_pieces)
{
    begin(1);
    print(0, "> ");
    own("parador: ");
    own("hm\n");
    is("> \nparador: hm\n> ");
}

Test(console, no_prompt_between_lines_that_belong_together)
{
    begin(1);
    print(0, "> ");
    console_hold();
    own("one\n");
    own("two\n");
    console_release();
    is("> \none\ntwo\n> ");
}

Test(console, redrawn_line)
{
    begin(2);
    print(0, "> ab\r> a");
    is("[d0] > ab\r[d0] > a");
    out[0] = '\0';
    print(1, "x\n");
    is("\n[d1] x\n[d0] > a");
}

Test(console, carriage_return_before_newline)
{
    begin(2);
    print(0, "a\r\n");
    print(1, "b\r\n");
    is("[d0] a\r\n[d1] b\n");
}

Test(console, long_lines)
{
    char text[601];

    memset(text, 'x', 600);
    text[600] = '\0';
    begin(2);
    print(1, text);
    print(1, "\n");
    cr_assert_eq(strlen(out), 600 + 3 * strlen("[d1] \n"));
    out[0] = '\0';
    print(0, text);
    cr_assert_eq(strlen(out), 600 + strlen("[d0] "));
}

/* A line of just the buffer's size, half of which is kept: what comes next must not be written behind it. */
Test(console, the_keyboard_goes_away_in_a_long_line)
{
    char text[sizeof(three[0].line) + 1];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    begin(2);
    print(0, text);
    console_focus(1);
    out[0] = '\0';
    print(0, "y");
    is("");
    print(0, "\n");
    cr_assert_eq(strlen(out), strlen("[d0] y\n") + sizeof(three[0].line) / 2);
    cr_assert_eq(strcmp(out + strlen(out) - 3, "xy\n"), 0);
}

Test(console, keys_go_to_the_owner)
{
    char buf[8];

    begin(2);
    keys = "abc";
    console_input();
    cr_assert_eq(events[0], 1);
    cr_assert_eq(events[1], 0);
    cr_assert_eq(console_read(&three[1], buf, 8), 0);
    cr_assert_eq(console_read(&three[0], buf, 2), 2);
    cr_assert(!memcmp(buf, "ab", 2));
    cr_assert_eq(console_read(&three[0], buf, 8), 1);
    cr_assert_eq(console_read(&three[0], buf, 8), 0);
}

Test(console, debug_keys)
{
    char buf[8];

    begin(1);
    keys = "a\x14"
           "d\x14\x14"
           "b";
    console_input();
    cr_assert_str_eq(pressed, "d");
    cr_assert_eq(console_read(&three[0], buf, 8), 3);
    cr_assert(!memcmp(buf,
                      "a\x14"
                      "b",
                      3));
    keys = "\x14"; /* the second key comes later */
    console_input();
    keys = "g";
    console_input();
    cr_assert_str_eq(pressed, "dg");
}

Test(console, more_input_than_fits_is_lost)
{
    char text[6001], buf[8000];

    memset(text, 'k', 6000);
    text[6000] = '\0';
    begin(1);
    keys = text;
    console_input();
    cr_assert_eq(console_read(&three[0], buf, sizeof(buf)), 4096);
}

Test(console, focus_moves_and_typed_text_does_not)
{
    char buf[8];

    begin(3);
    keys = "x";
    console_input();
    console_focus(2);
    cr_assert_eq(console_owner(), 2);
    cr_assert_eq(console_read(&three[2], buf, 8), 0);
    console_focus_after(console_owner());
    cr_assert_eq(console_owner(), 0);
    console_focus(77);
    cr_assert_eq(console_owner(), 0);
    three[1].shut_down = true;
    console_focus_after(console_owner());
    cr_assert_eq(console_owner(), 2);
}

Test(console, the_end_of_the_owner)
{
    begin(2);
    print(0, "last words");
    domains.by_id[0] = NULL;
    console_domain_ends(&three[0]);
    cr_assert_eq(console_owner(), 1);
    print(1, "> ");
    is("[d0] last words\n[d1] > ");
}

Test(console, the_end_of_another)
{
    begin(2);
    print(1, "last words");
    domains.by_id[1] = NULL;
    console_domain_ends(&three[1]);
    is("[d1] last words\n");
    cr_assert_eq(console_owner(), 0);
}
