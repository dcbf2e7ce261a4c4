/* SPDX-License-Identifier: MIT */
/* filch-bench-tbb: oneTBB's task groups and loops. */
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include "../../flat/flat.h"
#include "../../matmul/matmul.h"
#include "../../sort/sort.h"
#include "jobs.h"

static const job jobs[] = {
    {"fib", fib_tbb, nullptr, nullptr, false},
    {"nqueens", nqueens_tbb, nullptr, nullptr, false},
    {"skynet-fork", skynet_tbb, nullptr, nullptr, false},
    {"uts-t1", uts_t1_tbb, nullptr, nullptr, false},
    {"uts-t3", uts_t3_tbb, nullptr, nullptr, false},
    {"matmul", matmul_tbb, matmul_prepare, matmul_checksum, false},
    {"sort", sort_tbb, sort_prepare, sort_checksum, false},
    {"flat-fork", flat_tbb, flat_prepare, flat_checksum, false},
    {"flat-for", flat_for_tbb, flat_prepare, flat_checksum, false},
    {},
};

static void with_workers(run *run, const job *job, body_fn *body) {
    tbb::global_control control(tbb::global_control::max_allowed_parallelism, run->workers);
    tbb::task_arena arena(static_cast<int>(run->workers));
    arena.execute([&] { body(run, job); });
}

int main(int count, char **arguments) {
    return measure_main(count, arguments, jobs, with_workers);
}
