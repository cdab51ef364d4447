/* SPDX-License-Identifier: MIT
 *
 * The line editor. The terminal always shows prompt + line with the cursor at `pos`; each key changes the
 * line and redraws from the leftmost character that changed. Only backspace, spaces and the newline are used
 * to move, and ESC [ K never: so a dumb terminal and a log show something sensible too.
 */
#include "pvkernel/core/lineedit.h"
#include "pvkernel/core/lib.h"

#define CTRL(c) ((c) - '@')
#define ESC     27

static void out(struct lineedit *e, const char *text)
{
    e->out(text, str_len(text));
}

static void back(struct lineedit *e, size_t n)
{
    while (n--)
        e->out("\b", 1);
}

/* Shows the line from `from` on, where the cursor is; `gone` columns behind its end are wiped. */
static void draw_tail(struct lineedit *e, size_t from, size_t gone)
{
    e->out(e->line + from, e->len - from);
    for (size_t i = 0; i < gone; i++)
        e->out(" ", 1);
    back(e, gone + e->len - e->pos);
}

void lineedit_redraw(struct lineedit *e)
{
    out(e, "\r");
    out(e, e->prompt);
    draw_tail(e, 0, 0);
}

void lineedit_start(struct lineedit *e)
{
    e->len = e->pos = 0;
    e->line[0] = 0;
    e->browsing = 0;
    e->escape = 0;
    out(e, e->prompt);
}

static void insert(struct lineedit *e, const char *text, size_t n)
{
    if (n > LINE_MAX - 1 - e->len) {
        n = LINE_MAX - 1 - e->len;
        e->out("\a", 1); /* full: the terminal's bell */
    }
    size_t at = e->pos;
    memmove(e->line + at + n, e->line + at, e->len - at);
    memcpy(e->line + at, text, n);
    e->len += n;
    e->pos += n;
    e->line[e->len] = 0;
    draw_tail(e, at, 0);
}

/* Removes [from, to); the cursor goes to `from`. */
static void erase(struct lineedit *e, size_t from, size_t to)
{
    if (e->pos > from)
        back(e, e->pos - from);
    memmove(e->line + from, e->line + to, e->len - to);
    e->len -= to - from;
    e->line[e->len] = 0;
    e->pos = from;
    draw_tail(e, from, to - from);
}

static void move(struct lineedit *e, size_t to)
{
    if (to < e->pos) {
        back(e, e->pos - to);
    } else {
        e->out(e->line + e->pos, to - e->pos);
    }
    e->pos = to;
}

static void replace(struct lineedit *e, const char *text)
{
    size_t old = e->len;
    back(e, e->pos);
    str_copy(e->line, text, sizeof(e->line));
    e->len = e->pos = str_len(e->line);
    draw_tail(e, 0, old > e->len ? old - e->len : 0);
}

static void browse(struct lineedit *e, bool older)
{
    unsigned n = e->nr_history < LINE_HISTORY ? e->nr_history : LINE_HISTORY;
    if (older ? e->browsing == n : e->browsing == 0)
        return;
    if (e->browsing == 0)
        str_copy(e->kept, e->line, sizeof(e->kept));
    e->browsing = older ? e->browsing + 1 : e->browsing - 1;
    replace(e, e->browsing ? e->history[(e->nr_history - e->browsing) % LINE_HISTORY] : e->kept);
}

static void keep(struct lineedit *e)
{
    const char *last = e->history[(e->nr_history + LINE_HISTORY - 1) % LINE_HISTORY];
    if (e->len && !(e->nr_history && str_equal(last, e->line)))
        str_copy(e->history[e->nr_history++ % LINE_HISTORY], e->line, LINE_MAX);
}

static size_t word_start(const struct lineedit *e)
{
    size_t i = e->pos;
    while (i && e->line[i - 1] == ' ')
        i--;
    while (i && e->line[i - 1] != ' ')
        i--;
    return i;
}

static bool starts_with(const char *name, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (name[i] != word[i])
            return false;
    return true;
}

