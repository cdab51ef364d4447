/* SPDX-License-Identifier: MIT
 *
 * See xs_clients.h.
 */
#include "tests/host/xs_clients.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "tests/host/fake_pv.h"

struct xs_server *server;
struct xs_conn *dom0, *dom1, *dom2;

struct xsd_sockmsg answer;
char answer_body[XENSTORE_PAYLOAD_MAX + 1];
char events[256][256];
unsigned int nr_events;
static bool events_seen;

static void get_bytes(struct xs_conn *c, void *to, size_t n)
{
    /* In small pieces, as a ring might give them. */
    for (size_t at = 0; at < n;) {
        size_t step = n - at < 7 ? n - at : 7;
        size_t got = xs_server_output(c, (char *)to + at, step);
        cr_assert_gt(got, 0, "output ends in the middle of a message");
        at += got;
    }
}

bool get_message(struct xs_conn *c)
{
    if (!xs_server_has_output(c))
        return false;
    get_bytes(c, &answer, sizeof(answer));
    cr_assert_leq(answer.len, XENSTORE_PAYLOAD_MAX);
    get_bytes(c, answer_body, answer.len);
    answer_body[answer.len] = '\0';
    if (answer.type == XS_WATCH_EVENT) {
        const char *token = answer_body + strlen(answer_body) + 1;
        if (events_seen)
            nr_events = 0;
        events_seen = false;
        cr_assert(nr_events < 256 && answer.len < sizeof(events[0]));
        strcpy(events[nr_events], answer_body);
        strcat(strcat(events[nr_events++], "|"), token);
    }
    return true;
}

void get_events(struct xs_conn *c)
{
    while (get_message(c))
        cr_assert_eq(answer.type, XS_WATCH_EVENT);
    if (events_seen)
        nr_events = 0;
    events_seen = true;
}

const char *send_request(struct xs_conn *c, uint32_t type, uint32_t tx, const void *body, size_t len,
                         size_t piece)
{
    static uint32_t id;
    char bytes[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg hdr = { type, ++id, tx, (uint32_t)len };

    memcpy(bytes, &hdr, sizeof(hdr));
    if (len)
        memcpy(bytes + sizeof(hdr), body, len);
    len += sizeof(hdr);
    for (size_t at = 0; at < len;) {
        size_t n = len - at < piece ? len - at : piece;
        size_t took = xs_server_input(c, bytes + at, n);
        at += took;
        if (took == 0) {
            cr_assert(xs_server_has_output(c));
            get_message(c);
        }
    }
    do
        cr_assert(get_message(c), "no answer");
    while (answer.type == XS_WATCH_EVENT);
    cr_assert_eq(answer.req_id, id);
    cr_assert_eq(answer.tx_id, tx);
    cr_assert(answer.type == type || answer.type == XS_ERROR);
    return answer_body;
}

const char *ask_tx(struct xs_conn *c, uint32_t type, uint32_t tx, const char *text)
{
    char body[XENSTORE_PAYLOAD_MAX];
    size_t len = strlen(text);

    memcpy(body, text, len + 1);
    for (size_t i = 0; i < len; i++)
        if (body[i] == '|')
            body[i] = '\0';
    return send_request(c, type, tx, body, len, 13);
}

const char *ask(struct xs_conn *c, uint32_t type, const char *text)
{
    return ask_tx(c, type, 0, text);
}

uint32_t begin_tx(struct xs_conn *c)
{
    unsigned int tx;

    cr_assert_eq(sscanf(ask(c, XS_TRANSACTION_START, "|"), "%u", &tx), 1);
    return tx;
}

void clients_begin(void)
{
    fake_alloc_budget = -1;
    server = xs_server_new();
    dom0 = xs_server_open(server, 0);
    dom1 = xs_server_open(server, 1);
    dom2 = xs_server_open(server, 2);
    for (int d = 1; d <= 2; d++) {
        char text[80];

        snprintf(text, sizeof(text), "/local/domain/%d|", d);
        ask(dom0, XS_MKDIR, text);
        snprintf(text, sizeof(text), "/local/domain/%d|n%d|", d, d);
        cr_assert_str_eq(ask(dom0, XS_SET_PERMS, text), "OK");
    }
    ask(dom0, XS_WRITE, "/secret|x");
    ask(dom0, XS_SET_PERMS, "/secret|n0|");
}

void clients_end(void)
{
    xs_server_free(server);
    cr_assert_eq(fake_allocs, 0, "%ld allocations are left", fake_allocs);
}
