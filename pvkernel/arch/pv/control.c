/* SPDX-License-Identifier: MIT
 *
 * A domain's ear for domain 0, in its own control/ directory of xenstore:
 *
 *     control/shutdown       "poweroff", "halt": we power off; "reboot" (what tool stacks write)
 *     control/parador-run    "SEQ COMMAND": the shell runs it; written by domain 0's script
 *     control/parador-done   "SEQ STATUS": our answer; "0 0" once we are ready for commands
 *     control/parador-script there is a script: no shell on the console
 *
 * Commands run in a thread of their own, because the one that hears of them has to go on hearing. Read next:
 * script.c.
 */
#include "libpv/hypercall.h"
#include "libpv/shutdown.h"
#include "libpv/xenstore.h"
#include "drivers/xenbus.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/lineedit.h"
#include "pvkernel/core/shell.h"
#include "pvkernel/core/thread.h"

/* The command that waits to be run: seq > done. */
static struct {
    struct lock lock;
    char command[LINE_MAX];
    uint64_t seq, done;
    bool ready;
    struct waitq wait;
} mail = { .lock = { .rank = LOCK_WAIT }, .wait = { LIST_INIT(mail.wait.waiters) } };

static void shutdown_changed(struct xenbus_watch *w, const char *changed)
{
    char why[16];
    (void)changed;
    if (pv_xs_read(0, w->path, why, sizeof(why)) > 0 && !str_equal(why, "suspend")) {
        pv_xs_write(0, w->path, ""); /* the acknowledgement that tool stacks wait for */
        if (str_equal(why, "reboot"))
            pv_shutdown(SHUTDOWN_reboot);
        arch_poweroff(0);
    }
}

char *pv_control_split(char *text, uint64_t *seq)
{
    char *rest = text;
    while (*rest && *rest != ' ')
        rest++;
    if (!*rest)
        return NULL;
    *rest++ = 0;
    return str_number(text, seq) ? rest : NULL;
}

static void run_changed(struct xenbus_watch *w, const char *changed)
{
    char text[LINE_MAX + 24], *command;
    uint64_t seq;
    (void)changed;
    if (pv_xs_read(0, w->path, text, sizeof(text)) <= 0 || !(command = pv_control_split(text, &seq)))
        return;
    bool on = lock(&mail.lock);
    if (seq > mail.seq && mail.seq == mail.done) {
        str_copy(mail.command, command, sizeof(mail.command));
        mail.seq = seq;
        wake_all(&mail.wait);
    }
    unlock(&mail.lock, on);
}

static void commands(void *unused)
{
    char prompt[16];
    (void)unused;
    ksnprintf(prompt, sizeof(prompt), "d%u> ", pv_domain_number());
    pv_xs_write(0, "control/parador-done", "0 0");
    for (;;) {
        bool on = lock(&mail.lock);
        while (mail.seq == mail.done)
            wait_on(&mail.wait, &mail.lock, "commands");
        unlock(&mail.lock, on);
        int status = shell_run_shown(prompt, mail.command);
        on = lock(&mail.lock);
        uint64_t done = mail.done = mail.seq;
        unlock(&mail.lock, on);
        pv_xs_printf(0, "control/parador-done", "%lu %d", done, status);
    }
}

void pv_control_start(void)
{
    static struct xenbus_watch shutdown = { .path = "control/shutdown", .fn = shutdown_changed };
    static struct xenbus_watch run = { .path = "control/parador-run", .fn = run_changed };
    xenbus_watch_add(&shutdown);
    xenbus_watch_add(&run);
}

void pv_control_ready(void)
{
    if (pv_xs_present())
        thread_start("commands", commands, NULL);
}
