/* SPDX-License-Identifier: MIT */
#include "flat.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_group.h>

#include "../peers/tbb/jobs.h"

uint64_t flat_tbb(run *run) {
    tbb::task_group group;
    for (int64_t i = 0; i < run->n; i++) group.run([i] { flat_touch(&flat_cells[i]); });
    group.wait();
    return 0;
}

uint64_t flat_for_tbb(run *run) {
    using indices = tbb::blocked_range<int64_t>;
    tbb::parallel_for(
        indices(0, run->n, 1),
        [](const indices &part) {
            for (int64_t i = part.begin(); i < part.end(); i++) flat_touch(&flat_cells[i]);
        },
        tbb::simple_partitioner());
    return 0;
}
