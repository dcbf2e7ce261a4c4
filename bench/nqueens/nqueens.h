/* SPDX-License-Identifier: MIT */
/*
 * All ways to place n queens on a board of n by n, row by row; each placement that holds so far is a task with a board
 * of its own. The usual form of this benchmark: an array with the column of the queen of each row.
 */
#ifndef BENCH_NQUEENS_NQUEENS_H
#define BENCH_NQUEENS_NQUEENS_H

#include <string.h>

#include "../common/bench.h"

enum { QUEENS_MAX = 16 };

struct board {
    int size;
    int rows; /* that have a queen */
    signed char column[QUEENS_MAX];
};

/* Puts a queen into the next row. False where another one attacks it; then the board is of no use. */
static inline bool board_place(struct board *next, const struct board *board, int column) {
    for (int row = 0; row < board->rows; row++) {
        int distance = board->column[row] - column;
        int rows = board->rows - row;
        if (distance == 0 || distance == rows || distance == -rows) return false;
    }
    *next = *board;
    next->column[next->rows++] = (signed char)column;
    return true;
}

static inline struct board board_empty(int64_t n) {
    struct board board = {(int)n, 0, {0}};
    return board;
}

#ifndef __cplusplus
round_fn nqueens_serial, nqueens_pthread, nqueens_pool, nqueens_filch;
#endif

#endif
