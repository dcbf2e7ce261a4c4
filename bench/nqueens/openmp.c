/* SPDX-License-Identifier: MIT */
#include "../peers/openmp/jobs.h"
#include "nqueens.h"

static int64_t solutions(const struct board *board) {
    struct board next[QUEENS_MAX];
    int64_t found[QUEENS_MAX], sum = 0;
    int count = 0;
    if (board->rows == board->size) return 1;
    for (int column = 0; column < board->size; column++) {
        if (!board_place(&next[count], board, column)) continue;
#pragma omp task shared(next, found) firstprivate(count)
        found[count] = solutions(&next[count]);
        count++;
    }
#pragma omp taskwait
    for (int i = 0; i < count; i++) sum += found[i];
    return sum;
}

uint64_t nqueens_openmp(struct run *run) {
    struct board board = board_empty(run->n);
    int64_t sum = 0;
#pragma omp parallel
#pragma omp single
    sum = solutions(&board);
    return (uint64_t)sum;
}
