/* SPDX-License-Identifier: MIT */
#include "../peers/openmp/jobs.h"
#include "sort.h"

static void sort(struct range range) {
    if (range.count <= CUTOFF) {
        sort_serially(&range);
        return;
    }
#pragma omp task firstprivate(range)
    sort(sort_left(&range));
    sort(sort_right(&range));
#pragma omp taskwait
    sort_merge(&range);
}

uint64_t sort_openmp(struct run *run) {
    struct range whole = sort_whole(run->n);
#pragma omp parallel
#pragma omp single
    sort(whole);
    return 0;
}
