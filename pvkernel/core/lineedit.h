/* SPDX-License-Identifier: MIT
 *
 * One editable line on a terminal: cursor keys, Home, End, Delete, history (up and down), Ctrl-A E B F H U K
 * W L, tab completion. Pure: keys go in, text for the terminal comes out by a function; so it runs under a
 * host test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LINE_MAX     200
#define LINE_HISTORY 16

struct lineedit {
    const char *prompt;
    void (*out)(const char *text, size_t n);
    /* The n-th name that may complete the word at [start, start + len) of the line; NULL: no more. May be
     * NULL. */
    const char *(*complete)(const char *line, size_t start, size_t len, unsigned n);
    char line[LINE_MAX];
    size_t len, pos;
    char history[LINE_HISTORY][LINE_MAX];
    unsigned nr_history, browsing; /* lines ever kept; how far back we look (0: the new line) */
    char kept[LINE_MAX];           /* the new line while browsing */
    char escape;                   /* 0, or what came of an escape sequence: ESC, '[', a digit */
};

enum lineedit_result { LINE_MORE, LINE_DONE, LINE_EOF };

/* Starts a new line: prints the prompt. */
void lineedit_start(struct lineedit *e);
/* One key. LINE_DONE: `line` holds the text (ended by 0). LINE_EOF: Ctrl-D on an empty line. */
enum lineedit_result lineedit_key(struct lineedit *e, char c);
/* Prints prompt and line again, for instance after other output. */
void lineedit_redraw(struct lineedit *e);
