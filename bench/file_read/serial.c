/* SPDX-License-Identifier: MIT */
/* One read after the other. */
#include "file_read.h"

uint64_t file_read_serial(struct run *run) {
    struct reads reads = reads_begin(run);
    read_blocks(&reads);
    return reads_end(&reads, run);
}
