/* SPDX-License-Identifier: MIT
 *
 * Block frontend and backend in one process: the meeting over the real xenstore server, data over real second
 * mappings of the same pages, disks of odd sizes, order, and waiting. Peers that lie or die: blk_peer_test.c.
 */
// sources: drivers/blk.c drivers/vaddr.c drivers/xenbus.c drivers/kernel.c libpv/xenstore.c
// sources: drivers/front/blkfront.c drivers/front/issue.c
// sources: drivers/back/blkback.c drivers/back/serve.c drivers/back/memdisk.c
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: tests/host/fake_pv.c tests/host/fake_machine.c tests/host/blk_pair.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libpv/errno.h"
#include "libpv/memory.h"
#include "libpv/xenstore.h"
#include "tests/host/blk_pair.h"

Test(blk, disk_names)
{
    char name[16];

    blk_vdev_name(51712, name);
    cr_assert_str_eq(name, "xvda");
    blk_vdev_name(51712 + 16 * 3, name);
    cr_assert_str_eq(name, "xvdd");
    blk_vdev_name(768, name);
    cr_assert_str_eq(name, "vbd-768");
}

static void whole_disk(size_t size)
{
    uint64_t sectors = (size + 511) / 512;
    unsigned char *buf = fake_pages((unsigned int)(sectors / 8 + 1));

    make_disk(size);
    start(&disk.store);
    cr_assert_eq(front->store.nr_sectors, sectors);
    cr_assert_eq(front->store.nr_bytes, size);
    cr_assert_str_eq(front->store.name, "xvda");
    for (uint64_t s = 0; s < sectors; s += 88)
        cr_assert_eq(do_io(BLK_READ, s, buf + s * 512, sectors - s < 88 ? sectors - s : 88), 0);
    cr_assert_arr_eq(buf, bytes, size);
    for (size_t i = size; i < sectors * 512; i++)
        cr_assert_eq(buf[i], 0);
    nothing_is_left();
}

Test(blk, one_byte)
{
    whole_disk(1);
}

Test(blk, one_sector)
{
    whole_disk(512);
}

Test(blk, one_mebibyte_and_17)
{
    whole_disk(1048576 + 17);
}

Test(blk, empty_disk_is_0_sectors_and_one_warning)
{
    unsigned char *buf = fake_pages(1);

    make_disk(0);
    cr_assert_eq(fake_lines, 1);
    start(&disk.store);
    cr_assert_eq(front->store.nr_sectors, 0);
    cr_assert_eq(do_io(BLK_READ, 0, buf, 1), -ENXIO);
    cr_assert_eq(do_io(BLK_FLUSH, 0, buf, 0), 0);
    cr_assert_eq(fake_lines, 1);
}

Test(blk, write_is_read_back_by_both_sides)
{
    unsigned char *buf = fake_pages(4);

    make_disk(5000); /* 10 sectors, the last with 392 bytes of the file */
    start(&disk.store);
    memset(buf, 0xa5, 3 * 512);
    cr_assert_eq(do_io(BLK_WRITE, 7, buf, 3), 0);
    cr_assert_eq(do_io(BLK_FLUSH, 0, NULL, 0), 0);
    cr_assert_eq(do_io(BLK_READ, 7, buf + 4096, 3), 0);
    cr_assert_arr_eq(buf, buf + 4096, 3 * 512);
    for (int i = 7 * 512; i < 5000; i++)
        if (i < 9 * 512)
            cr_assert_eq(bytes[i], 0xa5);
    cr_assert_eq(do_io(BLK_BARRIER, 0, buf, 1), 0);
    cr_assert_eq(bytes[0], 0xa5);
    /* Sectors in the middle of a page. */
    cr_assert_eq(do_io(BLK_READ, 1, buf + 4096 + 512 * 5, 2), 0);
    cr_assert_arr_eq(buf + 4096 + 512 * 5, bytes + 512, 1024);
    cr_assert_eq(do_io(BLK_READ, 8, buf, 3), -ENXIO);
    nothing_is_left();
}

Test(blk, readonly_disk)
{
    unsigned char *buf = fake_pages(1);

    bytes = calloc(1, 512);
    memdisk_init(&disk, "disk", bytes, 512, true);
    start(&disk.store);
    cr_assert(front->store.readonly);
    cr_assert_eq(do_io(BLK_WRITE, 0, buf, 1), -EROFS);
    front->store.readonly = false; /* and if the frontend doesn't care */
    cr_assert_eq(do_io(BLK_WRITE, 0, buf, 1), -EIO);
    cr_assert_eq(blkback_info(back).refused, 1);
}

Test(blk, more_ios_than_slots_wait_and_finish)
{
    static struct test_io t[100];
    unsigned char *buf = fake_pages(100);

    make_disk(100 * 4096);
    start(&disk.store);
    for (unsigned int i = 0; i < 100; i++)
        submit(&t[i], BLK_READ, i * 8, buf + i * 4096, 8);
    cr_assert_eq(front->ring.ring.req_put, BLK_RING_SLOTS);
    run();
    for (unsigned int i = 0; i < 100; i++)
        cr_assert(t[i].nr_done == 1 && t[i].io.status == 0);
    cr_assert_arr_eq(buf, bytes, 100 * 4096);
    cr_assert_lt(blkfront_stats(front).notified, 100); /* batches */
    nothing_is_left();
}

