/* SPDX-License-Identifier: MIT
 *
 * pvkernel's line editor, typed at: after every key the terminal (a small model of one) must show prompt and
 * line with the cursor in its place.
 */
// sources: pvkernel/core/lineedit.c pvkernel/core/lib.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "pvkernel/core/lineedit.h"

static struct lineedit e;
static char screen[400]; /* the current row */
static size_t column;

static void out(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n') {
            memset(screen, 0, sizeof(screen));
            column = 0;
        } else if (text[i] == '\r') {
            column = 0;
        } else if (text[i] == '\b') {
            cr_assert_gt(column, 0);
            column--;
        } else if (text[i] == '\033') { /* clear and home: as Ctrl-L sends them */
            memset(screen, 0, sizeof(screen));
            column = 0;
            i += text[i + 2] == '2' ? 3 : 2;
        } else if (text[i] != '\a') {
            screen[column++] = text[i];
        }
    }
}

static const char *const words[] = { "help", "hello", "mem", NULL };

static const char *complete(const char *line, size_t start, size_t len, unsigned n)
{
    (void)line, (void)start, (void)len;
    return words[n];
}

static void check_screen(void)
{
    char shown[400];
    size_t n = strlen(screen);
    while (n > e.len + 2 && screen[n - 1] == ' ')
        n--;
    snprintf(shown, sizeof(shown), "%.*s", (int)n, screen);
    char want[400];
    snprintf(want, sizeof(want), "> %s", e.line);
    cr_assert_str_eq(shown, want);
    cr_assert_eq(column, 2 + e.pos);
}

static enum lineedit_result type(const char *keys)
{
    enum lineedit_result r = LINE_MORE;
    for (; *keys && r == LINE_MORE; keys++) {
        r = lineedit_key(&e, *keys);
        if (r == LINE_MORE && !e.escape)
            check_screen();
    }
    return r;
}

static void line(const char *keys, const char *expected)
{
    char all[300];
    snprintf(all, sizeof(all), "%s\r", keys);
    memset(screen, 0, sizeof(screen));
    column = 0;
    lineedit_start(&e);
    cr_assert_eq(type(all), LINE_DONE);
    cr_assert_str_eq(e.line, expected);
}

static void setup(void)
{
    e = (struct lineedit){ .prompt = "> ", .out = out, .complete = complete };
}

TestSuite(lineedit, .init = setup);

Test(lineedit, typing_and_erasing)
{
    line("hello", "hello");
    line("helx\177lo", "hello");
    line("helxx\b\blo", "hello");
    line("\177\177a", "a");
    line("one two\027three", "one three");
    line("abc\025x", "x");
    line("", "");
}

Test(lineedit, moving)
{
    line("bc\001a", "abc");
    line("bc\001a\005d", "abcd");
    line("ac\033[Db", "abc");
    line("ac\033[D\033[Db\033[Cx", "baxc");
    line("abc\033[D\033[D\033[D\033[D\033[Dx", "xabc");
    line("abc\033[C\033[Cx", "abcx");
    line("abc\001\004", "bc");
    line("abc\033[H\033[3~", "bc");
    line("abc\033[1~x\033[4~y", "xabcy");
    line("abc\033OHx\033OFy", "xabcy");
    line("abcdef\002\002\013", "abcd");
    line("abc\001\013x", "x");
}

Test(lineedit, history)
{
    line("first", "first");
    line("second", "second");
    line("second", "second");
    line("\033[A", "second");
    line("\033[A\033[A", "first");
    line("new\033[A\033[A\033[B\033[B", "new");
    line("\020\020\016", "new");
    for (int i = 0; i < 40; i++) {
        char text[20];
        snprintf(text, sizeof(text), "line %d", i);
        line(text, text);
    }
    char up[200] = "";
    for (int i = 0; i < 30; i++)
        strcat(up, "\033[A");
    line(up, "line 24");
}

Test(lineedit, completion)
{
    line("m\t", "mem ");
    line("he\tx", "helx");
    line("hell\t", "hello ");
    line("echo m\t", "echo mem ");
    line("zz\t", "zz");
    line("hel\t", "hel"); /* lists, changes nothing */
}

Test(lineedit, other_keys)
{
    setup();
    lineedit_start(&e);
    cr_assert_eq(lineedit_key(&e, 4), LINE_EOF);
    line("abc\003de", "de");
    line("ab\014c", "abc");
    line("a\033[Zb", "ab");
    line("a\033b", "a");
    line("a\007b", "ab");
}

Test(lineedit, full_lines_stay_in_bounds)
{
    char keys[600];
    memset(keys, 'x', sizeof(keys));
    keys[299] = 0;
    lineedit_start(&e);
    cr_assert_eq(type(keys), LINE_MORE);
    cr_assert_eq(e.len, LINE_MAX - 1);
    type("\001yyy");
    cr_assert_eq(e.len, LINE_MAX - 1);
    cr_assert_eq(e.line[0], 'x');
}

/* Any keys in any order: the model terminal and the line always agree. */
Test(lineedit, random_keys)
{
    static const char *const keys[] = { "a",       "b",      " ",      "\033[A", "\033[B", "\033[C", "\033[D",
                                        "\001",    "\005",   "\013",   "\025",   "\027",   "\177",   "\004",
                                        "\033[3~", "\033[H", "\033[F", "h",      "m" };
    unsigned seed = 7;
    lineedit_start(&e);
    for (unsigned i = 0; i < 50000; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned k = (seed >> 16) % (sizeof(keys) / sizeof(*keys));
        if (e.len == 0 && keys[k][0] == 4)
            continue;
        cr_assert_eq(type(keys[k]), LINE_MORE);
        cr_assert_leq(e.pos, e.len);
        if ((seed >> 8) % 50 == 0) {
            cr_assert_eq(lineedit_key(&e, '\r'), LINE_DONE);
            lineedit_start(&e);
        }
    }
}
