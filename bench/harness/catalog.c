/* SPDX-License-Identifier: MIT */
/* The list of workloads. */
#include <string.h>

#include "workload.h"

extern const struct workload fib_workload, nqueens_workload, skynet_fork_workload, skynet_spawn_workload,
    uts_t1_workload, uts_t3_workload, matmul_workload, sort_workload, flat_fork_workload, flat_spawn_workload,
    flat_for_workload, yield_workload, yield_1000_workload, spawn_await_workload, spawn_many_workload,
    suspended_workload, mutex_workload, mutex_1000_workload, mutex_yield_workload, chan_unbuffered_workload,
    chan_buffered_workload, chan_mpmc_workload, pipeline_workload, select_ready_workload, select_idle_workload,
    steal_latency_workload, timer_cancel_workload, timer_sleep_workload, wake_foreign_workload, idle_workload,
    hog_2_workload, hog_8_workload, echo_50_workload, echo_1000_workload, echo_10000_workload, echo_hog_2_workload,
    echo_hog_8_workload, http_hello_workload, http_file_workload, accept_storm_workload, file_read_workload,
    file_read_cached_workload;

/* clang-format off */
const struct workload *const workloads[] = {
    &fib_workload,
    &nqueens_workload,
    &skynet_fork_workload,
    &skynet_spawn_workload,
    &uts_t1_workload,
    &uts_t3_workload,
    &matmul_workload,
    &sort_workload,
    &flat_fork_workload,
    &flat_spawn_workload,
    &flat_for_workload,
    &yield_workload,
    &yield_1000_workload,
    &spawn_await_workload,
    &spawn_many_workload,
    &suspended_workload,
    &mutex_workload,
    &mutex_1000_workload,
    &mutex_yield_workload,
    &chan_unbuffered_workload,
    &chan_buffered_workload,
    &chan_mpmc_workload,
    &pipeline_workload,
    &select_ready_workload,
    &select_idle_workload,
    &steal_latency_workload,
    &timer_cancel_workload,
    &timer_sleep_workload,
    &wake_foreign_workload,
    &hog_2_workload,
    &hog_8_workload,
    &idle_workload,
    &echo_50_workload,
    &echo_1000_workload,
    &echo_10000_workload,
    &echo_hog_2_workload,
    &echo_hog_8_workload,
    &http_hello_workload,
    &http_file_workload,
    &accept_storm_workload,
    &file_read_workload,
    &file_read_cached_workload,
    NULL,
};
/* clang-format on */

const struct workload *workload_find(const char *name) {
    const struct workload *const *workload = workloads;
    while (*workload && strcmp((*workload)->name, name) != 0) workload++;
    return *workload;
}

const struct entry *entry_find(const struct workload *workload, const char *system) {
    for (const struct entry *entry = workload->systems; entry->system; entry++)
        if (strcmp(entry->system, system) == 0) return entry;
    return NULL;
}

static int64_t pick(const struct sizes *sizes, enum size size) {
    return size == SIZE_FULL ? sizes->full : size == SIZE_QUICK ? sizes->quick : sizes->smoke;
}

int64_t entry_size(const struct workload *workload, const struct entry *entry, enum size size) {
    int64_t own = pick(&entry->n, size);
    return own ? own : pick(&workload->n, size);
}

int64_t operations_n(int64_t n, uint64_t checksum) {
    (void)checksum;
    return n;
}
