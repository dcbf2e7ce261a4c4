/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "matmul.h"

static int64_t multiplications(int64_t n, uint64_t checksum) {
    (void)checksum;
    return n * n * n;
}

const struct workload matmul_workload = {
    .name = "matmul",
    .operation = "multiplication",
    .n = {1024, 256, 128},
    .baseline = "serial",
    .operations = multiplications,
    .prepare = matmul_prepare,
    .checksum = matmul_checksum,
    .systems = {{.system = "serial", .round = matmul_serial},
                {.system = "pthread", .round = matmul_pthread},
                {.system = "pthread-pool", .round = matmul_pool},
                {.system = "filch", .round = matmul_filch},
                {.system = "tbb"},
                {.system = "openmp"},
                {.system = "rayon"}},
};
