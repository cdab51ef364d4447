/* SPDX-License-Identifier: MIT
 *
 * The command xl, in domain 0: makes, lists, pauses and destroys domains, in the words that users of Xen's xl
 * know. A kernel and its ramdisk are files of domain 0's own ramdisk; the file `guest` is there for who names
 * none.
 *
 * What the hypervisor does not know (a domain's name, and where its store page is) goes through xenstore,
 * whose server is in this domain too. Works on Parador and on stock Xen. Read next: xl_create.c,
 * libpv/build.c.
 */
#include "drivers/back/consback.h"
#include "libpv/domctl.h"
#include "libpv/errno.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/xenstore.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/arch/pv/xl.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/lineedit.h"
#include "pvkernel/core/shell.h"
#include "pvkernel/core/thread.h"

int cmd_xl(int argc, char **argv);

#define OURSELVES    "domain 0 can't do that to itself (poweroff ends it)"
#define CTRL_BRACKET 0x1d
#define LOOK_NS      100000000ull /* how often xl console looks whether the domain lives */

int xl_fail(const char *format, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, format);
    kvsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    kprintf("xl: %s\n", text);
    return 1;
}

const char *xl_reason(int error)
{
    return error == -EPERM    ? "only domain 0 may do that"
           : error == -ESRCH  ? "there is no such domain (xl list shows them)"
           : error == -ENOMEM ? "not enough memory"
           : error == -EEXIST ? "all numbers of domains are in use"
                              : "the hypervisor refuses (why says more)";
}

void xl_name_of(unsigned domid, char *name)
{
    char path[40];
    ksnprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    if (pv_xs_read(0, path, name, XL_NAME_MAX) < 0)
        ksnprintf(name, XL_NAME_MAX, "(none)");
}

/* The domain with this number or name. False: there is none, and that was said. */
static bool find(const char *word, domid_t *domid)
{
    struct xen_domctl_getdomaininfo info;
    char name[XL_NAME_MAX];
    uint64_t id;
    if (str_number(word, &id) && id < DOMID_FIRST_RESERVED) {
        *domid = (domid_t)id;
        if (!pv_domain_info(*domid, &info) && info.domain == id)
            return true;
    }
    for (domid_t next = 0; !pv_domain_info(next, &info); next = (domid_t)(info.domain + 1)) {
        xl_name_of(info.domain, name);
        *domid = info.domain;
        if (str_equal(name, word))
            return true;
    }
    xl_fail("%s: %s", word, xl_reason(-ESRCH));
    return false;
}

/* ---- list ---- */

/* A letter for each thing that is true of it, as xl has them. */
static void state_of(const struct xen_domctl_getdomaininfo *d, char text[7])
{
    bool crashed = (d->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask) == 3 /* SHUTDOWN_crash */;
    text[0] = d->flags & XEN_DOMINF_running ? 'r' : '-';
    text[1] = d->flags & XEN_DOMINF_blocked ? 'b' : '-';
    text[2] = d->flags & XEN_DOMINF_paused ? 'p' : '-';
    text[3] = d->flags & XEN_DOMINF_shutdown ? 's' : '-';
    text[4] = d->flags & XEN_DOMINF_shutdown && crashed ? 'c' : '-';
    text[5] = d->flags & XEN_DOMINF_dying ? 'd' : '-';
    text[6] = 0;
}

static int list(int argc, char **argv)
{
    struct xen_domctl_getdomaininfo d;
    domid_t only = 0;
    if (argc == 1 && !find(argv[0], &only))
        return 1;
    kprintf("%-32s %5s %5s %5s %9s %8s\n", "Name", "ID", "Mem", "VCPUs", "State", "Time(s)");
    int error = pv_domain_info(only, &d);
    if (error)
        return xl_fail("%s", xl_reason(error));
    for (; !error; error = argc ? -ESRCH : pv_domain_info((domid_t)(d.domain + 1), &d)) {
        char name[XL_NAME_MAX], state[7];
        uint64_t tenths = d.cpu_time / 100000000;
        xl_name_of(d.domain, name);
        state_of(&d, state);
        kprintf("%-32s %5u %5lu %5u %9s %6lu.%lu\n", name, d.domain, d.tot_pages >> 8, d.nr_online_vcpus,
                state, tenths / 10, tenths % 10);
    }
    return 0;
}

