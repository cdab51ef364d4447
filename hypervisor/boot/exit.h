/* SPDX-License-Identifier: MIT
 *
 * How the machine ends: domain/domain.h has machine_exit().
 */
#ifndef BOOT_EXIT_H
#define BOOT_EXIT_H

/* Something at boot went wrong and a line said so (a bad word, a domain that was not built): the machine's
 * exit status will be 2 even if all domains end well. */
void exit_note_trouble(void);

#endif
