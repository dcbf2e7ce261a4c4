/* SPDX-License-Identifier: MIT */
/* In the place of io_uring.c where liburing is not installed. */
#include "file_read.h"

uint64_t file_read_io_uring(struct run *run) {
    (void)run;
    skip("liburing is not installed");
}
