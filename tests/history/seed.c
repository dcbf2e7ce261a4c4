/* SPDX-License-Identifier: MIT */
#include "seed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SWEEP = 128,      /* seeds of a program */
    CUT_STEP_NS = 20, /* as long as a point of a simulation takes */
    WORKERS_MAX = 3,
    LAST_EVENT = 1 << 16,
};

/* Seeds that follow one another, from `next` on. */
struct series {
    const struct object *object;
    uint64_t next, number; /* of the program */
    uint64_t left_out;     /* ops, a bit each */
    bool made;
    struct program program;
};

static void leave_out(struct program *program, uint64_t left_out) {
    for (unsigned task = 0; task < TASKS_MAX; task++) {
        for (unsigned i = 0; i < OPS_MAX; i++) program->ops[task][i].left_out = left_out >> (task * OPS_MAX + i) & 1;
    }
}

/* For who dies of it. */
static const struct object *running;
static uint64_t running_seed;

static void tell_running(int number) {
    char line[128];
    int length = snprintf(line, sizeof line, "%s: seed %llu dies: history --only %s --replay %llu\n", running->name,
                          (unsigned long long)running_seed, running->name, (unsigned long long)running_seed);
    ssize_t ignored = write(STDOUT_FILENO, line, (size_t)length);
    (void)ignored;
    signal(number, SIG_DFL);
    raise(number);
}

void seeds_watch(void) {
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) signal(numbers[i], tell_running);
}

static int run_next(void *arg) {
    struct series *series = arg;
    uint64_t seed = series->next++, number = seed / SWEEP;
    running = series->object;
    running_seed = seed;
    if (series->object->life != NULL) {
        program_wrong = series->object->life(seed);
        return program_wrong == NULL ? 0 : 1;
    }
    if (!series->made || number != series->number) {
        program_make(&series->program, series->object, number);
        leave_out(&series->program, series->left_out);
        series->number = number;
        series->made = true;
    }
    series->program.cut_ns = (int64_t)(seed % SWEEP) * CUT_STEP_NS;
    return program_run(&series->program);
}

static unsigned workers_of(uint64_t seed) {
    return 1 + (unsigned)(seed / SEEDS_IN_ROW % WORKERS_MAX);
}

static filch_policy policy_of(uint64_t seed) {
    return seed % 2 == 0 ? FILCH_PCT : FILCH_RANDOM_WALK;
}

static int explore(struct series *series, uint64_t seeds, filch_explored *explored) {
    filch_explore_options options = {.first_seed = series->next,
                                     .seeds = seeds,
                                     .workers = workers_of(series->next),
                                     .policy = FILCH_PCT,
                                     .quiet = true};
    program_wrong = NULL;
    return filch_explore(run_next, series, &options, explored);
}

/* ---------------------------------------------------------------------------------------------------------- a failure */

/* Whether the program of `*seed` fails with these ops left out; then `*seed` is one that does. */
static bool fails_without(const struct object *object, uint64_t left_out, uint64_t *seed) {
    struct series series = {.object = object, .next = *seed / SWEEP * SWEEP, .left_out = left_out};
    filch_explored explored;
    if (explore(&series, SWEEP, &explored) == 0) return false;
    *seed = explored.seed;
    return true;
}

/* The ops that it fails without. */
static uint64_t shrink(const struct object *object, uint64_t *seed) {
    uint64_t left_out = 0;
    for (unsigned bit = TASKS_MAX * OPS_MAX; bit-- > 0;) {
        if (fails_without(object, left_out | (uint64_t)1 << bit, seed)) left_out |= (uint64_t)1 << bit;
    }
    return left_out;
}

static void print_command(const struct object *object, uint64_t seed, uint64_t left_out) {
    printf("  FILCH_SIM=%llu,workers=%u%s history --only %s --replay %llu", (unsigned long long)seed, workers_of(seed),
           policy_of(seed) == FILCH_PCT ? ",policy=pct:3" : "", object->name, (unsigned long long)seed);
    if (left_out != 0) printf(" --without %#llx", (unsigned long long)left_out);
    printf("\n");
}

int seed_show(const struct object *object, uint64_t seed, uint64_t left_out) {
    struct series series = {.object = object, .next = seed, .left_out = left_out};
    filch_simulation simulation = {.seed = seed, .policy = policy_of(seed), .quiet = true};
    filch_options options = {.workers = workers_of(seed), .simulation = &simulation};
    if (getenv("FILCH_SIM") != NULL) options = (filch_options){0};
    int result = filch_run(run_next, &series, &options);
    if (object->life != NULL) {
        life_print();
    } else {
        program_print(&series.program);
        printf("  what happened:\n");
        unsigned last = program_wrong == NULL ? LAST_EVENT : program_wrong_at;
        history_print(&series.program, &program_history, program_wrong, last);
    }
    printf("  it returns %d: %s\n", result, program_wrong == NULL ? "nothing is wrong" : program_wrong);
    return result;
}

static void tell_failure(const struct object *object, uint64_t seed, int result) {
    printf("%s: seed %llu fails, with %d: %s\n", object->name, (unsigned long long)seed, result,
           program_wrong != NULL ? program_wrong : "by the run itself");
    print_command(object, seed, 0);
    uint64_t left_out = object->life != NULL ? 0 : shrink(object, &seed);
    if (left_out != 0) {
        printf("  and made smaller:\n");
        print_command(object, seed, left_out);
    }
    (void)seed_show(object, seed, left_out);
}

bool seeds_run(const struct object *object, uint64_t first, struct tally *tally) {
    struct series series = {.object = object, .next = first};
    filch_explored explored;
    int result = explore(&series, SEEDS_IN_ROW, &explored);
    tally->schedules += explored.seeds;
    tally->differ += explored.schedules;
    tally->points += explored.steps;
    if (result != 0) tell_failure(object, explored.seed, result);
    return result == 0;
}
