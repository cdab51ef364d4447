/* SPDX-License-Identifier: MIT
 *
 * Builds PV domains on stock Xen through libxenguest, without xl, and prints what their console rings say.
 * Runs in a Linux domain 0; runner/domu.py starts it. Many jobs run one after the other in one boot, because
 * booting the domain 0 is what takes long. A job is one domain or several that run at once (a pair that
 * talks).
 *
 *   mkdomu PLAN     the plan is a file of lines, its fields separated by tabs:
 *       job NAME SECONDS                                      begins a job; its limit without any output
 *       dom LABEL KERNEL RAMDISK|- MB VCPUS FLAGS WORDS       adds a domain to it
 *
 * FLAGS: c  a console page and its port        s  a store page and its port
 *        x  introduce the domain to the running xenstored (with s)        v  libxenguest's own messages
 * In WORDS, {LABEL} stands for the number of the job's domain with that label.
 * What it prints: `job NAME`, then `LABEL| line` for each console line, `LABEL: stopped: reason N, crashed
 * N`, and at the end `done NAME: ok|stuck|WHY`.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>

#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenguest.h>
#include <xenstore.h>
#include <xen/io/console.h>
#include <xen/sched.h>

#define MAX_GUESTS 8
#define LINGER \
    10.0 /* seconds that the others get once a domain of the job has stopped and nothing is printed */

struct guest {
    char *label, *kernel, *ramdisk, *flags, *words;
    unsigned int mb, vcpus;
    uint32_t domid; /* 0: not created */
    struct xencons_interface *ring;
    int port; /* our end of its console's event channel, -1: none */
    char line[1024];
    unsigned int length;
    bool stopped;
};

static xc_interface *xch;
static xenevtchn_handle *events;
static xentoollog_logger_stdiostream *logger;
static struct guest guests[MAX_GUESTS];
static unsigned int nr_guests;
static double last_output;

#define TRY(call)                                         \
    do {                                                  \
        int rc_ = (call);                                 \
        if (rc_) {                                        \
            printf("%s: %s: %d\n", g->label, #call, rc_); \
            return -1;                                    \
        }                                                 \
    } while (0)

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool has(const struct guest *g, char flag)
{
    return strchr(g->flags, flag) != NULL;
}

/* The words with {LABEL} replaced by domain numbers; the caller frees it. */
static char *expand(const char *words)
{
    char *out = calloc(1, strlen(words) + 512), *end = out;

    while (*words) {
        bool replaced = false;

        for (unsigned int i = 0; i < nr_guests && *words == '{'; i++) {
            size_t n = strlen(guests[i].label);
            if (!strncmp(words + 1, guests[i].label, n) && words[n + 1] == '}') {
                end += sprintf(end, "%u", guests[i].domid);
                words += n + 2;
                replaced = true;
            }
        }
        if (!replaced)
            *end++ = *words++;
    }
    return out;
}

/* A domain as xenstored and stock frontends expect to find it. */
static void introduce(const struct guest *g, unsigned long store_mfn, unsigned int port)
{
    char number[12], vm[32], path[96];
    const char *nodes[][2] = {
        { "name", g->label }, { "device", "" }, { "control", "" }, { "domid", number }, { "vm", vm },
    };
    struct xs_permissions perms = { g->domid, XS_PERM_NONE };
    struct xs_handle *h = xs_open(0);

    if (!h) {
        printf("%s: no xenstored answers\n", g->label);
        return;
    }
    snprintf(number, sizeof(number), "%u", g->domid);
    snprintf(vm, sizeof(vm), "/vm/%s", g->label);
    for (unsigned int i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/%s", g->domid, nodes[i][0]);
        if (nodes[i][1][0])
            xs_write(h, 0, path, nodes[i][1], (unsigned int)strlen(nodes[i][1]));
        else
            xs_mkdir(h, 0, path);
        xs_set_permissions(h, 0, path, &perms, 1);
    }
    if (!xs_introduce_domain(h, g->domid, store_mfn, port))
        printf("%s: xenstored refuses to be introduced\n", g->label);
    xs_close(h);
}

static int create(struct guest *g)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = g->vcpus,
        .max_evtchn_port = -1,
        .max_grant_frames = 32,
        .max_maptrack_frames = 64,
        .grant_opts = XEN_DOMCTL_GRANT_version(1),
    };

    TRY(xc_domain_create(xch, &g->domid, &config));
    TRY(xc_domain_max_vcpus(xch, g->domid, g->vcpus));
    TRY(xc_domain_set_tsc_info(xch, g->domid, 2 /* native, never emulated */, 0, 0, 0));
    TRY(xc_domain_setmaxmem(xch, g->domid, (uint64_t)g->mb * 1024 + 1024));
    xc_cpuid_apply_policy(xch, g->domid, false, NULL, 0, false, false, false, false, NULL);
    return 0;
}

