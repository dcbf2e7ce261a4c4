/* SPDX-License-Identifier: MIT */
#include "matmul.h"

static void multiply(const struct product *whole) {
    if (whole->size <= BLOCK) {
        matmul_block(whole);
        return;
    }
    for (int i = 0; i < 8; i++) {
        struct product part = matmul_quarter(whole, i & 1, i >> 1 & 1, i >> 2);
        multiply(&part);
    }
}

uint64_t matmul_serial(struct run *run) {
    struct product whole = matmul_whole(run->n);
    multiply(&whole);
    return 0;
}
