/* SPDX-License-Identifier: MIT */
#include "matmul.h"

#include <tbb/parallel_invoke.h>

#include "../peers/tbb/jobs.h"

static void multiply(product whole) {
    if (whole.size <= BLOCK) {
        matmul_block(&whole);
        return;
    }
    for (int half = 0; half < 2; half++) {
        auto quarter = [&whole, half](int i) { multiply(matmul_quarter(&whole, i & 1, i >> 1, half)); };
        tbb::parallel_invoke([&] { quarter(0); }, [&] { quarter(1); }, [&] { quarter(2); }, [&] { quarter(3); });
    }
}

uint64_t matmul_tbb(run *run) {
    multiply(matmul_whole(run->n));
    return 0;
}