/* Loads kernel and ramdisk and makes the domain ready to run; its console ring is mapped. */
static int load(struct guest *g, struct xc_dom_image *dom)
{
    dom->container_type = XC_DOM_PV_CONTAINER;
    TRY(xc_dom_kernel_file(dom, g->kernel));
    if (strcmp(g->ramdisk, "-"))
        TRY(xc_dom_module_file(dom, g->ramdisk, NULL));
    TRY(xc_dom_boot_xen_init(dom, xch, g->domid));
    TRY(xc_dom_parse_image(dom));
    TRY(xc_dom_mem_init(dom, g->mb));
    TRY(xc_dom_boot_mem_init(dom));
    if (has(g, 'c'))
        dom->console_evtchn = (unsigned int)xc_evtchn_alloc_unbound(xch, g->domid, 0);
    if (has(g, 's'))
        dom->xenstore_evtchn = (unsigned int)xc_evtchn_alloc_unbound(xch, g->domid, 0);
    TRY(xc_dom_build_image(dom));
    TRY(xc_dom_boot_image(dom));
    if (has(g, 'x'))
        TRY(xc_dom_gnttab_init(dom));

    start_info_t *si = xc_map_foreign_range(xch, g->domid, 4096, PROT_READ | PROT_WRITE,
                                            xc_dom_p2m(dom, dom->start_info_pfn));
    if (!has(g, 'c'))
        si->console.domU.mfn = 0, si->console.domU.evtchn = 0;
    if (!has(g, 's'))
        si->store_mfn = 0, si->store_evtchn = 0;
    munmap(si, 4096);

    if (has(g, 'c')) {
        g->ring = xc_map_foreign_range(xch, g->domid, 4096, PROT_READ | PROT_WRITE,
                                       xc_dom_p2m(dom, dom->console_pfn));
        g->port = xenevtchn_bind_interdomain(events, g->domid, dom->console_evtchn);
    }
    if (has(g, 'x'))
        introduce(g, xc_dom_p2m(dom, dom->xenstore_pfn), dom->xenstore_evtchn);
    return 0;
}

static int build(struct guest *g)
{
    char *words = expand(g->words);
    struct xc_dom_image *dom = xc_dom_allocate(xch, words, NULL);
    int rc = dom ? load(g, dom) : -1;

    if (dom)
        xc_dom_release(dom);
    free(words);
    return rc;
}

/* Takes what the ring holds and prints finished lines. */
static void drain(struct guest *g)
{
    if (!g->ring)
        return;
    uint32_t prod = *(volatile uint32_t *)&g->ring->out_prod, cons = g->ring->out_cons;
    __sync_synchronize(); /* the indices before the bytes */
    if (prod != cons)
        last_output = now();
    for (; cons != prod; cons++) {
        char c = g->ring->out[cons & (sizeof(g->ring->out) - 1)];
        if (c == '\n' || g->length == sizeof(g->line) - 1) {
            printf("%s| %.*s\n", g->label, (int)g->length, g->line);
            g->length = 0;
        } else if (c != '\r') {
            g->line[g->length++] = c;
        }
    }
    __sync_synchronize(); /* the bytes before the index that frees them */
    if (g->ring->out_cons != cons) {
        g->ring->out_cons = cons;
        xenevtchn_notify(events, (evtchn_port_t)g->port);
    }
}

static void destroy(struct guest *g);

static void look(struct guest *g)
{
    xc_dominfo_t info;

    if (g->stopped)
        return;
    drain(g);
    if (xc_domain_getinfo(xch, g->domid, 1, &info) != 1 || info.domid != g->domid || info.shutdown ||
        info.crashed || info.dying) {
        g->stopped = true;
        last_output = now();
        drain(g);
        if (g->length)
            printf("%s| %.*s\n", g->label, (int)g->length, g->line);
        printf("%s: stopped: reason %u, crashed %u\n", g->label, info.shutdown_reason, info.crashed);
        destroy(g); /* as xl would: its ports and mappings end for the others */
    }
}

