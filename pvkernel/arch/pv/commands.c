/* SPDX-License-Identifier: MIT
 *
 * The shell's commands about the hypervisor. Read next: crash.c.
 */
#include "libpv/errno.h"
#include "libpv/hypercall.h"
#include "libpv/start.h"
#include "libpv/xenstore.h"
#include "drivers/back/blkback.h"
#include "drivers/front/blkfront.h"
#include "pvkernel/arch/pv/mmu.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/shell.h"

int cmd_crash(int argc, char **argv);
int cmd_xl(int argc, char **argv);

static int only_parador(const char *what)
{
    kprintf("%s: only Parador can do that, and this is not Parador\n", what);
    return 1;
}

static int cmd_domains(int argc, char **argv)
{
    struct parador_domain_info d = { 0 };
    struct parador_machine_info m = { 0 };
    (void)argc, (void)argv;
    if (!pv_on_parador() || !pv_is_dom0()) {
        kprintf("domain %u: this one, %lu pages%s\n", pv_domain_number(), pv_start_info->nr_pages,
                pv_on_parador() ? " (domain 0 knows about the others)" : "; stock Xen tells no more here");
        return 0;
    }
    kprintf("dom name      state     pages     cpu time  hypercalls  exceptions ports grants\n");
    for (uint32_t i = 0; d.idx = i, HYPERVISOR_parador(PARADOR_domain_info, &d) == 0; i++) {
        uint64_t ms = d.cpu_time_ns / 1000000;
        d.name[sizeof(d.name) - 1] = 0;
        kprintf("%3u %-9s %-7s %7lu %6lu.%03lu s %11lu %11lu %5u %6u\n", d.domid, d.name,
                d.crashed ? "crashed"
                : d.dying ? "ended"
                          : "lives",
                d.tot_pages, ms / 1000, ms % 1000, d.nr_hypercalls, d.nr_exceptions, d.nr_ports, d.nr_grants);
    }
    if (HYPERVISOR_parador(PARADOR_machine_info, &m) == 0)
        kprintf("machine: %lu frames, %lu free, %lu the hypervisor's; %u domain%s\n", m.total_frames,
                m.free_frames, m.hypervisor_frames, m.nr_domains, plural(m.nr_domains));
    return 0;
}

static int cmd_mmu(int argc, char **argv)
{
    (void)argc, (void)argv;
    kprintf("page tables of programs: %lu hypercall%s, which set %lu of their entries\n", mmu_calls,
            plural(mmu_calls), mmu_entries);
    return 0;
}

/* The hypervisor's answer to a question about another domain, as a sentence; NULL: there is one. */
static const char *answer(long error)
{
    return error == -EPERM    ? "only domain 0 may do that"
           : error == -ESRCH  ? "there is no such domain (domains lists them)"
           : error == -EINVAL ? "that is this domain (poweroff ends it)"
           : error            ? "the hypervisor refuses (why says more)"
                              : NULL;
}

static int read_domain(const char *command, const char *word, uint16_t *id)
{
    uint64_t domid;
    if (!str_number(word, &domid) || domid >= DOMID_FIRST_RESERVED)
        return shell_wrong(command, word, "no domain's number");
    *id = (uint16_t)domid;
    return 0;
}

static int cmd_why(int argc, char **argv)
{
    struct parador_why w = { .domid = DOMID_SELF };
    if (argc == 2 && read_domain(argv[0], argv[1], &w.domid))
        return 2;
    if (!pv_on_parador()) {
        kprintf("why: stock Xen does not explain its refusals\n");
        return 1;
    }
    long error = HYPERVISOR_parador(PARADOR_why, &w);
    if (error) {
        kprintf("why: %s: %s\n", argc == 2 ? argv[1] : "this domain", answer(error));
        return 1;
    }
    w.text[sizeof(w.text) - 1] = 0;
    if (w.error)
        kprintf("%s (error %d, rule %u, refusal number %u)\n", w.text, w.error, w.rule, w.count);
    else if (w.crashed)
        kprintf("%s\n", w.text);
    else
        kprintf("nothing was refused so far\n");
    return 0;
}

