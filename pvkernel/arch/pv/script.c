/* SPDX-License-Identifier: MIT
 *
 * Domain 0 runs the file `script` of its ramdisk: each command in the domain that its prefix names, in order,
 * the others' by way of their control/ directories (control.c). A domain that ends before it has answered
 * counts as a command that failed, so a script never hangs on the dead. Then all are powered off and the
 * machine ends with the script's status.
 */
#include "libpv/domctl.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/xenstore.h"
#include "drivers/xenbus.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/archive.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/lineedit.h"
#include "pvkernel/core/script.h"
#include "pvkernel/core/shell.h"
#include "pvkernel/core/thread.h"

#define READY_SECONDS 120 /* for a domain's kernel to come up and be ready for commands */
#define LOOK_NS       100000000ull

static struct waitq answers = { LIST_INIT(answers.waiters) };

static void answered(struct xenbus_watch *w, const char *changed)
{
    (void)w, (void)changed;
    wake_all(&answers);
}

/* The first domain with this number or a higher one that lives; 0: there is none. */
static unsigned next_domain(unsigned domid)
{
    struct xen_domctl_getdomaininfo d;
    for (; pv_domain_info((domid_t)domid, &d) == 0; domid = d.domain + 1u)
        if (!(d.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)))
            return d.domain;
    return 0;
}

/* control/parador-done of a domain: false when it holds nothing of use. */
static bool read_answer(unsigned domid, uint64_t *seq, int *status)
{
    char path[64], text[48], *rest;
    uint64_t st;
    ksnprintf(path, sizeof(path), "/local/domain/%u/control/parador-done", domid);
    if (pv_xs_read(0, path, text, sizeof(text)) <= 0 || !(rest = pv_control_split(text, seq)) ||
        !str_number(rest, &st))
        return false;
    *status = (int)st;
    return true;
}

/* Until something has changed, or it is time to look again. */
static void wait_a_moment(void)
{
    bool on = arch_irq_save();
    wait_until(&answers, NULL, "an answer", arch_time_ns() + LOOK_NS);
    arch_irq_restore(on);
}

/* Waits for the answer to `wanted`, at most until `until`. False: the domain ended, or the time is over. */
static bool await(unsigned domid, uint64_t wanted, uint64_t until, int *status)
{
    for (;;) {
        uint64_t seq;
        bool alive =
            pv_domain_lives((domid_t)domid); /* asked first: an answer given just before the end counts */
        if (read_answer(domid, &seq, status) && seq == wanted)
            return true;
        if (!alive || arch_time_ns() >= until)
            return false;
        wait_a_moment();
    }
}

/* Runs a command in another domain; its status. */
static int run_in(unsigned domid, const char *command)
{
    static uint64_t seq;
    static struct xenbus_watch watch; /* on the domain that had the last command */
    static unsigned watched;          /* 0: none */
    char path[64];
    int status = 1;
    if (!pv_domain_lives((domid_t)domid)) {
        kprintf("script: there is no domain %u for: %s\n", domid, command);
        return 1;
    }
    if (watched != domid) {
        if (watched)
            xenbus_watch_del(&watch);
        watch.fn = answered;
        ksnprintf(watch.path, sizeof(watch.path), "/local/domain/%u/control/parador-done", domid);
        watched = xenbus_watch_add(&watch) ? 0 : domid;
        uint64_t until = arch_time_ns() + READY_SECONDS * 1000000000ull, got;
        while (!read_answer(domid, &got, &status) && pv_domain_lives((domid_t)domid) &&
               arch_time_ns() < until)
            wait_a_moment();
        if (!read_answer(domid, &got, &status)) {
            kprintf("script: domain %u %s: %s\n", domid,
                    pv_domain_lives((domid_t)domid) ? "takes no commands" : "has ended", command);
            return 1;
        }
    }
    ksnprintf(path, sizeof(path), "/local/domain/%u/control/parador-run", domid);
    if (pv_xs_printf(0, path, "%lu %s", ++seq, command) < 0) {
        kprintf("script: domain %u can't be told: %s\n", domid, command);
        return 1;
    }
    if (await(domid, seq, NEVER, &status))
        return status;
    if (str_starts(command, "poweroff"))
        return 0;
    kprintf("script: domain %u ended during: %s\n", domid, command);
    return 1;
}

static void set_control(unsigned domid, const char *leaf, const char *value)
{
    char path[64];
    ksnprintf(path, sizeof(path), "/local/domain/%u/control/%s", domid, leaf);
    pv_xs_write(0, path, value);
}

void pv_stop_others(unsigned seconds)
{
    uint64_t until = arch_time_ns() + seconds * 1000000000ull;
    pv_domains_stay_ended();
    for (unsigned id = 0; (id = next_domain(id + 1)) != 0;)
        set_control(id, "shutdown", "poweroff");
    while (next_domain(1)) {
        if (arch_time_ns() >= until)
            for (unsigned id = 0; (id = next_domain(id + 1)) != 0;)
                if (pv_domain_destroy((domid_t)id) == 0)
                    kprintf("domain %u doesn't end by itself and was destroyed\n", id);
        thread_sleep_ns(10000000);
        if (arch_time_ns() >= until + 1000000000)
            return;
    }
}

void pv_script_announce(unsigned domid)
{
    struct file f;
    if (!ramdisk_find("script", &f))
        return;
    if (domid)
        set_control(domid, "parador-script", "1");
    else
        while ((domid = next_domain(domid + 1)) != 0)
            set_control(domid, "parador-script", "1");
}

bool pv_script_announced(void)
{
    char text[8];
    return pv_xs_present() && pv_xs_read(0, "control/parador-script", text, sizeof(text)) > 0;
}

void pv_script_run(void)
{
    struct file f;
    char command[LINE_MAX];
    int domain, failed = 0;
    if (!pv_is_dom0() || !ramdisk_find("script", &f))
        return;
    struct script s = { (const char *)f.data, f.size, 0, false };
    int otherwise = pv_domain_lives((domid_t)1) ? 1 : 0;
    while (script_next(&s, &domain, command, sizeof(command))) {
        unsigned where = (unsigned)(domain < 0 ? otherwise : domain);
        int status = s.cut ? 2 : where ? run_in(where, command) : shell_run_shown("d0> ", command);
        if (s.cut)
            kprintf("script: a command has at most %d characters\n", LINE_MAX - 1);
        if (status) {
            kprintf("script: status %d of: %s\n", status, command);
            failed = 1;
        }
    }
    pv_stop_others(5);
    int32_t code = failed;
    if (pv_on_parador())
        HYPERVISOR_parador(PARADOR_exit_status, &code);
    kprintf("script: exit %d\n", failed);
    arch_poweroff(0);
}
