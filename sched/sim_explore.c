/* SPDX-License-Identifier: MIT */
/* Many simulations in a row: the first seed that fails. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "sched/runtime.h"

#define SEEDS_DEFAULT 1000u
#define WORKERS_DEFAULT 2u

/* Hashes of schedules that were run; a few of many, which is enough to tell how many differ. */
struct seen {
    uint64_t hashes[4096];
    uint64_t differ;
};

static void count_schedule(struct seen *seen, uint64_t hash) {
    uint64_t *slot = &seen->hashes[hash % (sizeof seen->hashes / sizeof *seen->hashes)];
    if (*slot != hash) seen->differ++;
    *slot = hash;
}

/* The system's clock: a simulation's begins anew each time. */
static int64_t real_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return FILCH_SEC(now.tv_sec) + now.tv_nsec;
}

static void tell(const filch_simulation *simulation, unsigned workers, int result) {
    char policy[32] = "";
    if (simulation->policy == FILCH_PCT) {
        snprintf(policy, sizeof policy, ",policy=pct:%u", simulation->changes == 0 ? 3 : simulation->changes);
    }
    dprintf(STDERR_FILENO, "filch: explore: it returns %d with FILCH_SIM=%llu,workers=%u%s\n", result,
            (unsigned long long)simulation->seed, workers, policy);
}

static bool options_are_valid(const filch_explore_options *options) {
    return options->workers <= FILCH_WORKERS_MAX && options->duration_ns >= 0 &&
           (unsigned)options->policy <= FILCH_PCT && options->changes <= 16;
}

int filch_explore(filch_fn *fn, void *arg, const filch_explore_options *options, filch_explored *explored) {
    static const filch_explore_options defaults;
    if (options == NULL) options = &defaults;
    filch_explored room;
    if (explored == NULL) explored = &room;
    *explored = (filch_explored){0};
    if (fn == NULL || !options_are_valid(options)) return -EINVAL;
    struct seen *seen = filch__heap_get(sizeof *seen, 64);
    if (seen == NULL) return -ENOMEM;
    unsigned workers = options->workers == 0 ? WORKERS_DEFAULT : options->workers;
    uint64_t first = options->first_seed == 0 ? 1 : options->first_seed;
    uint64_t count = options->seeds == 0 ? SEEDS_DEFAULT : options->seeds;
    int64_t until_ns = options->duration_ns == 0 ? INT64_MAX : real_now() + options->duration_ns;
    int result = 0;
    for (uint64_t seed = first; seed - first < count && result == 0 && real_now() < until_ns; seed++) {
        uint64_t hash = 0, steps = 0;
        filch_simulation simulation = {.seed = seed, .changes = options->changes, .quiet = true};
        simulation.policy = seed % 2 == 0 ? options->policy : FILCH_RANDOM_WALK;
        simulation.hash = &hash;
        simulation.steps = &steps;
        filch_options run = {.workers = workers, .stack_size = options->stack_size, .simulation = &simulation};
        result = filch_run(fn, arg, &run);
        explored->seeds++;
        explored->steps += steps;
        count_schedule(seen, hash);
        if (result == 0) continue;
        explored->seed = seed;
        explored->result = result;
        if (!options->quiet) tell(&simulation, workers, result);
    }
    explored->schedules = seen->differ;
    filch__heap_put(seen, sizeof *seen, 64);
    return result;
}
