/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "spawn_await.h"

static int one(void *arg) {
    (void)arg;
    return 1;
}

uint64_t spawn_await_filch(struct run *run) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < run->n; i++) sum += (uint64_t)must_await(must_spawn(one, NULL));
    return sum;
}
