/* SPDX-License-Identifier: MIT
 *
 * A xenstore server and three clients, domains 0 to 2, which speak to it by bytes as on a ring.
 */
#pragma once

#include "drivers/xenstore/server.h"
#include "drivers/xenstore/state.h"

extern struct xs_server *server;
extern struct xs_conn *dom0, *dom1, *dom2;

/* The last answer: type, length, and body with a NUL behind it. The events that came since the last
 * get_events. */
extern struct xsd_sockmsg answer;
extern char answer_body[XENSTORE_PAYLOAD_MAX + 1];
extern char events[256][256];
extern unsigned int nr_events;

/* A server with the homes of domains 1 and 2 as domain 0 makes them; its end, with nothing left. */
void clients_begin(void);
void clients_end(void);

/* Takes one message. False: there is none. */
bool get_message(struct xs_conn *c);
/* Takes all; they must be events. */
void get_events(struct xs_conn *c);

/* Sends a request in pieces of `piece` bytes and takes the answer. Returns its text: the error's name, or the
 * body. */
const char *send_request(struct xs_conn *c, uint32_t type, uint32_t tx, const void *body, size_t len,
                         size_t piece);
/* With a body of strings: each '|' in text is a NUL on the wire. */
const char *ask_tx(struct xs_conn *c, uint32_t type, uint32_t tx, const char *text);
const char *ask(struct xs_conn *c, uint32_t type, const char *text);
/* A transaction's number. */
uint32_t begin_tx(struct xs_conn *c);
