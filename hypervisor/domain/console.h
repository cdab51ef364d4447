/* SPDX-License-Identifier: MIT
 *
 * The one serial line, shared by Parador and all domains (domain/console.c).
 */
#pragma once

#include "lib/types.h"

struct domain;

/* Output of a domain (CONSOLEIO_write), n > 0: held back until a line is whole, unless d has the keyboard.
 * Returns how much of it was taken: no more than a line, as others' lines are shown with it. */
size_t console_write(struct domain *d, const char *buf, size_t n);

/* Input for d that has come in so far, at most n bytes. Number of bytes. */
size_t console_read(struct domain *d, char *buf, size_t n);

/* Takes what the serial line received (WORK_CONSOLE): debug keys are obeyed, the rest goes to the domain that
 * has the keyboard (VIRQ_CONSOLE). */
void console_input(void);

/* Parador's own output (printk): begins on a line of its own and leaves the keyboard owner's unfinished line
 * standing below. */
void console_own(const char *buf, size_t n);

/* Around a text of several lines of Parador's: the keyboard owner's line is shown again behind it, not
 * between its lines. Nests. */
void console_hold(void);
void console_release(void);

/* A domain began (its lines are marked from the second one on); it ended: its last line is shown and the
 * keyboard goes to the next. */
void console_domain_begins(struct domain *d);
void console_domain_ends(struct domain *d);

/* Moves the keyboard to domain domid; false, and nothing happens, if it doesn't live. Or to the next living
 * one after domid, around the end. */
bool console_focus(uint16_t domid);
void console_focus_after(uint16_t domid);
uint16_t console_owner(void); /* domid, 0xffff: nobody */

/* Whether d's lines go without its name while it has the keyboard. */
void console_plain(struct domain *d, bool plain);

/* The debug keys (domain/keys.c): c came after Ctrl-T. */
void keys_pressed(char c);
