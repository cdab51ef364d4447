/* SPDX-License-Identifier: MIT
 *
 * The xenstore client's calls: they build a message, give it to the transport, and read its answer.
 *
 * One request is under way at a time (hooks->lock), and both buffers below belong to it. Watch events come
 * between answers; the transport puts them into a queue that pv_xs_next_watch empties. The transport for the
 * ring is xenstore_ring.c.
 */
#include "libpv/xenstore.h"
#include "libpv/errno.h"
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/lock.h"
#include "libpv/print.h"
#include "libpv/string.h"
#include "libpv/xenstore_ring.h"

#define QUEUE 256

static const struct pv_xs_transport *transport;
static struct pv_xs_hooks hooks;
static char request[XENSTORE_PAYLOAD_MAX], answer[XENSTORE_PAYLOAD_MAX + 1];

/* Watch events that wait: [head, tail), free-running. */
static struct pv_lock queue_lock;
static struct pv_xs_event queue[QUEUE];
static unsigned int head, tail;

/* The errors that a store answers with, by name (xs_wire.h). */
static const struct {
    const char *name;
    int number;
} errors[] = {
    { "EINVAL", EINVAL }, { "EACCES", EACCES }, { "EEXIST", EEXIST }, { "EISDIR", EISDIR },
    { "ENOENT", ENOENT }, { "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "EIO", EIO },
    { "ENOSYS", ENOSYS }, { "EROFS", EROFS },   { "EBUSY", EBUSY },   { "ENOTEMPTY", ENOTEMPTY },
    { "EAGAIN", EAGAIN }, { "E2BIG", E2BIG },   { "EPERM", EPERM },   { "EISCONN", EISCONN },
};

static int error_number(const char *name)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (!strcmp(errors[i].name, name))
            return -errors[i].number;
    }
    return -EIO;
}

static uint32_t busy; /* a request is under way, and nobody set hooks */

static void lock(void)
{
    if (hooks.lock)
        hooks.lock();
    for (unsigned int n = 0; !hooks.lock && __atomic_exchange_n(&busy, pv_several, __ATOMIC_ACQUIRE); n++)
        pv_spin(n);
}

