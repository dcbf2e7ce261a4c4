/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "../common/filch.h"
#include "../common/memory.h"
#include "spawn_many.h"

static int one(void *arg) {
    (void)arg;
    return 1;
}

uint64_t spawn_many_filch(struct run *run) {
    static filch_task **tasks;
    uint64_t sum = 0;
    if (!tasks) {
        tasks = must_alloc((uint64_t)run->n * sizeof(filch_task *));
        memset(tasks, 0, (uint64_t)run->n * sizeof(filch_task *));
    }
    int64_t before = run->warming ? memory_resident() : 0;
    for (int64_t i = 0; i < run->n; i++) tasks[i] = must_spawn(one, NULL);
    if (run->warming) run_extra(run, "bytes_per_task", (double)(memory_resident() - before) / (double)run->n);
    for (int64_t i = 0; i < run->n; i++) sum += (uint64_t)must_await(tasks[i]);
    return sum;
}
