/* SPDX-License-Identifier: MIT */
#include "../peers/openmp/jobs.h"
#include "skynet.h"

static int64_t skynet(int64_t first, int64_t leaves) {
    int64_t sums[CHILDREN], sum = 0, each = leaves / CHILDREN;
    if (leaves == 1) return first;
    for (int i = 0; i < CHILDREN; i++) {
#pragma omp task shared(sums) firstprivate(i)
        sums[i] = skynet(first + i * each, each);
    }
#pragma omp taskwait
    for (int i = 0; i < CHILDREN; i++) sum += sums[i];
    return sum;
}

uint64_t skynet_openmp(struct run *run) {
    int64_t sum = 0;
#pragma omp parallel
#pragma omp single
    sum = skynet(0, run->n);
    return (uint64_t)sum;
}
