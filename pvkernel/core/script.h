/* SPDX-License-Identifier: MIT
 *
 * Scripts: commands separated by ';' or newlines, each with an optional prefix "dN:" that names the domain it
 * is for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct script {
    const char *text;
    size_t size, at;
    bool cut; /* the last command was longer than its buffer */
};

/* The next command that isn't empty and no comment (# to the end of the line). *domain: -1 without a prefix.
 * `command` is ended by a 0, without spaces around it; a longer one is cut, which `cut` tells. False: the
 * end. */
bool script_next(struct script *s, int *domain, char *command, size_t size);
