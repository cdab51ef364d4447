/* SPDX-License-Identifier: MIT
 *
 * The xenstore server, driven by bytes as a client sends them: requests, paths, permissions, watches. Its
 * transactions: xenstore_transaction_test.c; clients without measure: xenstore_bounds_test.c.
 */
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c tests/host/xs_clients.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/host/xs_clients.h"

TestSuite(xenstore, .init = clients_begin, .fini = clients_end);

Test(xenstore, write_read_directory_rm)
{
    cr_assert_str_eq(ask(dom0, XS_WRITE, "/a/b/c|hello"), "OK");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a/b/c|"), "hello");
    cr_assert_eq(answer.len, 5);
    cr_assert_str_eq(ask(dom0, XS_READ, "/a/b|"), "");
    cr_assert_eq(answer.type, XS_READ);
    ask(dom0, XS_WRITE, "/a/b/d|1");
    ask(dom0, XS_WRITE, "/a/b/a|2");
    ask(dom0, XS_DIRECTORY, "/a/b|");
    cr_assert_eq(answer.len, 6);
    cr_assert_arr_eq(answer_body, "c\0d\0a\0", 6); /* in the order they were made */
    cr_assert_str_eq(ask(dom0, XS_RM, "/a/b/d|"), "OK");
    ask(dom0, XS_DIRECTORY, "/a/b|");
    cr_assert_arr_eq(answer_body, "c\0a\0", 4);
    cr_assert_str_eq(ask(dom0, XS_RM, "/a|"), "OK");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a/b/c|"), "ENOENT");
    cr_assert_eq(answer.type, XS_ERROR);
    cr_assert_str_eq(ask(dom0, XS_MKDIR, "/m|"), "OK");
    ask(dom0, XS_WRITE, "/m|v");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, "/m|"), "OK");
    cr_assert_str_eq(ask(dom0, XS_READ, "/m|"), "v");
}

Test(xenstore, write_of_bytes_and_nothing)
{
    char body[] = "/bin\0a\0b\0";

    send_request(dom0, XS_WRITE, 0, body, 9, 100);
    ask(dom0, XS_READ, "/bin|");
    cr_assert_eq(answer.len, 4);
    cr_assert_arr_eq(answer_body, "a\0b\0", 4);
    cr_assert_str_eq(ask(dom0, XS_WRITE, "/bin|"), "OK");
    ask(dom0, XS_READ, "/bin|");
    cr_assert_eq(answer.len, 0);
}

Test(xenstore, rm_of_what_is_missing)
{
    cr_assert_str_eq(ask(dom0, XS_RM, "/none|"), "OK");
    cr_assert_str_eq(ask(dom0, XS_RM, "/none/below|"), "ENOENT");
    cr_assert_str_eq(ask(dom0, XS_RM, "/|"), "EINVAL");
}

Test(xenstore, bad_paths_and_bodies)
{
    char text[XENSTORE_PAYLOAD_MAX];

    cr_assert_str_eq(ask(dom0, XS_READ, "|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, ""), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a"), "EINVAL"); /* no NUL */
    cr_assert_str_eq(ask(dom0, XS_READ, "/a|/b|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, "//a|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a/|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_READ, "/a b|"), "EINVAL");
    cr_assert_str_eq(ask(dom0, XS_WRITE, "/a"), "EINVAL");
    memset(text, 'x', sizeof(text));
    text[0] = '/';
    strcpy(text + XENSTORE_ABS_PATH_MAX, "|");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, text), "OK"); /* the longest */
    text[XENSTORE_ABS_PATH_MAX] = 'x';
    strcpy(text + XENSTORE_ABS_PATH_MAX + 1, "|");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, text), "EINVAL");
    for (int i = 0; i < 2 * (XS_MAX_DEPTH + 1); i += 2)
        memcpy(text + i, "/d", 2);
    strcpy(text + 2 * (XS_MAX_DEPTH + 1), "|");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, text), "EINVAL");
    strcpy(text + 2 * XS_MAX_DEPTH, "|");
    cr_assert_str_eq(ask(dom0, XS_MKDIR, text), "OK");
    cr_assert_str_eq(ask(dom0, 77, "x|"), "ENOSYS");
    cr_assert_str_eq(ask(dom0, XS_CONTROL, "print|x|"), "ENOSYS");
    cr_assert_str_eq(ask(dom0, XS_WATCH_EVENT, "x|y|"), "ENOSYS");
}

