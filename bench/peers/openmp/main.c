/* SPDX-License-Identifier: MIT */
/* filch-bench-openmp: OpenMP tasks, as the compiler's runtime does them. */
#include <omp.h>

#include "../../flat/flat.h"
#include "../../matmul/matmul.h"
#include "../../sort/sort.h"
#include "jobs.h"

static const struct job jobs[] = {
    {.workload = "fib", .round = fib_openmp},
    {.workload = "nqueens", .round = nqueens_openmp},
    {.workload = "skynet-fork", .round = skynet_openmp},
    {.workload = "uts-t1", .round = uts_t1_openmp},
    {.workload = "uts-t3", .round = uts_t3_openmp},
    {.workload = "matmul", .round = matmul_openmp, .prepare = matmul_prepare, .checksum = matmul_checksum},
    {.workload = "sort", .round = sort_openmp, .prepare = sort_prepare, .checksum = sort_checksum},
    {.workload = "flat-fork", .round = flat_openmp, .prepare = flat_prepare, .checksum = flat_checksum},
    {.workload = "flat-for", .round = flat_for_openmp, .prepare = flat_prepare, .checksum = flat_checksum},
    {0},
};

/* The parallel region begins in each round; its threads live on from one to the next. */
static void with_workers(struct run *run, const struct job *job, body_fn *body) {
    omp_set_dynamic(0);
    omp_set_num_threads((int)run->workers);
    body(run, job);
}

int main(int count, char **arguments) {
    return measure_main(count, arguments, jobs, with_workers);
}
