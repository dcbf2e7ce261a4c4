/* SPDX-License-Identifier: MIT */
/*
 * C = A * B for square matrices of doubles, by quarters: four products in parallel, then the four that are added to
 * them, down to blocks that one task multiplies. n is a power of two.
 */
#ifndef BENCH_MATMUL_MATMUL_H
#define BENCH_MATMUL_MATMUL_H

#include "../common/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { BLOCK = 64 };

/* c += a * b, all of `size` by `size` in matrices whose rows are `stride` apart. */
struct product {
    double *c;
    const double *a, *b;
    int64_t size, stride;
};

struct product matmul_whole(int64_t n);

/* The product of quarter (row, column) of the result: the first half of its sum, or the second. */
static inline struct product matmul_quarter(const struct product *whole, int row, int column, int half) {
    int64_t size = whole->size / 2, down = size * whole->stride;
    struct product part = {whole->c + row * down + column * size, whole->a + row * down + half * size,
                           whole->b + half * down + column * size, size, whole->stride};
    return part;
}

/* One block, serially. */
void matmul_block(const struct product *product);

void matmul_prepare(int64_t n);
uint64_t matmul_checksum(int64_t n);

#ifdef __cplusplus
}
#else
round_fn matmul_serial, matmul_pthread, matmul_pool, matmul_filch;
#endif

#endif
