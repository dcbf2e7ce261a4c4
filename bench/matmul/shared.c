/* SPDX-License-Identifier: MIT */
/* The matrices, the same for all systems, and the product of a block. */
#include "matmul.h"

#include <string.h>

static double *a, *b, *c;

/* Small whole numbers: the sums are exact, whatever the order. */
static void fill(double *matrix, int64_t n, unsigned seed) {
    for (int64_t i = 0; i < n * n; i++) {
        seed = seed * 1664525 + 1013904223;
        matrix[i] = (double)(seed >> 24);
    }
}

void matmul_prepare(int64_t n) {
    uint64_t size = (uint64_t)(n * n) * sizeof(double);
    if (!a) {
        a = must_alloc(size);
        b = must_alloc(size);
        c = must_alloc(size);
        fill(a, n, 1);
        fill(b, n, 2);
    }
    memset(c, 0, size);
}

uint64_t matmul_checksum(int64_t n) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < n * n; i++) sum = sum * 31 + (uint64_t)c[i];
    return sum;
}

struct product matmul_whole(int64_t n) {
    return (struct product){c, a, b, n, n};
}

void matmul_block(const struct product *product) {
    for (int64_t i = 0; i < product->size; i++) {
        double *row = product->c + i * product->stride;
        for (int64_t k = 0; k < product->size; k++) {
            double factor = product->a[i * product->stride + k];
            const double *other = product->b + k * product->stride;
            for (int64_t j = 0; j < product->size; j++) row[j] += factor * other[j];
        }
    }
}