/* Runs the job's domains until all have stopped; those that outlive the others or say nothing for too long
 * are ended. */
static const char *watch(double limit)
{
    last_output = now();
    for (unsigned int i = 0; i < nr_guests; i++)
        xc_domain_unpause(xch, guests[i].domid);
    for (;;) {
        unsigned int stopped = 0;

        for (unsigned int i = 0; i < nr_guests; i++) {
            look(&guests[i]);
            stopped += guests[i].stopped;
        }
        if (stopped == nr_guests)
            return "ok";
        if (now() - last_output > (stopped && limit > LINGER ? LINGER : limit))
            return stopped ? "ok" : "stuck";
        usleep(1000);
    }
}

static void destroy(struct guest *g)
{
    struct xs_handle *h = has(g, 'x') ? xs_open(0) : NULL;

    if (g->port >= 0)
        xenevtchn_unbind(events, (evtchn_port_t)g->port);
    if (g->ring)
        munmap(g->ring, 4096);
    if (h) {
        char path[48];
        snprintf(path, sizeof(path), "/local/domain/%u", g->domid);
        xs_rm(h, 0, path);
        xs_release_domain(h, g->domid);
        xs_close(h);
    }
    if (g->domid)
        xc_domain_destroy(xch, g->domid);
    g->port = -1;
    g->ring = NULL;
    g->domid = 0;
}

static void run_job(const char *name, double limit)
{
    const char *result = "could not be built";
    bool ready = true;

    printf("job %s\n", name);
    for (unsigned int i = 0; i < nr_guests && ready; i++)
        ready = create(&guests[i]) == 0;
    for (unsigned int i = 0; i < nr_guests && ready; i++)
        ready = build(&guests[i]) == 0;
    if (ready)
        result = watch(limit);
    for (unsigned int i = 0; i < nr_guests; i++)
        destroy(&guests[i]);
    printf("done %s: %s\n", name, result);
}

static bool add_guest(char *fields)
{
    struct guest g = { .port = -1 };
    char *mb, *vcpus;

    g.label = strsep(&fields, "\t");
    g.kernel = strsep(&fields, "\t");
    g.ramdisk = strsep(&fields, "\t");
    mb = strsep(&fields, "\t");
    vcpus = strsep(&fields, "\t");
    g.flags = strsep(&fields, "\t");
    g.words = fields;
    if (!g.words || nr_guests == MAX_GUESTS)
        return false;
    g.mb = (unsigned int)atoi(mb);
    g.vcpus = (unsigned int)atoi(vcpus);
    if (has(&g, 'v'))
        xtl_stdiostream_set_minlevel(logger, XTL_DEBUG);
    guests[nr_guests++] = g;
    return true;
}

int main(int argc, char **argv)
{
    FILE *plan = argc == 2 ? fopen(argv[1], "r") : NULL;
    char *line = NULL, *job = NULL;
    double limit = 60;
    size_t size = 0;
    ssize_t n;

    if (!plan) {
        fprintf(stderr, "usage: mkdomu PLAN\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    logger = xtl_createlogger_stdiostream(stdout, XTL_ERROR, 0);
    xch = xc_interface_open((xentoollog_logger *)logger, (xentoollog_logger *)logger, 0);
    events = xenevtchn_open(NULL, 0);
    if (!xch || !events) {
        printf("mkdomu: no Xen answers\n");
        return 1;
    }
    do {
        n = getline(&line, &size, plan);
        if (n > 0 && line[n - 1] == '\n')
            line[n - 1] = 0;
        if ((n < 0 || !strncmp(line, "job\t", 4)) && job) {
            run_job(job, limit);
            nr_guests = 0;
        }
        if (n > 0 && !strncmp(line, "job\t", 4)) {
            char *fields = strdup(line + 4);
            job = strsep(&fields, "\t");
            limit = fields ? atof(fields) : 60;
        } else if (n > 0 && !strncmp(line, "dom\t", 4)) {
            if (!add_guest(strdup(line + 4)))
                printf("mkdomu: bad plan: %s\n", line);
        }
    } while (n >= 0);
    return 0;
}
