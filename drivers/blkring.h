/* SPDX-License-Identifier: MIT
 *
 * The ring of blkif, typed, and what both its halves agree on. Source: xen/io/blkif.h.
 */
#pragma once

#include <stdint.h>
#include <xen/xen.h>
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>
#include "libpv/types.h"
#include "ring/ring.h"

RING_TYPES(blk, struct blkif_request, struct blkif_response);

/* Requests in flight at most: the slots of a ring of one page. ring_slots(PAGE_SIZE, blk_SLOT_BYTES),
 * asserted by a host test. */
#define BLK_RING_SLOTS       32

#define BLK_SECTORS_PER_PAGE 8u
