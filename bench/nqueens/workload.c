/* SPDX-License-Identifier: MIT */
#include "../harness/workload.h"
#include "nqueens.h"

/* Placements that hold, counted on bit sets: columns and diagonals that are taken. */
static int64_t count(unsigned all, unsigned columns, unsigned left, unsigned right) {
    int64_t sum = 0;
    for (unsigned open = all & ~(columns | left | right); open; open &= open - 1) {
        unsigned queen = open & -open;
        sum += 1 + count(all, columns | queen, (left | queen) << 1, (right | queen) >> 1);
    }
    return sum;
}

static int64_t placements(int64_t n, uint64_t checksum) {
    (void)checksum;
    return count((1u << n) - 1, 0, 0, 0);
}

const struct workload nqueens_workload = {
    .name = "nqueens",
    .operation = "placement",
    .n = {12, 10, 6},
    .baseline = "serial",
    .operations = placements,
    .systems = {{.system = "serial", .round = nqueens_serial},
                {.system = "pthread", .round = nqueens_pthread, .n = {7, 6, 4}},
                {.system = "pthread-pool", .round = nqueens_pool, .n = {11, 9, 6}},
                {.system = "filch", .round = nqueens_filch},
                {.system = "tbb"},
                {.system = "openmp", .n = {.full = 11}},
                {.system = "go", .n = {.full = 11}},
                {.system = "rayon"}},
};
