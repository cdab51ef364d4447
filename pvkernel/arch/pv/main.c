/* SPDX-License-Identifier: MIT
 *
 * The start of pvkernel in a PV domain. One file in both roles, told apart by the command line: role=driver
 * is domain 0 with xenstore server and block backend, role=guest any other domain; without the word, domain 0
 * is the driver.
 *
 * main becomes the idle thread; everything else happens in threads that it starts. Read next: drivers.c,
 * script.c.
 */
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/event.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/archive.h"
#include "pvkernel/core/block.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/lineedit.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/script.h"
#include "pvkernel/core/shell.h"
#include "pvkernel/core/thread.h"

static char prompt[12];

static bool is_driver(void)
{
    char role[16];
    if (!pv_cmdline_option("role", role, sizeof(role)))
        return pv_is_dom0();
    if (!str_equal(role, "driver") && !str_equal(role, "guest"))
        kprintf("role=%s: driver or guest expected; going on as %s\n", role,
                pv_is_dom0() ? "driver" : "guest");
    return pv_is_dom0();
}

/* The words that we know: role=driver|guest, debug=0 (freed pages are not filled with junk), and two of the
 * runner's, domains=N and script, which are for the reader only. The first word is a label where the loader
 * left it there. */
static void read_command_line(void)
{
    static const char *const known[] = { "role", "debug", "domains", "script" };
    const char *p = pv_cmdline();
    bool first = true;
    while (*p) {
        char word[40];
        size_t n = 0, name = 0;
        for (; *p && *p != ' '; p++)
            if (n + 1 < sizeof(word))
                word[n++] = *p;
        word[n] = 0;
        while (word[name] && word[name] != '=')
            name++;
        bool ok = n == 0 || (first && !word[name]);
        for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
            ok |= str_len(known[i]) == name && str_starts(word, known[i]);
        if (!ok)
            kprintf("pvkernel: unknown word on the command line: %s (role= and debug= are known)\n", word);
        first = false;
        while (*p == ' ')
            p++;
    }
    char value[4];
    page_junk = !(pv_cmdline_option("debug", value, sizeof(value)) && str_equal(value, "0"));
}

/* The first screen: what we are, what we have, what to try. */
static void greet(bool driver)
{
    size_t offset = 0, files = 0, bytes = 0;
    struct file f;
    while (ramdisk_next(&offset, &f)) {
        files += !f.directory;
        bytes += f.size;
    }
    kprintf("pvkernel in domain %u of %s: ring 3, as %s\n", pv_domain_number(), arch_name(),
            driver ? "the driver domain" : "a guest");
    kprintf("  memory: %zu MB, %zu pages free; ramdisk: %zu file%s, %zu kB", pv_start_info->nr_pages >> 8,
            page_free_count(), files, plural(files), bytes >> 10);
    if (cpus_online > 1)
        kprintf("; %u vcpus", cpus_online);
    kprintf("\n");
}

static void hint(bool driver)
{
    struct file f;
    kprintf("  try: help, ps, mem, run hello, run primes%s%s\n",
            block_nth(0) ? driver ? ", sum disk" : ", sum xvda, ring" : "",
            pv_on_parador() ? driver ? ", domains, ring" : ", crash, why" : "");
    if (ramdisk_find("motd", &f))
        kprintf("  more: cat motd\n");
}

/* The commands of the ramdisk's file `start`, before the prompt. */
static void run_start(void)
{
    struct file f;
    char command[LINE_MAX];
    int domain;
    if (!ramdisk_find("start", &f))
        return;
    struct script s = { (const char *)f.data, f.size, 0, false };
    while (script_next(&s, &domain, command, sizeof(command)))
        shell_run_shown(prompt, command);
}

static void kernel_main(void *arg)
{
    read_command_line();
    bool driver = is_driver();
    (void)arg;
    greet(driver);
    if (driver) {
        pv_services_start();
        pv_script_run();
    } else if (pv_frontends_start()) {
        return;
    }
    hint(driver);
    run_start();
    shell_main(prompt);
}

void main(struct start_info *si)
{
    (void)si;
    pv_traps_setup();
    pv_memory_setup();
    thread_init();
    pv_machine_setup();
    pv_drivers_setup();
    ksnprintf(prompt, sizeof(prompt), "d%u> ", pv_domain_number());
    cpus_start();
    if (!thread_start("shell", kernel_main, NULL))
        panic("no memory for the first thread");
    pv_events_on();
    thread_idle();
}