Test(xenstore, relative_paths_start_at_home)
{
    cr_assert_str_eq(ask(dom1, XS_WRITE, "device/vbd/51712/state|1"), "OK");
    cr_assert_str_eq(ask(dom0, XS_READ, "/local/domain/1/device/vbd/51712/state|"), "1");
    cr_assert_str_eq(ask(dom1, XS_GET_DOMAIN_PATH, "1|"), "/local/domain/1");
    cr_assert_str_eq(ask(dom1, XS_GET_DOMAIN_PATH, "x|"), "EINVAL");
    cr_assert_str_eq(ask(dom1, XS_IS_DOMAIN_INTRODUCED, "2|"), "T");
    cr_assert_str_eq(ask(dom1, XS_IS_DOMAIN_INTRODUCED, "7|"), "F");
}

Test(xenstore, a_domain_stays_in_its_home)
{
    cr_assert_str_eq(ask(dom1, XS_WRITE, "/local/domain/2/x|1"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_MKDIR, "/local/domain/3|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_RM, "/local/domain/2|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_READ, "/secret|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_READ, "/secret/more|"), "EACCES"); /* not even that it is missing */
    cr_assert_str_eq(ask(dom1, XS_DIRECTORY, "/local/domain/2|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "/local/domain/2|n1|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_DIRECTORY, "/local|"), "EACCES"); /* nor who else there is */
}

Test(xenstore, permissions)
{
    ask(dom1, XS_WRITE, "data/x|v");
    ask(dom1, XS_GET_PERMS, "data/x|");
    cr_assert_arr_eq(answer_body, "n1\0", 3);
    cr_assert_str_eq(ask(dom2, XS_READ, "/local/domain/1/data/x|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n1|r2|"), "OK");
    cr_assert_str_eq(ask(dom2, XS_READ, "/local/domain/1/data/x|"), "v");
    cr_assert_str_eq(ask(dom2, XS_WRITE, "/local/domain/1/data/x|w"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n1|b2|"), "OK");
    cr_assert_str_eq(ask(dom2, XS_WRITE, "/local/domain/1/data/x|w"), "OK");
    cr_assert_str_eq(ask(dom2, XS_SET_PERMS, "/local/domain/1/data/x|n2|"), "EACCES"); /* not the owner */
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n2|"), "EPERM"); /* only domain 0 gives away */
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|q1|"), "EINVAL");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n1|r2|r3|r4|r5|r6|"), "ENOSPC");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/x|n1|r2|r3|r4|r5|r6|r7|r8|r9|r10|"), "ENOSPC");
    cr_assert_str_eq(ask(dom1, XS_SET_PERMS, "data/none|n1|"), "ENOENT");
    /* What a domain makes below another's node is its own, with the rest of the parent's permissions. */
    cr_assert_str_eq(ask(dom2, XS_WRITE, "/local/domain/1/data/x/mine|1"), "OK");
    ask(dom2, XS_GET_PERMS, "/local/domain/1/data/x/mine|");
    cr_assert_arr_eq(answer_body, "n2\0b2\0", 6);
}

Test(xenstore, watches_fire_at_once_then_in_order)
{
    cr_assert_str_eq(ask(dom1, XS_WATCH, "device|tok|"), "OK");
    get_events(dom1);
    cr_assert_eq(nr_events, 1);
    cr_assert_str_eq(events[0], "device|tok");
    cr_assert_str_eq(ask(dom1, XS_WATCH, "device|tok|"), "EEXIST");
    ask(dom1, XS_WATCH, "/local/domain/1/device/a|abs|");
    get_events(dom1);
    ask(dom1, XS_WRITE, "device/a/b|1");
    ask(dom1, XS_WRITE, "devices|1"); /* a sibling with the same beginning: no event */
    get_events(dom1);
    cr_assert_eq(nr_events, 2);
    cr_assert_str_eq(events[0], "device/a/b|tok"); /* in the order the watches were set */
    cr_assert_str_eq(events[1], "/local/domain/1/device/a/b|abs");
    cr_assert_str_eq(ask(dom1, XS_UNWATCH, "device|tok|"), "OK");
    cr_assert_str_eq(ask(dom1, XS_UNWATCH, "device|tok|"), "ENOENT");
    /* Removal of something above the watched path. */
    ask(dom1, XS_RM, "device|");
    get_events(dom1);
    cr_assert_eq(nr_events, 1);
    cr_assert_str_eq(events[0], "/local/domain/1/device/a|abs");
    ask(dom1, XS_RM, "device|"); /* nothing there: no event */
    ask(dom1, XS_RESET_WATCHES, "|");
    ask(dom1, XS_WRITE, "device/a|1");
    get_events(dom1);
    cr_assert_eq(nr_events, 0);
}

Test(xenstore, watch_hears_only_what_may_be_read)
{
    ask(dom2, XS_WATCH, "/local/domain/1|t|");
    get_events(dom2);
    ask(dom1, XS_WRITE, "private|1");
    get_events(dom2);
    cr_assert_eq(nr_events, 0);
    ask(dom0, XS_WRITE, "/local/domain/1/public|1");
    ask(dom1, XS_SET_PERMS, "public|r1|");
    get_events(dom2);
    cr_assert_eq(nr_events, 1);
    ask(dom1, XS_RM, "public|"); /* was readable before */
    get_events(dom2);
    cr_assert_eq(nr_events, 1);
}

Test(xenstore, equal_events_wait_once)
{
    ask(dom1, XS_WATCH, "x|t|");
    get_events(dom1);
    for (int i = 0; i < 10; i++)
        ask(dom0, XS_WRITE, "/local/domain/1/x|1");
    get_events(dom1);
    cr_assert_eq(nr_events, 1);
}

Test(xenstore, special_watches_are_for_domain_0)
{
    ask(dom0, XS_WATCH, "@releaseDomain|r|");
    ask(dom0, XS_WATCH, "@introduceDomain|i|");
    ask(dom1, XS_WATCH, "@releaseDomain|r|");
    get_events(dom0);
    get_events(dom1);
    cr_assert_str_eq(ask(dom0, XS_WATCH, "@other|r|"), "EINVAL");
    xs_server_close(server, dom2);
    dom2 = xs_server_open(server, 2);
    get_events(dom0);
    cr_assert_eq(nr_events, 2);
    cr_assert_str_eq(events[0], "@releaseDomain|r");
    cr_assert_str_eq(events[1], "@introduceDomain|i");
    get_events(dom1);
    cr_assert_eq(nr_events, 0);
}

/* XSA-322. */
Test(xenstore, who_gets_a_number_again_has_no_right_of_the_one_before)
{
    ask(dom1, XS_WRITE, "data/ours|1");
    ask(dom1, XS_SET_PERMS, "data/ours|n1|b2|");
    cr_assert_str_eq(ask(dom2, XS_WRITE, "/local/domain/1/data/ours/theirs|2"), "OK");
    xs_server_close(server, dom2);
    dom2 = xs_server_open(server, 2);
    cr_assert_str_eq(ask(dom2, XS_READ, "/local/domain/1/data/ours/theirs"), "EINVAL");
    cr_assert_str_eq(ask(dom2, XS_READ, "/local/domain/1/data/ours/theirs|"), "EACCES");
    cr_assert_str_eq(ask(dom2, XS_WRITE, "/local/domain/1/data/ours|2"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_GET_PERMS, "data/ours|"), "n1");
    ask(dom0, XS_GET_PERMS, "/local/domain/1/data/ours/theirs|");
    cr_assert_str_eq(answer_body, "n0");
    cr_assert_str_eq(ask(dom1, XS_RM, "data/ours|"), "OK");
}

Test(xenstore, long_directories_go_in_parts)
{
    char text[64], all[16384];
    size_t len = 0;
    unsigned int parts = 0, names = 0;

    for (int i = 0; i < 900; i++) {
        snprintf(text, sizeof(text), "dir/name-%06d|", i);
        ask(dom1, XS_MKDIR, text);
    }
    cr_assert_str_eq(ask(dom1, XS_DIRECTORY, "dir|"), "E2BIG");
    for (;;) {
        size_t head;

        snprintf(text, sizeof(text), "dir|%zu|", len);
        ask(dom1, XS_DIRECTORY_PART, text);
        cr_assert_eq(answer.type, XS_DIRECTORY_PART);
        head = strlen(answer_body) + 1;
        memcpy(all + len, answer_body + head, answer.len - head);
        parts++;
        if (answer.len == head + 1 || answer_body[answer.len - 2] == '\0') {
            len += answer.len - head - 1;
            break;
        }
        len += answer.len - head;
    }
    for (size_t at = 0; at < len; at += strlen(all + at) + 1)
        cr_assert_eq(atoi(all + at + 5), (int)names++);
    cr_assert_eq(names, 900);
    cr_assert_gt(parts, 1);
}

Test(xenstore, introduce_is_for_domain_0)
{
    cr_assert_str_eq(ask(dom1, XS_INTRODUCE, "3|1000|1|"), "EACCES");
    cr_assert_str_eq(ask(dom1, XS_RELEASE, "2|"), "EACCES");
    cr_assert_str_eq(ask(dom0, XS_INTRODUCE, "3|1000|1|"), "ENOSYS"); /* nobody behind it here */
    cr_assert_str_eq(ask(dom0, XS_INTRODUCE, "3|1000|"), "EINVAL");
}