static int cmd_check(int argc, char **argv)
{
    (void)argc;
    if (!pv_on_parador())
        return only_parador(argv[0]);
    long error = HYPERVISOR_parador(PARADOR_check, NULL);
    kprintf("%s\n", error == -ENOSYS ? "the invariant checker is in the debug build only"
                    : error          ? "the invariant checker found an inconsistency: see above"
                                     : "all frames, counts and types are consistent");
    return error ? 1 : 0;
}

static void ring_line(const char *name, const char *state, const struct ring_stats *s)
{
    kprintf("%-10s %-12s %8lu requests %8lu responses in %lu batches; events sent %lu, spared %lu\n", name,
            state, s->requests, s->responses, s->batches, s->notified, s->suppressed);
}

static int cmd_ring(int argc, char **argv)
{
    unsigned n = 0;
    (void)argc, (void)argv;
    for (struct blkback *b = blkback_next(NULL); b; b = blkback_next(b), n++) {
        struct blkback_info i = blkback_info(b);
        char name[24];
        ksnprintf(name, sizeof(name), "domain %u", i.front);
        ring_line(name, i.error ? i.error : i.connected ? "connected" : "waits", &i.ring);
    }
    for (struct blkfront *f = blkfront_next(NULL); f; f = blkfront_next(f), n++) {
        struct ring_stats s = blkfront_stats(f);
        ring_line(blkfront_store(f)->name,
                  blkfront_error(f)   ? blkfront_error(f)
                  : blkfront_ready(f) ? "connected"
                                      : "waits",
                  &s);
    }
    if (n == 0)
        kprintf("no rings\n");
    return 0;
}

static const char *xs_trouble(int error)
{
    return error == -ENOTCONN    ? "the domain that kept the store has ended"
           : error == -ETIMEDOUT ? "the store does not answer"
           : error == -EIO       ? "the store has given this connection up"
           : error == -EACCES    ? "not ours to read"
           : error == -ENOENT    ? "no such node"
                                 : "refused";
}

/* A node and its children. 0 or the store's error. */
static int xs_show(const char *path)
{
    char names[512], child[PV_XS_PATH_MAX], value[256];
    int len = pv_xs_ls(0, path, names, sizeof(names));
    if (pv_xs_read(0, path, value, sizeof(value)) > 0)
        kprintf("%s = %s\n", path, value);
    for (int at = 0; at < len; at += (int)str_len(names + at) + 1) {
        ksnprintf(child, sizeof(child), "%s/%s", str_equal(path, "/") ? "" : path, names + at);
        int n = pv_xs_read(0, child, value, sizeof(value));
        kprintf("  %s%s%s\n", names + at, n > 0 ? " = " : "/", n > 0 ? value : "");
    }
    return len < 0 ? len : 0;
}

static int cmd_xs(int argc, char **argv)
{
    if (!pv_xs_present()) {
        kprintf("xs: this domain has no xenstore\n");
        return 1;
    }
    const char *path = argc == 2 ? argv[1] : pv_is_dom0() ? "/local/domain" : "";
    char home[40];
    if (!*path) {
        ksnprintf(home, sizeof(home), "/local/domain/%u", pv_domain_number());
        path = home;
    }
    int error = xs_show(path);
    if (error)
        kprintf("xs: %s: %s (%d)\n", path, xs_trouble(error), error);
    return error ? 1 : 0;
}

const struct command arch_commands[] = {
    { "domains", "", "the domains of this machine", cmd_domains, 0, 0 },
    { "mmu", "", "hypercalls made for page tables", cmd_mmu, 0, 0 },
    { "ring", "", "the rings of the split drivers", cmd_ring, 0, 0 },
    { "xs", "[PATH]", "a node of xenstore, and its children", cmd_xs, 0, 1 },
    { "why", "[DOMAIN]", "why the hypervisor last refused something", cmd_why, 0, 1 },
    { "check", "", "runs the hypervisor's invariant checker", cmd_check, 0, 0 },
    { "crash", "[KIND]", "misbehaves, to show what then happens", cmd_crash, 0, 1 },
    { "xl", "[COMMAND ...]", "makes, lists, pauses, destroys domains", cmd_xl, 0, SHELL_WORDS },
    { NULL, NULL, NULL, NULL, 0, 0 },
};
