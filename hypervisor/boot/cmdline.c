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
#include "boot/cmdline.h"
#include "lib/string.h"

#define WORD_LEN 64 /* a word with its value; longer ones are unknown */

/* Reads the value into the options; false: not a value of this word. */
struct word {
    const char *name;
    bool (*read)(void *options, const char *value);
    const char *values; /* what to write, for the sentence */
};

static bool read_number(const char *s, uint64_t *n)
{
    *n = 0;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || *n > 1000000000)
            return false;
        *n = *n * 10 + (uint64_t)(*s - '0');
    }
    return true;
}

static bool read_u32(const char *s, uint64_t min, uint64_t max, uint32_t *to)
{
    uint64_t n;

    if (!read_number(s, &n) || n < min || n > max)
        return false;
    *to = (uint32_t)n;
    return true;
}

static bool read_loglevel(void *options, const char *value)
{
    static const char *const names[] = { "always", "error", "warn", "info", "debug" };

    for (unsigned int i = LOG_ERROR; i < ARRAY_SIZE(names); i++) {
        if (strcmp(value, names[i]))
            continue;
        ((struct boot_options *)options)->log_level = (enum log_level)i;
        return true;
    }
    return false;
}

static bool read_console(void *options, const char *value)
{
    (void)options;
    return !strcmp(value, "com1");
}

static bool read_name(void *options, const char *value)
{
    struct module_options *m = options;
    size_t n = strlen(value);

    if (!n || n >= sizeof(m->name))
        return false;
    for (size_t i = 0; i < n; i++)
        if (value[i] <= ' ' || value[i] > '~')
            return false;
    memcpy(m->name, value, n + 1);
    return true;
}

static bool read_mem(void *options, const char *value)
{
    struct module_options *m = options;
    char digits[WORD_LEN];
    size_t n = strlen(value);
    unsigned int shift = 20;
    uint64_t number;

    if (!n || n >= sizeof(digits))
        return false;
    memcpy(digits, value, n + 1);
    switch (digits[n - 1] | 0x20) {
    case 'k':
        shift = 10;
        digits[n - 1] = '\0';
        break;
    case 'g':
        shift = 30;
        digits[n - 1] = '\0';
        break;
    case 'm':
        digits[n - 1] = '\0';
        break;
    default:
        break;
    }
    if (!read_number(digits, &number) || !number)
        return false;
    m->mem = number << shift;
    return true;
}

static bool read_vcpus(void *options, const char *value)
{
    return read_u32(value, 1, 32, &((struct module_options *)options)->vcpus);
}

static bool read_weight(void *options, const char *value)
{
    return read_u32(value, 1, 65535, &((struct module_options *)options)->weight);
}

static bool read_cap(void *options, const char *value)
{
    return read_u32(value, 0, 100 * 32, &((struct module_options *)options)->cap);
}

static const struct word boot_words[] = {
    { "loglevel", read_loglevel, "error, warn, info or debug" },
    { "console", read_console, "com1" },
};

static const struct word module_words[] = {
    { "name", read_name, "a word of at most 31 letters" },
    { "mem", read_mem, "megabytes, or a number with K, M or G" },
    { "vcpus", read_vcpus, "1 to 32" },
    { "weight", read_weight, "1 to 65535" },
    { "cap", read_cap, "percent of a CPU, 0: none" },
};

/* The next word of *line into buf; its length, 0 at the end of the line. Moves *line behind it. */
static size_t next_word(const char **line, char buf[WORD_LEN])
{
    const char *s = *line, *end;

    while (*s == ' ')
        s++;
    end = s;
    while (*end && *end != ' ')
        end++;
    memcpy(buf, s, MIN((size_t)(end - s), WORD_LEN - 1));
    buf[MIN((size_t)(end - s), WORD_LEN - 1)] = '\0';
    *line = end;
    return (size_t)(end - s);
}

static void list_words(const struct word *words, unsigned int n, char *buf, size_t size)
{
    size_t at = 0;

    for (unsigned int i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%s=", i ? " " : "", words[i].name);
}

static bool apply_word(const struct word *words, unsigned int n, char *word, void *options, char *why,
                       size_t size)
{
    char known[WORD_LEN], *value = strchr(word, '=');
    size_t len = value ? (size_t)(value - word) : strlen(word);

    for (unsigned int i = 0; i < n; i++) {
        if (!value || strlen(words[i].name) != len || strncmp(words[i].name, word, len))
            continue;
        if (words[i].read(options, value + 1))
            return true;
        snprintf(why, size, "'%s': %s= takes %s", word, words[i].name, words[i].values);
        return false;
    }
    list_words(words, n, known, sizeof(known));
    snprintf(why, size, "unknown word '%s' (known: %s)", word, known);
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

bool cmdline_parse(const char *line, struct boot_options *o, char *why, size_t size)
{
    char label[WORD_LEN];

    *o = (struct boot_options){ LOG_WARN };
    next_word(&line, label);
    return apply_words(&line, boot_words, ARRAY_SIZE(boot_words), o, why, size);
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
