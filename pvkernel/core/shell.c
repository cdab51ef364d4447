/* SPDX-License-Identifier: MIT
 *
 * Reading a line, splitting it into words, finding the command. Words are separated by spaces; '...' and
 * "..." keep spaces together. Read next: commands.c.
 */
#include "pvkernel/core/shell.h"
#include "pvkernel/core/archive.h"
#include "pvkernel/core/block.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/jobs.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/lineedit.h"
#include "pvkernel/core/script.h"

static const struct command *const tables[] = { core_commands, disk_commands, arch_commands, NULL };

static struct lineedit editor; /* the shell thread's */

static void redraw(void)
{
    lineedit_redraw(&editor);
}

static const struct command *nth_command(unsigned n)
{
    for (unsigned t = 0; tables[t]; t++)
        for (const struct command *c = tables[t]; c->name; c++)
            if (n-- == 0)
                return c;
    return NULL;
}

static const struct command *find_command(const char *name)
{
    const struct command *c;
    for (unsigned n = 0; (c = nth_command(n)); n++)
        if (str_equal(c->name, name))
            return c;
    return NULL;
}

bool shell_help(const char *name)
{
    const struct command *c;
    bool any = false;
    for (unsigned n = 0; (c = nth_command(n)); n++) {
        char head[40];
        if (name && !str_equal(c->name, name))
            continue;
        ksnprintf(head, sizeof(head), "%s %s", c->name, c->args);
        kprintf("  %-26s %s\n", head, c->help);
        any = true;
    }
    return any;
}

int shell_wrong(const char *command, const char *word, const char *why)
{
    const struct command *c = find_command(command);
    kprintf("%s: %s%s%s (usage: %s%s%s)\n", command, word, *word ? ": " : "", why, command,
            c && *c->args ? " " : "", c ? c->args : "");
    return 2;
}

/* Splits in place. Returns the number of words, or -1: too many, -2: a quote isn't closed. */
static int split(char *line, char **words)
{
    int n = 0;
    char *from = line;
    for (;;) {
        while (*from == ' ' || *from == '\t')
            from++;
        if (!*from)
            return n;
        if (n == SHELL_WORDS)
            return -1;
        char *to = words[n++] = from, quote = 0;
        for (; *from && (quote || (*from != ' ' && *from != '\t')); from++) {
            if (quote ? *from == quote : *from == '\'' || *from == '"')
                quote = quote ? 0 : *from;
            else
                *to++ = *from;
        }
        if (quote)
            return -2;
        bool last = !*from;
        *to = 0;
        if (last)
            return n;
        from++;
    }
}

static int run_copy(void *copy)
{
    int status = shell_run(copy);
    kfree(copy);
    return status;
}

/* "COMMAND &", if it is one: starts it as a job. */
static bool run_background(const char *command, int *status)
{
    size_t n = str_len(command);
    while (n && command[n - 1] == ' ')
        n--;
    if (n == 0 || command[n - 1] != '&')
        return false;
    while (n > 1 && command[n - 2] == ' ')
        n--;
    if (n == 1) {
        kprintf("&: a command is missing before it\n");
        *status = 2;
        return true;
    }
    char *copy = kalloc(n);
    if (copy)
        memcpy(copy, command, n - 1), copy[n - 1] = 0;
    *status = !copy || job_start(copy, run_copy, copy);
    if (*status) {
        kfree(copy);
        kprintf("%s: no memory\n", command);
    }
    return true;
}

static int run_one(char *command)
{
    char *words[SHELL_WORDS + 1] = { NULL };
    int n, status;
    if (!str_starts(command, "run ") && run_background(command, &status))
        return status;
    n = split(command, words);
    if (n == -1)
        kprintf("too many words: a command has at most %d\n", SHELL_WORDS);
    if (n == -2)
        kprintf("a quote is not closed\n");
    if (n < 0)
        return 2;
    if (n == 0)
        return 0;
    words[n] = NULL;
    const struct command *c = find_command(words[0]);
    if (!c) {
        kprintf("%s: no such command (help lists them)\n", words[0]);
        return 127;
    }
    if (n - 1 < c->least)
        return shell_wrong(words[0], "", "an argument is missing");
    if (n - 1 > c->most)
        return shell_wrong(words[0], words[c->most + 1],
                           c->most ? "too many arguments" : "takes no arguments");
    return c->run(n, words);
}

static int too_long(const char *command)
{
    kprintf("a command has at most %d characters, and this one begins: %.40s\n", LINE_MAX - 1, command);
    return 2;
}

int shell_run(const char *line)
{
    struct script s = { line, str_len(line), 0, false };
    char command[LINE_MAX];
    int domain, status = 0;
    while (script_next(&s, &domain, command, sizeof(command))) {
        int st = s.cut ? too_long(command) : run_one(command);
        if (!status)
            status = st;
    }
    return status;
}

int shell_run_shown(const char *prompt, const char *line)
{
    kprintf("%s%s\n", console_prompt ? "" : prompt, line);
    int status = shell_run(line);
    if (console_prompt)
        console_prompt();
    return status;
}

/* Names for tab completion: commands for the first word, else files of the ramdisk and devices. A program of
 * bin/ is behind `run` as it may be typed there, without the folder. */
static const char *complete(const char *line, size_t start, size_t len, unsigned n)
{
    static struct file f; /* only the shell thread completes */
    bool short_names = str_starts(line + start - (start < 4 ? start : 4), "run ");
    for (size_t i = 0; i < len; i++)
        short_names &= line[start + i] != '/';
    while (start && *line == ' ')
        line++, start--;
    if (start == 0) {
        const struct command *c = nth_command(n);
        return c ? c->name : NULL;
    }
    size_t offset = 0;
    while (ramdisk_next(&offset, &f)) {
        bool program = str_starts(f.name, "bin/");
        if ((!short_names || program) && n-- == 0)
            return short_names ? f.name + 4 : f.name;
    }
    struct blockdev *d = short_names ? NULL : block_nth(n);
    return d ? d->name : NULL;
}

void shell_main(void *prompt)
{
    editor.prompt = prompt;
    editor.out = console_write;
    editor.complete = complete;
    for (;;) {
        lineedit_start(&editor);
        enum lineedit_result r = LINE_MORE;
        console_prompt = redraw;
        while (r == LINE_MORE)
            r = lineedit_key(&editor, (char)console_getkey());
        console_prompt = NULL;
        if (r == LINE_EOF)
            kprintf("\n(poweroff ends this domain)\n");
        else
            shell_run(editor.line);
    }
}
