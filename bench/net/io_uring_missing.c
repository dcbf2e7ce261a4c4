/* SPDX-License-Identifier: MIT */
/* In the place of io_uring.c where liburing is not installed. */
#include "../common/bench.h"
#include "serve.h"

void serve_io_uring(const struct serving *serving) {
    (void)serving;
    skip("liburing is not installed");
}