/* ---- the others, which take a domain ---- */

/* The status of a command whose call gave `error`; what was wrong is said. */
static int status_of(const char *word, domid_t domid, int error)
{
    if (error == -EINVAL && domid == 0)
        return xl_fail("%s: %s", word, OURSELVES);
    return error ? xl_fail("%s: %s", word, xl_reason(error)) : 0;
}

static int pause(int argc, char **argv)
{
    (void)argc;
    domid_t domid;
    return find(argv[0], &domid) ? status_of(argv[0], domid, pv_domain_pause(domid)) : 1;
}

static int unpause(int argc, char **argv)
{
    (void)argc;
    domid_t domid;
    struct xen_domctl_getdomaininfo info;
    if (!find(argv[0], &domid))
        return 1;
    if (!pv_domain_info(domid, &info) && !(info.flags & XEN_DOMINF_paused))
        return xl_fail("%s: it is not paused", argv[0]);
    return status_of(argv[0], domid, pv_domain_unpause(domid));
}

static int vcpu_pin(int argc, char **argv)
{
    (void)argc;
    domid_t domid;
    struct xen_domctl_getdomaininfo info;
    uint64_t vcpu, cpu, cpus = ~0ul;
    if (!find(argv[0], &domid))
        return 1;
    if (!str_number(argv[1], &vcpu) || vcpu >= XL_MOST_VCPUS)
        return xl_fail("%s: the number of a vcpu expected", argv[1]);
    if (!str_equal(argv[2], "all")) {
        if (!str_number(argv[2], &cpu) || cpu >= 64)
            return xl_fail("%s: the number of a CPU, or all, expected", argv[2]);
        cpus = 1ul << cpu;
    }
    if (!pv_domain_info(domid, &info) && vcpu > info.max_vcpu_id)
        return xl_fail("%s: %s has vcpus 0 to %u", argv[1], argv[0], info.max_vcpu_id);
    int error = pv_domain_pin(domid, (unsigned)vcpu, cpus);
    if (error == -EINVAL)
        return xl_fail("%s: the machine has no such CPU", argv[2]);
    return status_of(argv[0], domid, error);
}

unsigned long xl_await_end(domid_t domid)
{
    struct xen_domctl_getdomaininfo info;
    uint64_t until = arch_time_ns() + XL_END_NS;
    while (!pv_domain_info(domid, &info) && info.domain == domid) {
        if (arch_time_ns() > until)
            return info.tot_pages;
        thread_sleep_ns(1000000);
    }
    return 0;
}

static int destroy(int argc, char **argv)
{
    (void)argc;
    domid_t domid;
    if (!find(argv[0], &domid))
        return 1;
    int error = domid ? pv_domain_destroy(domid) : -EINVAL;
    if (error)
        return status_of(argv[0], domid, error);
    unsigned long left = xl_await_end(domid);
    return left ? xl_fail("%s: others still map %lu of its pages", argv[0], left) : 0;
}

/* ---- console ---- */

static struct consback *attach(domid_t domid)
{
    struct consback *c = consback_attach(domid, console_write);
    for (int i = 0; !c && i < 20 && domid; i++) { /* a new domain may be served a moment later */
        thread_sleep_ns(LOOK_NS);
        c = consback_attach(domid, console_write);
    }
    return c;
}

enum how { LIVES, ENDED, CRASHED };

/* The keyboard is the domain's until Ctrl-] or its end. How it is then. */
static enum how talk(struct consback *c, domid_t domid)
{
    bool told = !pv_on_parador();
    for (int key = 0; key != CTRL_BRACKET && consback_lives(c); key = console_getkey_for(LOOK_NS)) {
        char typed = (char)key;
        if (key > 0 && !told && !consback_spoke(c))
            kprintf("(it has written nothing here yet; a kernel that speaks to Parador itself, as ours does, "
                    "gets the keyboard by Ctrl-T %u)\n",
                    domid);
        told |= key > 0;
        while (key > 0 && consback_lives(c) && !consback_type(c, &typed, 1) &&
               !console_key_waits(CTRL_BRACKET))
            thread_sleep_ns(LOOK_NS / 10); /* its ring is full; a domain may never make room */
    }
    enum how how = consback_lives(c) ? LIVES : consback_crashed(c) ? CRASHED : ENDED;
    consback_detach(c);
    console_interrupted(); /* Ctrl-C was for the domain */
    return how;
}

