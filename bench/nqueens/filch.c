/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "nqueens.h"

/* How many solutions the board has goes into the task's result. */
static int solutions(void *arg) {
    const struct board *board = arg;
    struct board next[QUEENS_MAX];
    filch_frame frames[QUEENS_MAX];
    int count = 0, sum = 0;
    if (board->rows == board->size) return 1;
    for (int column = 0; column < board->size; column++) {
        if (!board_place(&next[count], board, column)) continue;
        filch_fork(&frames[count], solutions, &next[count]);
        count++;
    }
    while (count > 0) sum += filch_join(&frames[--count]);
    return sum;
}

uint64_t nqueens_filch(struct run *run) {
    struct board board = board_empty(run->n);
    return (uint64_t)solutions(&board);
}
