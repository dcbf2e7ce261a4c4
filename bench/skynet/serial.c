/* SPDX-License-Identifier: MIT */
#include "skynet.h"

static int64_t skynet(int64_t first, int64_t leaves) {
    if (leaves == 1) return first;
    int64_t sum = 0, each = leaves / CHILDREN;
    for (int i = 0; i < CHILDREN; i++) sum += skynet(first + i * each, each);
    return sum;
}

uint64_t skynet_serial(struct run *run) {
    return (uint64_t)skynet(0, run->n);
}
