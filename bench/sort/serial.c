/* SPDX-License-Identifier: MIT */
#include "sort.h"

uint64_t sort_serial(struct run *run) {
    struct range whole = sort_whole(run->n);
    sort_serially(&whole);
    return 0;
}
