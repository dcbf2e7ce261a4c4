/* SPDX-License-Identifier: MIT */
#include "../peers/openmp/jobs.h"
#include "flat.h"

uint64_t flat_openmp(struct run *run) {
#pragma omp parallel
#pragma omp single
    {
        for (int64_t i = 0; i < run->n; i++) {
#pragma omp task firstprivate(i)
            flat_touch(&flat_cells[i]);
        }
#pragma omp taskwait
    }
    return 0;
}

uint64_t flat_for_openmp(struct run *run) {
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 0; i < run->n; i++) flat_touch(&flat_cells[i]);
    return 0;
}
