/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "flat.h"

uint64_t flat_filch_fork(struct run *run) {
    filch_frame *frames = flat_room(run->n, sizeof *frames);
    for (int64_t i = 0; i < run->n; i++) filch_fork(&frames[i], flat_touch, &flat_cells[i]);
    for (int64_t i = run->n - 1; i >= 0; i--) filch_join(&frames[i]);
    return 0;
}

uint64_t flat_filch_spawn(struct run *run) {
    filch_task **tasks = flat_room(run->n, sizeof(filch_task *));
    for (int64_t i = 0; i < run->n; i++) tasks[i] = must_spawn(flat_touch, &flat_cells[i]);
    for (int64_t i = 0; i < run->n; i++) must_await(tasks[i]);
    return 0;
}

static int body(int64_t first, int64_t last, void *cells) {
    for (int64_t i = first; i < last; i++) flat_touch((unsigned char *)cells + i);
    return 0;
}

/* A grain of 1: each index is a part of its own. */
uint64_t flat_filch_for(struct run *run) {
    int error = filch_parallel_for(0, run->n, 1, body, flat_cells);
    if (error) fail("filch_parallel_for: %d", error);
    return 0;
}
