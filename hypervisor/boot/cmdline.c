/* SPDX-License-Identifier: MIT
 *
 * Command lines: Parador's own and, for each boot module, the words before `--`.
 *
 *   build/parador loglevel=info
 *   build/pvkernel name=d1 mem=32 vcpus=1 -- role=guest
 *   disk.cpio ramdisk
 *
 * A line's first word is a label (QEMU puts the file's name there) and is skipped. Without `--` all words are
 * the guest's. Both kinds of words are tables of rows { word, what reads its value }, so a new word is a row,
 * and the sentence about an unknown word can name those that exist. No state and no I/O:
 * tests/host/cmdline_test.c.
 */
#include "boot/boot.h"
#include "lib/string.h"

#define WORD_LEN 64 /* a word with its value; longer ones are unknown */

/* read() puts the value into the options; false: not a value of this word. */
struct word {
    const char *name;
    bool (*read)(const struct word *w, void *options, const char *value);
    const char *values;   /* what to write, for the sentence */
    uint32_t least, most; /* of a number, and the uint32_t for it in the options */
    size_t offset;
};

/* Returns what follows the digits; NULL: there are none, or too many. */
static const char *read_digits(const char *s, uint64_t *n)
{
    const char *first = s;

    for (*n = 0; *s >= '0' && *s <= '9'; s++) {
        if (*n > 1000000000)
            return NULL;
        *n = *n * 10 + (uint64_t)(*s - '0');
    }
    return s == first ? NULL : s;
}

static bool read_number(const struct word *w, void *options, const char *value)
{
    uint64_t n;
    const char *end = read_digits(value, &n);

    if (!end || *end || n < w->least || n > w->most)
        return false;
    *(uint32_t *)(void *)((char *)options + w->offset) = (uint32_t)n;
    return true;
}

static bool read_loglevel(const struct word *w, void *options, const char *value)
{
    static const char *const names[] = { "always", "error", "warn", "info", "debug" };

    for (unsigned int i = LOG_ERROR; i < ARRAY_SIZE(names); i++) {
        if (strcmp(value, names[i]))
            continue;
        *(enum log_level *)options = (enum log_level)i;
        return true;
    }
    return false;
}

static bool read_console(const struct word *w, void *options, const char *value)
{
    return !strcmp(value, "com1");
}

static bool read_name(const struct word *w, void *options, const char *value)
{
    struct module_options *m = options;
    size_t n = strlen(value);

    for (size_t i = 0; i < n; i++)
        if (value[i] <= ' ' || value[i] > '~')
            return false;
    if (!n || n >= sizeof(m->name))
        return false;
    memcpy(m->name, value, n + 1);
    return true;
}

static bool read_mem(const struct word *w, void *options, const char *value)
{
    uint64_t n;
    const char *end = read_digits(value, &n), *unit = "kmg";

    if (!end || !n)
        return false;
    if (*end)
        unit = strchr(unit, *end++ | 0x20);
    else
        unit++;
    if (!unit || *end)
        return false;
    ((struct module_options *)options)->mem = n << (*unit == 'k' ? 10 : *unit == 'm' ? 20 : 30);
    return true;
}

static const struct word boot_words[] = {
    { "loglevel", read_loglevel, "error, warn, info or debug", 0, 0, 0 },
    { "console", read_console, "com1", 0, 0, 0 },
};

#define NUMBER(field) offsetof(struct module_options, field)

static const struct word module_words[] = {
    { "name", read_name, "a word of at most 31 letters", 0, 0, 0 },
    { "mem", read_mem, "megabytes, or a number with K, M or G", 0, 0, 0 },
    { "vcpus", read_number, "1 to 32", 1, 32, NUMBER(vcpus) },
    { "weight", read_number, "1 to 65535", 1, 65535, NUMBER(weight) },
    { "cap", read_number, "percent of a CPU, 0: none", 0, 100 * 32, NUMBER(cap) },
};

/* The next word of *line into buf, cut to fit; its length, 0 at the end of the line. Moves *line behind it.
 */
static size_t next_word(const char **line, char buf[WORD_LEN])
{
    const char *s = *line, *end;
    size_t n;

    while (*s == ' ')
        s++;
    for (end = s; *end && *end != ' ';)
        end++;
    n = MIN((size_t)(end - s), WORD_LEN - 1);
    memcpy(buf, s, n);
    buf[n] = '\0';
    *line = end;
    return n;
}

static bool apply_word(const struct word *words, unsigned int n, char *word, void *options, char *why,
                       size_t size)
{
    const char *value = strchr(word, '=');
    size_t len = value ? (size_t)(value - word) : 0, at;

    for (unsigned int i = 0; i < n; i++) {
        if (strlen(words[i].name) != len || strncmp(words[i].name, word, len))
            continue;
        if (words[i].read(&words[i], options, value + 1))
            return true;
        snprintf(why, size, "'%s': %s= takes %s", word, words[i].name, words[i].values);
        return false;
    }
    at = (size_t)snprintf(why, size, "unknown word '%s' (known:", word);
    for (unsigned int i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(why + at, size - at, " %s=%s", words[i].name, i + 1 < n ? "" : ")");
    return false;
}

/* Applies all words up to the end, or up to `--`; *line is behind them. */
static bool apply_words(const char **line, const struct word *words, unsigned int n, void *options, char *why,
                        size_t size)
{
    char word[WORD_LEN];

    while (next_word(line, word)) {
        if (!strcmp(word, "--"))
            return true;
        if (!apply_word(words, n, word, options, why, size))
            return false;
    }
    return true;
}

bool cmdline_parse(const char *line, enum log_level *level, char *why, size_t size)
{
    char label[WORD_LEN];

    *level = LOG_WARN;
    next_word(&line, label);
    return apply_words(&line, boot_words, ARRAY_SIZE(boot_words), level, why, size);
}

/* Whether a word of its own `--` stands in line. */
static bool has_separator(const char *line)
{
    char word[WORD_LEN];

    while (next_word(&line, word))
        if (!strcmp(word, "--"))
            return true;
    return false;
}

bool cmdline_parse_module(const char *line, struct module_options *m, char *why, size_t size)
{
    char word[WORD_LEN];
    const char *rest;

    *m = (struct module_options){ .vcpus = 1, .guest = "" };
    next_word(&line, word);
    rest = line;
    if (next_word(&rest, word) && !strcmp(word, "ramdisk")) {
        m->ramdisk = true;
        return true;
    }
    if (has_separator(line) && !apply_words(&line, module_words, ARRAY_SIZE(module_words), m, why, size))
        return false;
    while (*line == ' ')
        line++;
    m->guest = line;
    return true;
}
