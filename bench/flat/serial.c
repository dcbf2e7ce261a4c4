/* SPDX-License-Identifier: MIT */
#include "flat.h"

uint64_t flat_serial(struct run *run) {
    int (*volatile touch)(void *) = flat_touch;
    int (*fn)(void *) = touch;
    for (int64_t i = 0; i < run->n; i++) fn(&flat_cells[i]);
    return 0;
}

uint64_t flat_for_serial(struct run *run) {
    return flat_serial(run);
}
