/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "wake_foreign.h"

void wire_answer(struct wire *wire) {
    for (int64_t i = 0; i < wire->count; i++) {
        wire->wait(wire, false);
        wire->woken_ns = now_ns();
        wire->wake(wire, true);
    }
}

void wire_ask(struct wire *wire, double *sample) {
    const struct timespec pause = {0, 500000};
    for (int64_t i = 0; i < wire->count; i++) {
        nanosleep(&pause, NULL);
        int64_t begin = now_ns();
        wire->wake(wire, false);
        wire->wait(wire, true);
        sample[i] = (double)(wire->woken_ns - begin);
    }
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void wake_report(struct run *run, double *sample) {
    qsort(sample, (size_t)run->n, sizeof *sample, by_size);
    double p50 = sample[run->n / 2], p99 = sample[run->n * 99 / 100];
    run->charged_ns = (int64_t)p50;
    run_extra(run, "p50_ns", p50);
    run_extra(run, "p99_ns", p99);
}
