/* SPDX-License-Identifier: MIT */
/* A test that leaks. Criterion passes it, whatever the leak checker writes: tests/harness/judge must not. */
#include <stdlib.h>

#include "tests/test.h"

static void *volatile hidden;

TEST(planted, leaks) {
    for (int i = 0; i < 100; i++) hidden = malloc(1000);
    hidden = NULL;
    check(true);
}
