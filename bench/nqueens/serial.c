/* SPDX-License-Identifier: MIT */
#include "nqueens.h"

static int64_t solutions(const struct board *board) {
    if (board->rows == board->size) return 1;
    int64_t sum = 0;
    for (int column = 0; column < board->size; column++) {
        struct board next;
        if (board_place(&next, board, column)) sum += solutions(&next);
    }
    return sum;
}

uint64_t nqueens_serial(struct run *run) {
    struct board board = board_empty(run->n);
    return (uint64_t)solutions(&board);
}