static void unlock(void)
{
    if (hooks.unlock)
        hooks.unlock();
    else
        __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

void pv_xs_set_hooks(const struct pv_xs_hooks *h)
{
    hooks = *h;
    pv_xs_ring_hooks(&hooks);
}

void pv_xs_set_transport(const struct pv_xs_transport *t)
{
    transport = t;
}

int pv_xs_init(void)
{
    const struct pv_xs_transport *ring = pv_xs_ring_connect();

    if (!ring)
        return -ENOSYS;
    transport = ring;
    return 0;
}

bool pv_xs_present(void)
{
    return transport;
}

/* Sends request[0 .. len) as `type` and waits. Length of the answer, which ends with a NUL of its own; or an
 * errno. Lock held. */
static int transact(uint32_t type, pv_xs_tx tx, size_t len)
{
    static uint32_t req_id;
    struct xsd_sockmsg h = { .type = type, .req_id = ++req_id, .tx_id = tx, .len = (uint32_t)len }, r;
    int err;

    if (!transport)
        return -ENOSYS;
    err = transport->request(&h, request, &r, answer);
    if (err)
        return err;
    if (r.len > XENSTORE_PAYLOAD_MAX)
        return -EIO;
    answer[r.len] = 0;
    if (r.type == XS_ERROR)
        return error_number(answer);
    return r.type == type ? (int)r.len : -EIO;
}

/* One call: the strings path (with its NUL) and then len bytes of data; the answer is copied to buf when
 * there is one. */
static int call(uint32_t type, pv_xs_tx tx, const char *path, const void *data, size_t len, char *buf,
                size_t size)
{
    size_t path_len = strlen(path) + 1;
    int n;

    if (path_len > XENSTORE_ABS_PATH_MAX || len > sizeof(request) - path_len)
        return -E2BIG;
    lock();
    memcpy(request, path, path_len);
    if (len)
        memcpy(request + path_len, data, len);
    n = transact(type, tx, path_len + len);
    if (n >= 0 && buf) {
        if ((size_t)n < size)
            memcpy(buf, answer, (size_t)n + 1);
        else
            n = -E2BIG;
    }
    unlock();
    return n;
}

static int done(int n)
{
    return n < 0 ? n : 0;
}

int pv_xs_read(pv_xs_tx tx, const char *path, char *buf, size_t size)
{
    return call(XS_READ, tx, path, NULL, 0, buf, size);
}

int pv_xs_read_number(pv_xs_tx tx, const char *path, unsigned long *value)
{
    char text[32], *end;
    int n = pv_xs_read(tx, path, text, sizeof(text));

    if (n < 0)
        return n;
    *value = strtoul(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
    return end == text || *end ? -EINVAL : 0;
}

int pv_xs_write(pv_xs_tx tx, const char *path, const char *value)
{
    return done(call(XS_WRITE, tx, path, value, strlen(value), NULL, 0));
}

int pv_xs_printf(pv_xs_tx tx, const char *path, const char *fmt, ...)
{
    char text[256];
    va_list args;
    int n;

    va_start(args, fmt);
    n = pv_vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return n < (int)sizeof(text) ? pv_xs_write(tx, path, text) : -E2BIG;
}

int pv_xs_mkdir(pv_xs_tx tx, const char *path)
{
    return done(call(XS_MKDIR, tx, path, NULL, 0, NULL, 0));
}

int pv_xs_rm(pv_xs_tx tx, const char *path)
{
    return done(call(XS_RM, tx, path, NULL, 0, NULL, 0));
}

int pv_xs_ls(pv_xs_tx tx, const char *path, char *buf, size_t size)
{
    return call(XS_DIRECTORY, tx, path, NULL, 0, buf, size);
}

int pv_xs_set_perms(pv_xs_tx tx, const char *path, const char *perms, size_t len)
{
    char ended[128];

    /* On the wire each string ends with a NUL. */
    if (len >= sizeof(ended))
        return -E2BIG;
    memcpy(ended, perms, len);
    if (len && ended[len - 1])
        ended[len++] = 0;
    return done(call(XS_SET_PERMS, tx, path, ended, len, NULL, 0));
}

int pv_xs_domain_path(unsigned int domid, char *buf, size_t size)
{
    char text[12];
    int n;

    pv_snprintf(text, sizeof(text), "%u", domid);
    n = call(XS_GET_DOMAIN_PATH, 0, text, NULL, 0, buf, size);
    return n > 0 ? (int)strlen(buf) : n;
}

int pv_xs_introduce(unsigned int domid, unsigned long frame, unsigned int port)
{
    char id[12], rest[40];
    int n;

    pv_snprintf(id, sizeof(id), "%u", domid);
    n = pv_snprintf(rest, sizeof(rest), "%lu", frame) + 1;
    n += pv_snprintf(rest + n, sizeof(rest) - (size_t)n, "%u", port) + 1;
    return done(call(XS_INTRODUCE, 0, id, rest, (size_t)n, NULL, 0));
}

int pv_xs_release(unsigned int domid)
{
    char id[12];

    pv_snprintf(id, sizeof(id), "%u", domid);
    return done(call(XS_RELEASE, 0, id, NULL, 0, NULL, 0));
}

int pv_xs_transaction_start(pv_xs_tx *tx)
{
    char text[16];
    int n = call(XS_TRANSACTION_START, 0, "", NULL, 0, text, sizeof(text));

    if (n >= 0)
        *tx = (pv_xs_tx)strtoul(text, NULL, 10);
    return done(n);
}

int pv_xs_transaction_end(pv_xs_tx tx, bool commit)
{
    return done(call(XS_TRANSACTION_END, tx, commit ? "T" : "F", NULL, 0, NULL, 0));
}

int pv_xs_watch(const char *path, const char *token)
{
    return done(call(XS_WATCH, 0, path, token, strlen(token) + 1, NULL, 0));
}

int pv_xs_unwatch(const char *path, const char *token)
{
    return done(call(XS_UNWATCH, 0, path, token, strlen(token) + 1, NULL, 0));
}

void pv_xs_push_watch(const char *path, const char *token)
{
    bool on = pv_lock_take(&queue_lock);
    unsigned int i;

    for (i = head; i != tail; i++) {
        const struct pv_xs_event *waits = &queue[i % QUEUE];

        if (!strcmp(waits->token, token) && (tail - head >= QUEUE / 2 || !strcmp(waits->path, path)))
            break;
    }
    if (i == tail && tail - head < QUEUE) {
        strlcpy(queue[tail % QUEUE].path, path, PV_XS_PATH_MAX);
        strlcpy(queue[tail % QUEUE].token, token, PV_XS_TOKEN_MAX);
        tail++;
    } else if (i == tail) {
        pv_printf("xenstore: a watch event for %s is lost, %u wait already\n", path, QUEUE);
    }
    pv_lock_drop(&queue_lock, on);
    if (hooks.wake)
        hooks.wake();
}

static bool pop(struct pv_xs_event *event)
{
    bool on = pv_lock_take(&queue_lock), any = head != tail;

    if (any)
        *event = queue[head++ % QUEUE];
    pv_lock_drop(&queue_lock, on);
    return any;
}

bool pv_xs_next_watch(struct pv_xs_event *event)
{
    if (pop(event))
        return true;
    lock();
    pv_xs_ring_drain();
    unlock();
    return pop(event);
}

void pv_xs_wait_watch(struct pv_xs_event *event)
{
    while (!pv_xs_next_watch(event)) {
        if (hooks.wait)
            hooks.wait();
        else
            pv_xs_ring_wait();
    }
}
