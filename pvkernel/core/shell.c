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

static struct lineedit editor; /* the shell thread's; at_prompt: that thread waits for a key */
static volatile bool at_prompt;

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

int shell_usage(const char *name)
{
    const struct command *c = find_command(name);
    kprintf("usage: %s %s\n", name, c ? c->args : "");
    return 2;
}

/* Splits in place. Returns the number of words, or -1: too many, or a quote that isn't closed. */
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
            return -1;
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
    char *copy = kalloc(n);
    if (copy)
        memcpy(copy, command, n - 1), copy[n - 1] = 0;
    *status = !copy || job_start("job", run_copy, copy);
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
    if (n < 0) {
        kprintf("%s: too many words, or a quote is not closed\n", command);
        return 2;
    }
    if (n == 0)
        return 0;
    words[n] = NULL;
    const struct command *c = find_command(words[0]);
    if (!c) {
        kprintf("%s: no such command (help lists them)\n", words[0]);
        return 127;
    }
    return c->run(n, words);
}

int shell_run(const char *line)
{
    struct script s = { line, str_len(line), 0 };
    char command[LINE_MAX];
    int domain, status = 0;
    while (script_next(&s, &domain, command, sizeof(command))) {
        int st = run_one(command);
        if (!status)
            status = st;
    }
    return status;
}

int shell_run_shown(const char *prompt, const char *line)
{
    bool redraw = at_prompt;
    kprintf("%s%s\n", redraw ? "" : prompt, line);
    int status = shell_run(line);
    if (redraw && at_prompt)
        lineedit_redraw(&editor);
    return status;
}

/* Names for tab completion: commands for the first word, else files of the ramdisk and devices. */
static const char *complete(const char *line, size_t start, size_t len, unsigned n)
{
    static struct file f; /* only the shell thread completes */
    (void)len;
    while (start && *line == ' ')
        line++, start--;
    if (start == 0) {
        const struct command *c = nth_command(n);
        return c ? c->name : NULL;
    }
    size_t offset = 0;
    while (ramdisk_next(&offset, &f))
        if (n-- == 0)
            return f.name;
    struct blockdev *d = block_nth(n);
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
        at_prompt = true;
        while (r == LINE_MORE)
            r = lineedit_key(&editor, (char)console_getkey());
        at_prompt = false;
        if (r == LINE_EOF)
            kprintf("\n(type poweroff to end)\n");
        else
            shell_run(editor.line);
    }
}
