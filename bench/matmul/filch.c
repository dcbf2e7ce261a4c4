/* SPDX-License-Identifier: MIT */
#include "../common/filch.h"
#include "matmul.h"

static int multiply(void *arg) {
    const struct product *whole = arg;
    struct product parts[4];
    filch_frame frames[4];
    if (whole->size <= BLOCK) {
        matmul_block(whole);
        return 0;
    }
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 4; i++) {
            parts[i] = matmul_quarter(whole, i & 1, i >> 1, half);
            filch_fork(&frames[i], multiply, &parts[i]);
        }
        for (int i = 3; i >= 0; i--) filch_join(&frames[i]);
    }
    return 0;
}

uint64_t matmul_filch(struct run *run) {
    struct product whole = matmul_whole(run->n);
    multiply(&whole);
    return 0;
}
