/* SPDX-License-Identifier: MIT */
#include "nqueens.h"

#include <tbb/task_group.h>

#include "../peers/tbb/jobs.h"

static int64_t solutions(const board &current) {
    if (current.rows == current.size) return 1;
    board next[QUEENS_MAX];
    int64_t found[QUEENS_MAX], sum = 0;
    int count = 0;
    tbb::task_group group;
    for (int column = 0; column < current.size; column++) {
        if (!board_place(&next[count], &current, column)) continue;
        group.run([&next, &found, count] { found[count] = solutions(next[count]); });
        count++;
    }
    group.wait();
    for (int i = 0; i < count; i++) sum += found[i];
    return sum;
}

uint64_t nqueens_tbb(run *run) {
    return static_cast<uint64_t>(solutions(board_empty(run->n)));
}
