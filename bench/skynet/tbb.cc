/* SPDX-License-Identifier: MIT */
#include <tbb/task_group.h>

#include "../peers/tbb/jobs.h"
#include "skynet.h"

static int64_t skynet(int64_t first, int64_t leaves) {
    if (leaves == 1) return first;
    int64_t sums[CHILDREN], sum = 0, each = leaves / CHILDREN;
    tbb::task_group group;
    for (int i = 0; i < CHILDREN; i++) group.run([&sums, i, first, each] { sums[i] = skynet(first + i * each, each); });
    group.wait();
    for (int64_t part : sums) sum += part;
    return sum;
}

uint64_t skynet_tbb(run *run) {
    return static_cast<uint64_t>(skynet(0, run->n));
}
