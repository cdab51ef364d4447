/* SPDX-License-Identifier: MIT
 *
 * Command lines of Parador and of boot modules: good words, bad words, and what is the guest's.
 */
// sources: hypervisor/boot/cmdline.c
#include <criterion/criterion.h>
#include <string.h>
#include "boot/boot.h"

static char why[160];

static bool boot(const char *line, enum log_level *level)
{
    return cmdline_parse(line, level, why, sizeof(why));
}

static bool module(const char *line, struct module_options *m)
{
    return cmdline_parse_module(line, m, why, sizeof(why));
}

Test(cmdline, label_alone)
{
    enum log_level level;

    cr_assert(boot("", &level));
    cr_assert_eq(level, LOG_WARN);
    cr_assert(boot("build/parador", &level));
    cr_assert(boot("loglevel=nonsense", &level), "the first word is a label, whatever it says");
}

Test(cmdline, loglevel)
{
    enum log_level level;

    cr_assert(boot("x loglevel=info", &level));
    cr_assert_eq(level, LOG_INFO);
    cr_assert(boot("x  console=com1   loglevel=debug ", &level));
    cr_assert_eq(level, LOG_DEBUG);
    cr_assert_not(boot("x loglevel=loud", &level));
    cr_assert(strstr(why, "error, warn, info or debug"));
}

Test(cmdline, unknown_word_is_named_with_the_known_ones)
{
    enum log_level level;

    cr_assert_not(boot("x loglevl=info", &level));
    cr_assert(strstr(why, "'loglevl=info'"));
    cr_assert(strstr(why, "loglevel="));
    cr_assert_not(boot("x loglevel", &level), "no value");
    cr_assert_not(boot("x loglevel=", &level), "empty value");
}

Test(cmdline, long_words_do_no_harm)
{
    enum log_level level;
    char line[600] = "x ";

    memset(line + 2, 'a', sizeof(line) - 3);
    cr_assert_not(boot(line, &level));
    cr_assert_lt(strlen(why), sizeof(why));
}

Test(cmdline, all_words_are_the_guests_without_separator)
{
    struct module_options m;

    cr_assert(module("kernel  mem=1 foo bar=2", &m));
    cr_assert_str_eq(m.guest, "mem=1 foo bar=2");
    cr_assert_eq(m.mem, 0);
    cr_assert_eq(m.vcpus, 1);
    cr_assert(module("kernel", &m));
    cr_assert_str_eq(m.guest, "");
    cr_assert_not(m.ramdisk);
}

Test(cmdline, words_before_the_separator)
{
    struct module_options m;

    cr_assert(module("kernel name=red mem=32 vcpus=2 weight=256 cap=50 -- role=driver a -- b", &m));
    cr_assert_str_eq(m.name, "red");
    cr_assert_eq(m.mem, 32ULL << 20);
    cr_assert_eq(m.vcpus, 2);
    cr_assert_eq(m.weight, 256);
    cr_assert_eq(m.cap, 50);
    cr_assert_str_eq(m.guest, "role=driver a -- b");
    cr_assert(module("kernel --", &m));
    cr_assert_str_eq(m.guest, "");
}

Test(cmdline, sizes)
{
    struct module_options m;

    cr_assert(module("k mem=512K --", &m) && m.mem == 512ULL << 10);
    cr_assert(module("k mem=3M --", &m) && m.mem == 3ULL << 20);
    cr_assert(module("k mem=2g --", &m) && m.mem == 2ULL << 30);
    cr_assert_not(module("k mem=0 --", &m));
    cr_assert_not(module("k mem= --", &m));
    cr_assert_not(module("k mem=K --", &m));
    cr_assert_not(module("k mem=-1 --", &m));
    cr_assert_not(module("k mem=99999999999999999999999 --", &m));
}

Test(cmdline, bad_module_words)
{
    struct module_options m;

    cr_assert_not(module("k vcpus=0 --", &m));
    cr_assert_not(module("k vcpus=33 --", &m));
    cr_assert_not(module("k name= --", &m));
    cr_assert_not(module("k name=0123456789012345678901234567890123 --", &m));
    cr_assert_not(module("k memory=3 -- x", &m));
    cr_assert(strstr(why, "'memory=3'"));
}

Test(cmdline, ramdisk)
{
    struct module_options m;

    cr_assert(module("disk ramdisk", &m) && m.ramdisk);
    cr_assert(module("disk ramdisk more", &m) && m.ramdisk);
    cr_assert(module("ramdisk", &m) && !m.ramdisk, "a label that happens to be called so");
    cr_assert(module("k ramdisks", &m) && !m.ramdisk);
}