Test(blk, responses_come_in_the_store_s_order)
{
    struct test_io t[4];
    unsigned char *buf = fake_pages(4);

    make_disk(4 * 4096);
    slow_init(&disk);
    start(&slow.store);
    for (unsigned int i = 0; i < 4; i++)
        submit(&t[i], BLK_READ, i * 8, buf + i * 4096, 8);
    run();
    cr_assert_eq(slow.nr, 4);
    slow_finish(2);
    run();
    slow_finish(2); /* the fourth */
    slow_finish(0);
    run();
    slow_finish(0);
    run();
    cr_assert_eq(t[2].order, 1);
    cr_assert_eq(t[1].order, 4);
    cr_assert_arr_eq(buf, bytes, 4 * 4096);
    nothing_is_left();
}

Test(blk, nothing_passes_a_barrier_or_a_flush)
{
    static const enum blk_op ops[] = { BLK_BARRIER, BLK_FLUSH };
    struct test_io t[5];
    unsigned char *buf = fake_pages(5);

    make_disk(5 * 4096);
    slow_init(&disk);
    start(&slow.store);
    for (int o = 0; o < 2; o++) {
        submit(&t[0], BLK_WRITE, 0, buf, 8);
        submit(&t[1], BLK_WRITE, 8, buf, 8);
        submit(&t[2], ops[o], 0, buf, 0);
        submit(&t[3], BLK_WRITE, 16, buf, 8);
        run();
        cr_assert_eq(slow.nr, 2);
        slow_finish(1);
        run();
        cr_assert_eq(slow.nr, 1);
        slow_finish(0);
        run();
        cr_assert_eq(slow.nr, 1);
        cr_assert_eq(slow.waiting[0]->op, ops[o]);
        cr_assert_eq(t[2].nr_done, 0);
        slow_finish(0);
        run();
        cr_assert_eq(slow.nr, 1);
        cr_assert_eq(t[2].nr_done, 1);
        slow_finish(0);
        run();
        cr_assert(t[3].nr_done == 1 && t[3].io.status == 0);
    }
    nothing_is_left();
}

Test(blk, submit_refuses_what_is_misshapen)
{
    struct test_io t = { .io = { .op = BLK_READ, .nr_segs = 1, .done = test_done } };
    unsigned char *buf = fake_pages(2);
    static const struct {
        unsigned int offset, bytes;
    } bad[] = { { 1, 512 }, { 0, 511 }, { 0, 0 }, { 512, 4096 }, { 0, 8192 } };

    make_disk(100000);
    start(&disk.store);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        t.io.seg[0] = (struct blk_seg){ buf + bad[i].offset, bad[i].bytes };
        blk_submit(blkfront_store(front), &t.io);
        cr_assert_eq(t.nr_done, i + 1);
        cr_assert_eq(t.io.status, -EINVAL);
    }
}

Test(blk, no_grant_references)
{
    static struct test_io t[20];
    unsigned char *buf = fake_pages(20);

    make_disk(20 * 4096);
    start(&disk.store);
    fake_grant_budget = 5; /* five at a time */
    for (unsigned int i = 0; i < 20; i++)
        submit(&t[i], BLK_READ, i * 8, buf + i * 4096, 8);
    run();
    for (unsigned int i = 0; i < 20; i++)
        cr_assert(t[i].nr_done == 1 && t[i].io.status == 0);
    cr_assert_arr_eq(buf, bytes, 20 * 4096);
    cr_assert_eq(do_io(BLK_READ, 0, buf, 48), -ENOMEM); /* six at once can never be had */
    cr_assert_eq(do_io(BLK_READ, 0, buf, 40), 0);
    nothing_is_left();
}
/* ---- waiting ---- */

static void test_wait(bool (*ready)(void *arg), void *arg)
{
    while (!ready(arg)) {
        int was = domain;

        run();
        domain = was;
    }
}

static void test_wake(void)
{
}

Test(blk, sync_of_any_length)
{
    static const struct drv_waiter waiter = { test_wait, test_wake };
    size_t size = 1048576 + 17;
    uint64_t sectors = (size + 511) / 512;
    unsigned char *buf = fake_pages(300);

    drv_waiter = &waiter;
    make_disk(size);
    start(&disk.store);
    cr_assert_eq(blk_sync(&front->store, BLK_READ, 0, buf, sectors), 0);
    cr_assert_arr_eq(buf, bytes, size);
    memset(buf, 0x5a, size);
    cr_assert_eq(blk_sync(&front->store, BLK_WRITE, 0, buf + 512, sectors - 8),
                 0); /* not on a page's start */
    cr_assert_eq(blk_sync(&front->store, BLK_FLUSH, 0, NULL, 0), 0);
    cr_assert_eq(blk_sync(&disk.store, BLK_READ, 0, buf + 1024, 10), 0);
    cr_assert_eq(bytes[(sectors - 8) * 512 - 1], 0x5a);
    cr_assert_eq(blk_sync(&front->store, BLK_READ, sectors - 5, buf, 100), -ENXIO);
    nothing_is_left();
}