/* The other's terminal begins in the first column. Stock Xen marks no lines. */
static void without_marks(bool on)
{
    uint32_t plain = on;
    if (pv_on_parador())
        HYPERVISOR_parador(PARADOR_plain, &plain);
}

/* What rebooted is followed to its next life. */
static int console(int argc, char **argv)
{
    (void)argc;
    domid_t domid;
    char name[XL_NAME_MAX];
    enum how how = ENDED;
    if (!find(argv[0], &domid))
        return 1;
    xl_name_of(domid, name);
    struct consback *c = attach(domid);
    if (!c)
        return xl_fail(domid ? "%s: somebody is attached to its console, or it has none"
                             : "%s: this is its console",
                       argv[0]);
    kprintf("(console of %s; Ctrl-] leaves it)\n", argv[0]);
    without_marks(true);
    while (c && (how = talk(c, domid)) != LIVES) {
        domid = xl_successor(name, domid);
        c = domid ? attach(domid) : NULL;
    }
    without_marks(false);
    kprintf("\n(%s %s)\n", argv[0], how == LIVES ? "goes on" : how == CRASHED ? "has crashed" : "has ended");
    return how == CRASHED;
}

/* ---- what it is asked to do by itself, in words of control/shutdown ---- */

static int ask(const char *word, const char *what)
{
    domid_t domid;
    char path[48];
    if (!find(word, &domid))
        return 1;
    if (!domid)
        return xl_fail("%s: %s", word, OURSELVES);
    ksnprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    return !pv_xs_write(0, path, what) ? 0 : xl_fail("%s: it can't be asked", word);
}

static int shutdown(int argc, char **argv)
{
    (void)argc;
    return ask(argv[0], "poweroff");
}

static int reboot(int argc, char **argv)
{
    (void)argc;
    return ask(argv[0], "reboot");
}

static const struct command commands[] = {
    { "console", "DOMAIN", "what it wrote, and the keyboard for it; Ctrl-] leaves", console, 1, 1 },
    { "create", "NAME [IMAGE] [mem=MB] [vcpus=N] [ramdisk=FILE] [-- WORDS]",
      "a domain out of a kernel's file; made anew when it reboots", xl_create, 1, SHELL_WORDS },
    { "destroy", "DOMAIN", "ends a domain at once", destroy, 1, 1 },
    { "list", "[DOMAIN]", "the domains, and how they are", list, 0, 1 },
    { "pause", "DOMAIN", "stops its vcpus", pause, 1, 1 },
    { "reboot", "DOMAIN", "asks a domain to reboot", reboot, 1, 1 },
    { "shutdown", "DOMAIN", "asks a domain to power off", shutdown, 1, 1 },
    { "unpause", "DOMAIN", "lets them go on", unpause, 1, 1 },
    { "vcpu-pin", "DOMAIN VCPU CPU|all", "where a vcpu may run", vcpu_pin, 3, 3 },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(*commands))

static void help(const char *name)
{
    for (const struct command *c = commands; c < commands + NR_COMMANDS; c++)
        if (!name || str_equal(name, c->name))
            kprintf("  xl %s %s: %s\n", c->name, c->args, c->help);
    if (!name)
        kprintf("DOMAIN is a number or a name; IMAGE and FILE are files of this ramdisk (ls), IMAGE is "
                "`guest` if none is named\n");
}

int cmd_xl(int argc, char **argv)
{
    const struct command *c = commands;
    if (argc == 1 || str_equal(argv[1], "help")) {
        help(argc == 3 ? argv[2] : NULL);
        return 0;
    }
    while (c < commands + NR_COMMANDS && !str_equal(c->name, argv[1]))
        c++;
    if (c == commands + NR_COMMANDS)
        return xl_fail("%s: no such command (xl help lists them)", argv[1]), 2;
    if (!pv_is_dom0())
        return xl_fail("%s", xl_reason(-EPERM));
    if (argc - 2 < c->least || argc - 2 > c->most) {
        help(c->name);
        return 2;
    }
    return c->run(argc - 2, argv + 2);
}
