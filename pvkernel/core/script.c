/* SPDX-License-Identifier: MIT
 *
 * The reader of scripts. A ';' or newline inside quotes ('...' or "...") separates nothing.
 */
#include "pvkernel/core/script.h"
#include "pvkernel/core/lib.h"

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* *text_end: where a comment behind the command begins, or the end. */
static size_t end_of_command(const struct script *s, size_t *text_end)
{
    char quote = 0;
    bool comment = false;
    size_t i = s->at;
    for (; i < s->size && s->text[i]; i++) {
        char c = s->text[i];
        if (c == '\n' && !quote)
            break;
        if (comment)
            continue;
        if (quote ? c == quote : c == '\'' || c == '"')
            quote = quote ? 0 : c;
        else if (c == ';' && !quote)
            break;
        else if (c == '#' && !quote && (i == s->at || space(s->text[i - 1]))) {
            comment = true;
            *text_end = i;
        }
    }
    if (!comment)
        *text_end = i;
    return i;
}

/* "d12:" at the start of [*at, end): moves *at behind it. */
static int prefix(const struct script *s, size_t *at, size_t end)
{
    size_t i = *at;
    int n = 0;
    if (end - i < 3 || s->text[i] != 'd')
        return -1;
    for (i++; i < end && s->text[i] >= '0' && s->text[i] <= '9' && n < 10000; i++)
        n = n * 10 + s->text[i] - '0';
    if (i == *at + 1 || i == end || s->text[i] != ':')
        return -1;
    *at = i + 1;
    return n;
}

bool script_next(struct script *s, int *domain, char *command, size_t size)
{
    while (s->at < s->size && s->text[s->at]) {
        size_t end = 0, next = end_of_command(s, &end), at = s->at, n = 0;
        s->at = next < s->size && s->text[next] ? next + 1 : next;
        while (at < end && space(s->text[at]))
            at++;
        *domain = prefix(s, &at, end);
        while (at < end && space(s->text[at]))
            at++;
        for (; at < end && n + 1 < size; at++)
            command[n++] = s->text[at];
        s->cut = at < end;
        while (n && space(command[n - 1]))
            n--;
        command[n] = 0;
        if (n)
            return true;
    }
    return false;
}
