/* SPDX-License-Identifier: MIT
 *
 * What libpv's xenstore client takes from the rest of libpv, faked: one port, and a clock that moves only
 * while the client waits. The test itself is pv_event_send and pv_event_wait.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PORT 3

extern uint64_t now;   /* ns */
extern bool connected; /* the store's domain has its end of the port */
