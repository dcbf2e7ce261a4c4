/* SPDX-License-Identifier: MIT */
/* Many simulations in a row: the first seed that fails. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "sched/runtime.h"

#define SEEDS_DEFAULT 1000u
#define WORKERS_DEFAULT 2u

/*
 * How many schedules differ is estimated from their hashes, in memory of a fixed size (HyperLogLog: Flajolet, Fusy, Gandouet,
 * Meunier 2007): of each register's hashes it keeps the longest run of zeros that one began with.
 */
enum { REGISTERS = 16384 }; /* for a standard error of 0.8 % */

struct seen {
    uint8_t zeros[REGISTERS]; /* 0: none has come yet */
};

static void count_schedule(struct seen *seen, uint64_t hash) {
    uint64_t mixed = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u; /* the hash's high bits are its best */
    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9u;
    mixed ^= mixed >> 32;
    uint8_t zeros = (uint8_t)(1 + __builtin_clzll(mixed | REGISTERS));
    uint8_t *most = &seen->zeros[mixed % REGISTERS];
    if (zeros > *most) *most = zeros;
}

static uint64_t count_different(const struct seen *seen, uint64_t schedules) {
    double sum = 0, few = 0;
    unsigned empty = 0;
    for (unsigned i = 0; i < REGISTERS; i++) {
        sum += 1.0 / (double)((uint64_t)1 << seen->zeros[i]);
        empty += seen->zeros[i] == 0;
    }
    double many = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS * REGISTERS / sum;
    /* Few leave registers empty: so many draws are expected until no more of them are. */
    for (unsigned i = empty + 1; i <= REGISTERS; i++) few += (double)REGISTERS / i;
    uint64_t different = (uint64_t)(empty > 0 && many <= 2.5 * REGISTERS ? few : many);
    return different < schedules ? different : schedules;
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

static void refuse(const filch_explore_options *options, int answer) {
    if (options->quiet) return;
    dprintf(STDERR_FILENO, "filch: explore: %s: %s\n",
            answer == -EBUSY ? "there is a simulation already"
                             : "by a task of a runtime that is not simulated; a thread can",
            answer == -EBUSY ? "-EBUSY" : "-EDEADLK");
}

static bool options_are_valid(const filch_explore_options *options) {
    return options->workers <= FILCH_WORKERS_MAX && options->duration_ns >= 0 &&
           (unsigned)options->policy <= FILCH_PCT && options->changes <= 16 &&
           (options->stack_size == 0 ||
            (options->stack_size >= FILCH__STACK_MIN && options->stack_size <= FILCH__STACK_MAX));
}

int filch_explore(filch_fn *fn, void *arg, const filch_explore_options *options, filch_explored *explored) {
    static const filch_explore_options defaults;
    if (options == NULL) options = &defaults;
    filch_explored room;
    if (explored == NULL) explored = &room;
    *explored = (filch_explored){0};
    if (fn == NULL || !options_are_valid(options)) return -EINVAL;
    int result = filch__sim_row_begin(!options->quiet);
    if (result == -EBUSY || result == -EDEADLK) refuse(options, result);
    if (result != 0) return result;
    struct seen *seen = filch__heap_get(sizeof *seen, 64);
    if (seen == NULL) {
        filch__sim_row_end();
        return -ENOMEM;
    }
    unsigned workers = options->workers == 0 ? WORKERS_DEFAULT : options->workers;
    uint64_t first = options->first_seed == 0 ? 1 : options->first_seed;
    uint64_t count = options->seeds == 0 ? SEEDS_DEFAULT : options->seeds;
    int64_t until_ns = options->duration_ns == 0 ? INT64_MAX : real_now() + options->duration_ns;
    for (uint64_t seed = first; seed - first < count && result == 0 && real_now() < until_ns; seed++) {
        uint64_t hash = 0, steps = 0;
        filch_simulation simulation = {.seed = seed, .changes = options->changes, .quiet = true};
        simulation.policy = seed % 2 == 0 ? options->policy : FILCH_RANDOM_WALK;
        simulation.hash = &hash;
        simulation.steps = &steps;
        filch_options run = {.workers = workers, .stack_size = options->stack_size, .simulation = &simulation};
        result = filch_run(fn, arg, &run);
        if (!filch__sim_is_over()) {
            filch__die("explore: seed %llu has left a runtime, which it made and is to destroy",
                       (unsigned long long)seed);
        }
        explored->seeds++;
        explored->steps += steps;
        explored->hash = hash;
        count_schedule(seen, hash);
        if (result == 0) continue;
        explored->seed = seed;
        explored->result = result;
        if (!options->quiet) tell(&simulation, workers, result);
    }
    explored->schedules = count_different(seen, explored->seeds);
    filch__heap_put(seen, sizeof *seen, 64);
    filch__sim_row_end();
    return result;
}
