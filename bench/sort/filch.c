/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "sort.h"

static int sort(void *arg) {
    const struct range *range = arg;
    if (range->count <= CUTOFF) {
        sort_serially(range);
        return 0;
    }
    struct range left = sort_left(range), right = sort_right(range);
    filch_frame frame;
    filch_fork(&frame, sort, &left);
    sort(&right);
    filch_join(&frame);
    sort_merge(range);
    return 0;
}

uint64_t sort_filch(struct run *run) {
    struct range whole = sort_whole(run->n);
    sort(&whole);
    return 0;
}
