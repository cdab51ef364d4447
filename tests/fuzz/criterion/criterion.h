/* SPDX-License-Identifier: MIT
 *
 * As much of Criterion as what the fuzz targets borrow from tests/host/ needs: its assertions, without its
 * processes. The messages' words go unsaid.
 */
#pragma once

#include "tests/fuzz/fuzz.h"

#define cr_assert(cond, ...)        MUST(cond)
#define cr_assert_not(cond, ...)    MUST(!(cond))
#define cr_assert_eq(a, b, ...)     MUST((a) == (b))
#define cr_assert_gt(a, b, ...)     MUST((a) > (b))
#define cr_assert_leq(a, b, ...)    MUST((a) <= (b))
#define cr_assert_str_eq(a, b, ...) MUST(strcmp(a, b) == 0)
#define cr_assert_not_null(p, ...)  MUST((p) != NULL)
