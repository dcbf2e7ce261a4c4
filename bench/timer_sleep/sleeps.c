/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "timer_sleep.h"

static const int64_t apart_ns = 10000, start_ns = 10000;

static int64_t cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static uint64_t draw(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

void sleeps_begin(struct sleeps *sleeps, struct run *run) {
    uint64_t state = 88172645463325252;
    sleeps->run = run;
    sleeps->sleepers = must_alloc((uint64_t)run->n * sizeof *sleeps->sleepers);
    int64_t first_ns = now_ns() + run->n * start_ns + 10000000;
    for (int64_t i = 0; i < run->n; i++) {
        int64_t after_ns = (int64_t)(draw(&state) % (uint64_t)(run->n * apart_ns));
        sleeps->sleepers[i] = (struct sleeper){.sleeps = sleeps, .deadline_ns = first_ns + after_ns};
    }
    sleeps->cpu_ns = cpu_ns();
}

static int by_size(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

uint64_t sleeps_end(struct sleeps *sleeps) {
    struct run *run = sleeps->run;
    run->charged_ns = cpu_ns() - sleeps->cpu_ns;
    int64_t *late_ns = must_alloc((uint64_t)run->n * sizeof *late_ns);
    uint64_t not_early = 0;
    for (int64_t i = 0; i < run->n; i++) {
        late_ns[i] = sleeps->sleepers[i].woken_ns - sleeps->sleepers[i].deadline_ns;
        not_early += late_ns[i] >= 0;
    }
    qsort(late_ns, (size_t)run->n, sizeof *late_ns, by_size);
    run_extra(run, "late_p50_us", (double)late_ns[run->n / 2] / 1e3);
    run_extra(run, "late_p99_us", (double)late_ns[run->n * 99 / 100] / 1e3);
    free(late_ns);
    free(sleeps->sleepers);
    return not_early;
}
