/* SPDX-License-Identifier: MIT */
/* How a sample is taken, and what is told of all of them. */
#include <stdlib.h>

#include "../../base/atomic.h"
#include "steal_latency.h"

/* Longer than any search, and short enough for the searcher to be still at it. */
static const int64_t gap_ns[STATES] = {2000000, 2000};
static const int64_t patience_ns = 100000000;

void probe_begin(struct probe *probe) {
    store_release(&probe->began_ns, now_ns());
}

void latencies_init(struct latencies *latencies, int64_t room) {
    *latencies = (struct latencies){.room = room};
    for (int state = 0; state < STATES; state++)
        latencies->sample[state] = must_alloc((uint64_t)room * sizeof *latencies->sample[state]);
}

void latencies_fini(struct latencies *latencies) {
    for (int state = 0; state < STATES; state++) free(latencies->sample[state]);
}

static void be_busy_until(int64_t end_ns) {
    while (now_ns() < end_ns) {
    }
}

void latency_sample(struct latencies *latencies, enum state state, struct launcher *launcher) {
    struct probe probe = {0};
    be_busy_until(now_ns() + gap_ns[state]);
    int64_t begin = now_ns(), began = 0;
    launcher->launch(launcher, &probe);
    while ((began = load_acquire(&probe.began_ns)) == 0 && now_ns() < begin + patience_ns) {
    }
    launcher->settle(launcher, &probe);
    if (began == 0)
        latencies->missed[state]++;
    else if (latencies->count[state] < latencies->room)
        latencies->sample[state][latencies->count[state]++] = (double)(began - begin);
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(const struct latencies *latencies, enum state state, double part) {
    int64_t count = latencies->count[state];
    return count ? latencies->sample[state][(int64_t)(part * (double)(count - 1))] : 0;
}

void latencies_report(struct latencies *latencies, struct run *run) {
    for (int state = 0; state < STATES; state++)
        qsort(latencies->sample[state], (size_t)latencies->count[state], sizeof(double), by_size);
    if (latencies->count[STATE_PARKED] == 0 || latencies->count[STATE_SEARCHING] == 0)
        fail("the other worker never took what was launched");
    run->charged_ns = (int64_t)quantile(latencies, STATE_PARKED, 0.5);
    run_extra(run, "p50_ns", quantile(latencies, STATE_PARKED, 0.5));
    run_extra(run, "p99_ns", quantile(latencies, STATE_PARKED, 0.99));
    run_extra(run, "searching_p50_ns", quantile(latencies, STATE_SEARCHING, 0.5));
    run_extra(run, "searching_p99_ns", quantile(latencies, STATE_SEARCHING, 0.99));
    int64_t missed = latencies->missed[STATE_PARKED] + latencies->missed[STATE_SEARCHING];
    if (missed > 0) run_extra(run, "missed", (double)missed);
}
