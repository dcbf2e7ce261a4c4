/* SPDX-License-Identifier: MIT */
#include "sort.h"

#include <tbb/parallel_invoke.h>

#include "../peers/tbb/jobs.h"

static void sort(range whole) {
    if (whole.count <= CUTOFF) {
        sort_serially(&whole);
        return;
    }
    tbb::parallel_invoke([&] { sort(sort_left(&whole)); }, [&] { sort(sort_right(&whole)); });
    sort_merge(&whole);
}

uint64_t sort_tbb(run *run) {
    sort(sort_whole(run->n));
    return 0;
}
