/* SPDX-License-Identifier: MIT
 *
 * Command lines of Parador and of boot modules: good words, bad words, and what is the guest's.
 */
// sources: hypervisor/boot/cmdline.c
#include <criterion/criterion.h>
#include <string.h>
#include "boot/boot.h"

static char why[160];

static bool boot(const char *line, struct boot_options *o)
{
    return cmdline_parse(line, o, why, sizeof(why));
}

static bool module(const char *line, struct module_options *m)
{
    return cmdline_parse_module(line, m, why, sizeof(why));
}

Test(cmdline, label_alone)
{
    struct boot_options o;

    cr_assert(boot("", &o));
    cr_assert_eq(o.log_level, LOG_WARN);
    cr_assert(boot("build/parador", &o));
    cr_assert(boot("loglevel=nonsense", &o), "the first word is a label, whatever it says");
}

Test(cmdline, loglevel)
{
    struct boot_options o;

    cr_assert(boot("x loglevel=info", &o));
    cr_assert_eq(o.log_level, LOG_INFO);
    cr_assert(boot("x  console=com1   loglevel=debug ", &o));
    cr_assert_eq(o.log_level, LOG_DEBUG);
    cr_assert_not(boot("x loglevel=loud", &o));
    cr_assert(strstr(why, "error, warn, info or debug"));
}

Test(cmdline, unknown_word_is_named_with_the_known_ones)
{
    struct boot_options o;

    cr_assert_not(boot("x loglevl=info", &o));
    cr_assert(strstr(why, "'loglevl=info'"));
    cr_assert(strstr(why, "loglevel="));
    cr_assert_not(boot("x loglevel", &o), "no value");
    cr_assert_not(boot("x loglevel=", &o), "empty value");
}

Test(cmdline, long_words_do_no_harm)
{
    struct boot_options o;
    char line[600] = "x ";

    memset(line + 2, 'a', sizeof(line) - 3);
    cr_assert_not(boot(line, &o));
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
