/* SPDX-License-Identifier: MIT
 *
 * xl create, and what makes a domain anew that rebooted: the same kernel, ramdisk, words and disk, a new
 * number. Domains that the hypervisor made at boot are not ours: nobody here has their kernels.
 *
 * One struct made a domain. The service thread notes that one has ended (pv_domain_ended); the thread
 * restarts forgets it or makes it anew. Who builds or frees holds the mutex `making`; the list's links,
 * numbers and states change with made_lock held too.
 */
#include "pvkernel/arch/pv/xl.h"
#include <xen/sched.h>
#include "drivers/xenstore/conn.h"
#include "libpv/build.h"
#include "libpv/domctl.h"
#include "libpv/errno.h"
#include "libpv/xenstore.h"
#include "pvkernel/arch/pv/pv.h"
#include "pvkernel/core/archive.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/lineedit.h"
#include "pvkernel/core/shell.h"
#include "pvkernel/core/thread.h"

#define DEFAULT_FILE     "guest"
#define DEFAULT_MB       32
#define SHORTEST_LIFE_NS 1000000000ull
#define MOST_MB          (PV_BUILD_MAX_PAGES >> 8)

struct made {
    struct made *next;
    enum { BEING_MADE, LIVES, REBOOTS, ENDED } state;
    struct pv_build build; /* .domid: its number */
    uint64_t began;        /* arch_time_ns() */
    char name[XL_NAME_MAX];
    char words[LINE_MAX];
};

/* What the command's words say; the rest of it is in struct made. */
struct request {
    const char *image, *ramdisk;
    uint64_t mb, vcpus;
};

static struct mutex making = { .lock = { .rank = LOCK_WAIT },
                               .waiters = { LIST_INIT(making.waiters.waiters) } };
static struct lock made_lock = { .rank = LOCK_WAIT };
static struct waitq made_wait = { LIST_INIT(made_wait.waiters) }; /* a state has changed */
static struct made *domains;
static bool no_more; /* nothing is made anew: the machine ends */

/* ---- the command's words ---- */

static bool number_word(const char *word, const char *key, uint64_t most, uint64_t *value, bool *wrong)
{
    size_t n = str_len(key);
    if (!str_starts(word, key))
        return false;
    *wrong = !str_number(word + n, value) || *value < 1 || *value > most;
    if (*wrong)
        xl_fail("%s: a number from 1 to %lu expected", word, most);
    return true;
}

/* NAME [IMAGE] [mem=MB] [vcpus=N] [ramdisk=FILE] [-- WORDS]. */
static bool read_request(struct made *m, struct request *r, int argc, char **argv)
{
    bool wrong = false;
    int i = 1;
    *r = (struct request){ .mb = DEFAULT_MB, .vcpus = 1 };
    for (; i < argc && !wrong && !str_equal(argv[i], "--"); i++) {
        if (str_starts(argv[i], "ramdisk="))
            r->ramdisk = argv[i] + 8;
        else if (!number_word(argv[i], "mem=", MOST_MB, &r->mb, &wrong) &&
                 !number_word(argv[i], "vcpus=", XL_MOST_VCPUS, &r->vcpus, &wrong)) {
            wrong = r->image || argv[0] == argv[i];
            if (wrong)
                xl_fail("%s: mem=MB, vcpus=N, ramdisk=FILE or -- expected", argv[i]);
            r->image = argv[i];
        }
    }
    for (i++; i < argc; i++)
        ksnprintf(m->words + str_len(m->words), sizeof(m->words) - str_len(m->words), "%s%s",
                  m->words[0] ? " " : "", argv[i]);
    m->build.words = m->words;
    m->build.pages = r->mb << 8;
    m->build.vcpus = (unsigned)r->vcpus;
    return !wrong;
}

static bool good_name(const char *name)
{
    char other[XL_NAME_MAX];
    uint64_t number;
    struct xen_domctl_getdomaininfo info;
    if (str_len(name) >= XL_NAME_MAX || str_number(name, &number) || !name[0])
        return xl_fail("%.40s: a name of 1 to %d characters, and no number, expected", name, XL_NAME_MAX - 1),
               false;
    for (domid_t id = 0; !pv_domain_info(id, &info); id = (domid_t)(info.domain + 1)) {
        xl_name_of(info.domain, other);
        if (str_equal(name, other) && !(info.flags & XEN_DOMINF_dying))
            return xl_fail("%s: domain %u has that name", name, info.domain), false;
    }
    return true;
}

static bool find_files(struct pv_build *build, const struct request *r)
{
    struct file f;
    bool guest = !r->image;
    if (!ramdisk_find(guest ? DEFAULT_FILE : r->image, &f))
        return xl_fail("%s: no such file in domain 0's ramdisk (ls shows them)",
                       guest ? DEFAULT_FILE : r->image),
               false;
    build->kernel = f.data;
    build->kernel_size = f.size;
    if (!r->ramdisk && !guest)
        return true;
    if (ramdisk_find(r->ramdisk ? r->ramdisk : DEFAULT_FILE ".ramdisk", &f)) {
        build->ramdisk = f.data;
        build->ramdisk_size = f.size;
    } else if (r->ramdisk) {
        return xl_fail("%s: no such file in domain 0's ramdisk (ls shows them)", r->ramdisk), false;
    }
    return true;
}