/* Inserts what all fitting names have in common; if that is nothing, lists them. */
static void complete(struct lineedit *e)
{
    size_t start = e->pos, common = 0;
    unsigned found = 0;
    const char *name, *first = NULL;
    while (start && e->line[start - 1] != ' ')
        start--;
    size_t len = e->pos - start;
    if (!e->complete)
        return;
    for (unsigned n = 0; (name = e->complete(e->line, start, len, n)); n++) {
        if (!starts_with(name, e->line + start, len))
            continue;
        if (found++ == 0) {
            first = name;
            common = str_len(name);
        }
        size_t same = 0;
        while (same < common && name[same] == first[same])
            same++;
        common = same;
    }
    if (found && common > len)
        insert(e, first + len, common - len);
    if (found == 1)
        insert(e, " ", 1);
    if (found < 2 || common > len)
        return;
    out(e, "\n");
    for (unsigned n = 0; (name = e->complete(e->line, start, len, n)); n++)
        if (starts_with(name, e->line + start, len)) {
            out(e, name);
            out(e, "  ");
        }
    out(e, "\n");
    lineedit_redraw(e);
}

/* The rest of ESC [ A, ESC O A, ESC [ 3 ~ and their like. */
static void escape_key(struct lineedit *e, char c)
{
    char before = e->escape;
    e->escape = 0;
    if (before == ESC && (c == '[' || c == 'O')) {
        e->escape = '[';
    } else if (before == '[' && c >= '0' && c <= '9') {
        e->escape = c;
    } else if (c == 'A' || c == 'B') {
        browse(e, c == 'A');
    } else if (c == 'C' && e->pos < e->len) {
        move(e, e->pos + 1);
    } else if (c == 'D' && e->pos) {
        move(e, e->pos - 1);
    } else if (c == 'H' || (c == '~' && (before == '1' || before == '7'))) {
        move(e, 0);
    } else if (c == 'F' || (c == '~' && (before == '4' || before == '8'))) {
        move(e, e->len);
    } else if (c == '~' && before == '3' && e->pos < e->len) {
        erase(e, e->pos, e->pos + 1);
    }
}

static void control_key(struct lineedit *e, char c)
{
    switch (c) {
    case CTRL('A'):
        move(e, 0);
        break;
    case CTRL('E'):
        move(e, e->len);
        break;
    case CTRL('B'):
        move(e, e->pos ? e->pos - 1 : 0);
        break;
    case CTRL('F'):
        move(e, e->pos < e->len ? e->pos + 1 : e->len);
        break;
    case CTRL('H'):
    case 127:
        if (e->pos)
            erase(e, e->pos - 1, e->pos);
        break;
    case CTRL('D'):
        if (e->pos < e->len)
            erase(e, e->pos, e->pos + 1);
        break;
    case CTRL('U'):
        erase(e, 0, e->pos);
        break;
    case CTRL('K'):
        erase(e, e->pos, e->len);
        break;
    case CTRL('W'):
        erase(e, word_start(e), e->pos);
        break;
    case CTRL('P'):
    case CTRL('N'):
        browse(e, c == CTRL('P'));
        break;
    case CTRL('L'):
        out(e, "\033[2J\033[H");
        lineedit_redraw(e);
        break;
    case CTRL('I'):
        complete(e);
        break;
    default:
        break;
    }
}

enum lineedit_result lineedit_key(struct lineedit *e, char c)
{
    if (e->escape) {
        escape_key(e, c);
    } else if (c == ESC) {
        e->escape = ESC;
    } else if (c == '\r' || c == '\n') {
        out(e, "\n");
        keep(e);
        return LINE_DONE;
    } else if (c == CTRL('D') && e->len == 0) {
        return LINE_EOF;
    } else if (c == CTRL('C')) {
        out(e, "^C\n");
        lineedit_start(e);
    } else if ((unsigned char)c < ' ' || c == 127) {
        control_key(e, c);
    } else {
        insert(e, &c, 1);
    }
    return LINE_MORE;
}
