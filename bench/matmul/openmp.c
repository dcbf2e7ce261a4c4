/* SPDX-License-Identifier: MIT */
#include "../peers/openmp/jobs.h"
#include "matmul.h"

static void multiply(struct product whole) {
    if (whole.size <= BLOCK) {
        matmul_block(&whole);
        return;
    }
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 4; i++) {
            struct product part = matmul_quarter(&whole, i & 1, i >> 1, half);
#pragma omp task firstprivate(part)
            multiply(part);
        }
#pragma omp taskwait
    }
}

uint64_t matmul_openmp(struct run *run) {
    struct product whole = matmul_whole(run->n);
#pragma omp parallel
#pragma omp single
    multiply(whole);
    return 0;
}
