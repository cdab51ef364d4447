/* SPDX-License-Identifier: MIT
 *
 * Command lines: any string, as Parador's own and as a module's. What is accepted is in range; what is not
 * comes with a sentence that fits.
 */
// sources: hypervisor/boot/cmdline.c
#include "boot/boot.h"
#include "tests/fuzz/fuzz.h"

static void check_module(const char *line, const struct module_options *m)
{
    MUST(m->guest && m->guest >= line && m->guest <= line + strlen(line));
    MUST(m->vcpus >= 1 && m->vcpus <= 32 && m->weight <= 65535 && m->cap <= 3200);
    MUST(memchr(m->name, '\0', sizeof(m->name)) && m->mem % 1024 == 0);
    for (const char *c = m->name; *c; c++)
        MUST(*c > ' ' && *c <= '~');
}

/* The first byte is the room for the sentence. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct module_options m;
    enum log_level level;
    size_t room;
    char *line, *why;

    if (size < 1)
        return 0;
    room = 1u + *data;
    line = calloc(1, size);
    why = malloc(room);
    memcpy(line, data + 1, size - 1);
    memset(why, 'x', room);
    if (cmdline_parse(line, &level, why, room))
        MUST(level >= LOG_ERROR && level <= LOG_DEBUG);
    else
        MUST(memchr(why, '\0', room));
    memset(why, 'x', room);
    if (!cmdline_parse_module(line, &m, why, room))
        MUST(memchr(why, '\0', room));
    else if (!m.ramdisk)
        check_module(line, &m);
    free(why);
    free(line);
    return 0;
}