/* ---- making a domain; all of it with `making` held ---- */

static void set_state(struct made *m, int state)
{
    bool on = lock(&made_lock);
    m->state = (unsigned)state;
    wake_all(&made_wait);
    unlock(&made_lock, on);
}

static void forget(struct made *m)
{
    bool on = lock(&made_lock);
    struct made **place = &domains;
    while (*place != m)
        place = &(*place)->next;
    *place = m->next;
    wake_all(&made_wait);
    unlock(&made_lock, on);
    kfree(m);
}

/* xenstore serves it from here on, and offers it domain 0's disk. */
static int introduce(const struct made *m)
{
    const struct pv_build *b = &m->build;
    xenstored_make_home(&(struct xenstored_home){ .domid = b->domid,
                                                  .name = m->name,
                                                  .pages = b->pages,
                                                  .vcpus = b->vcpus,
                                                  .console_frame = b->console_frame,
                                                  .console_port = b->console_port });
    pv_script_announce(b->domid);
    return pv_xs_introduce(b->domid, b->store_frame, b->store_port);
}

/* A command's status; `what` is what is said to be wrong. */
static int make(struct made *m, const char *what)
{
    int error;
    m->build.domid = 0;
    m->build.why = NULL;
    error = pv_build(&m->build);
    if (error)
        return xl_fail("%s: %s", what, m->build.why ? m->build.why : xl_reason(error));
    m->began = arch_time_ns();
    set_state(m, LIVES); /* before it can end */
    error = introduce(m);
    if (!error)
        error = pv_domain_unpause(m->build.domid);
    if (error) {
        pv_domain_destroy(m->build.domid);
        return xl_fail("%s: it was built, but not started (%d)", m->name, error);
    }
    return 0;
}

/* ---- and anew ---- */

static struct made *first_ended(void)
{
    struct made *m = domains;
    while (m && m->state != REBOOTS && m->state != ENDED)
        m = m->next;
    return m;
}

/* One that reboots at once, again and again, leaves the others time. */
static void make_anew(struct made *m)
{
    while (arch_time_ns() < m->began + SHORTEST_LIFE_NS)
        thread_sleep_ns(SHORTEST_LIFE_NS / 10);
    xl_await_end(m->build.domid);
    if (make(m, m->name))
        forget(m);
    else
        kprintf("%s rebooted: domain %u\n", m->name, m->build.domid);
}

static void restarts(void *unused)
{
    (void)unused;
    for (;;) {
        struct made *m;
        bool on = lock(&made_lock);
        while (!first_ended())
            wait_on(&made_wait, &made_lock, "domains that end");
        unlock(&made_lock, on);
        mutex_lock(&making);
        on = lock(&made_lock);
        m = first_ended(); /* who made it may have forgotten it meanwhile */
        unlock(&made_lock, on);
        if (m && m->state == REBOOTS && !no_more)
            make_anew(m);
        else if (m)
            forget(m);
        mutex_unlock(&making);
    }
}

void pv_domain_ended(domid_t domid, unsigned int reason)
{
    bool on = lock(&made_lock);
    for (struct made *m = domains; m; m = m->next)
        if (m->build.domid == domid && m->state == LIVES)
            m->state = reason == SHUTDOWN_reboot ? REBOOTS : ENDED;
    wake_all(&made_wait);
    unlock(&made_lock, on);
}

void pv_domains_stay_ended(void)
{
    no_more = true;
}

static struct made *by_name(const char *name)
{
    struct made *m = domains;
    while (m && (m->state == ENDED || !str_equal(m->name, name)))
        m = m->next;
    return m;
}

domid_t xl_successor(const char *name, domid_t domid)
{
    const struct made *m;
    domid_t found = 0;
    bool on = lock(&made_lock);
    while ((m = by_name(name)) != NULL && m->state == REBOOTS)
        wait_on(&made_wait, &made_lock, "a domain that reboots");
    if (m && m->build.domid != domid)
        found = m->build.domid;
    unlock(&made_lock, on);
    return found;
}

/* ---- the command ---- */

static int create(struct made *m, int argc, char **argv)
{
    static bool started;
    struct request r;
    if (!read_request(m, &r, argc, argv) || !good_name(argv[0]) || !find_files(&m->build, &r) ||
        make(m, r.image ? r.image : m->name))
        return 1;
    kprintf("%s: domain %u, %lu MB, %lu vcpu%s\n", m->name, m->build.domid, r.mb, r.vcpus, plural(r.vcpus));
    if (!started && !thread_start("restarts", restarts, NULL))
        kprintf("no memory for the thread that makes anew what reboots\n");
    started = true;
    return 0;
}

int xl_create(int argc, char **argv)
{
    struct made *m = kzalloc(sizeof(*m));
    int status;
    bool on;
    if (!m)
        return xl_fail("%s: %s", argv[0], xl_reason(-ENOMEM));
    str_copy(m->name, argv[0], sizeof(m->name));
    mutex_lock(&making);
    on = lock(&made_lock);
    m->next = domains;
    domains = m;
    unlock(&made_lock, on);
    status = create(m, argc, argv);
    if (status)
        forget(m);
    mutex_unlock(&making);
    return status;
}
