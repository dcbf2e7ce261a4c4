/* SPDX-License-Identifier: MIT */
/*
 * What the stress programs share: the command line, a watchdog, and the line of JSON at the end.
 *
 *     program [--seed N] [--seconds S] [--workers W] [--cycles C]
 *
 * A program works in rounds until its seconds are over (or, where it has been told a number of cycles, until those are
 * done), and checks after each that nothing was lost and nothing came twice. It exits with 0, or with 1 after a line
 * with the seed. A program that makes no progress for STRESS_STUCK_SECONDS has lost a wake-up: that is a failure too.
 */
#ifndef FILCH_STRESS_STRESS_H
#define FILCH_STRESS_STRESS_H

#include <filch/filch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

enum { STRESS_STUCK_SECONDS = 120 };

static struct {
    const char *program;
    uint64_t seed;
    double seconds;
    unsigned workers;
    uint64_t cycles; /* 0: by seconds */
    uint64_t operations;
    int64_t until_ns;
    atomic_ullong rounds;
    void (*tell_stuck)(void); /* says what hangs, before a run without progress is given up; or NULL */
} stress;

static inline void stress_verdict(bool ok) {
    printf(
        "{\"program\": \"%s\", \"seed\": %llu, \"seconds\": %g, \"workers\": %u, \"operations\": %llu, \"ok\": %s}\n",
        stress.program, (unsigned long long)stress.seed, stress.seconds, stress.workers,
        (unsigned long long)stress.operations, ok ? "true" : "false");
    fflush(stdout);
}

static inline _Noreturn void stress_failed(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: %s\n%s: FAILED with --seed %llu --workers %u\n", file, line, what, stress.program,
            (unsigned long long)stress.seed, stress.workers);
    stress_verdict(false);
    _exit(1);
}

/* Ends the program with a failure unless `condition` holds. From any thread or task. */
#define must(condition) ((condition) ? (void)0 : stress_failed(#condition, __FILE__, __LINE__))

static inline void *stress_watch(void *argument) {
    (void)argument;
    unsigned long long seen = 0;
    for (unsigned still = 0;; still++) {
        sleep(1);
        unsigned long long now = atomic_load_explicit(&stress.rounds, memory_order_relaxed);
        if (now != seen) still = 0;
        seen = now;
        if (still < STRESS_STUCK_SECONDS) continue;
        if (stress.tell_stuck != NULL) stress.tell_stuck();
        stress_failed("no progress: something was lost", __FILE__, __LINE__);
    }
    return NULL;
}

static inline _Noreturn void stress_usage(void) {
    fprintf(stderr, "usage: %s [--seed N] [--seconds S] [--workers W] [--cycles C]\n", stress.program);
    exit(2);
}

static inline void stress_begin(const char *program, int count, char **arguments) {
    stress.program = program;
    stress.seed = filch__random_seed();
    stress.seconds = 2;
    stress.workers = 4;
    for (int i = 1; i < count; i += 2) {
        if (i + 1 == count) stress_usage();
        if (strcmp(arguments[i], "--seed") == 0) {
            stress.seed = strtoull(arguments[i + 1], NULL, 0);
        } else if (strcmp(arguments[i], "--seconds") == 0) {
            stress.seconds = strtod(arguments[i + 1], NULL);
        } else if (strcmp(arguments[i], "--workers") == 0) {
            stress.workers = (unsigned)strtoul(arguments[i + 1], NULL, 0);
        } else if (strcmp(arguments[i], "--cycles") == 0) {
            stress.cycles = strtoull(arguments[i + 1], NULL, 0);
        } else {
            stress_usage();
        }
    }
    if (stress.workers < 1 || stress.workers > FILCH_WORKERS_MAX) stress_usage();
    stress.until_ns = filch_now() + (int64_t)(stress.seconds * 1e9);
    pthread_t watchdog;
    if (pthread_create(&watchdog, NULL, stress_watch, NULL) == 0) pthread_detach(watchdog);
}

/* Counts the operations of the round that ended; whether there is to be another. */
static inline bool stress_go_on(uint64_t operations) {
    stress.operations += operations;
    unsigned long long rounds = atomic_fetch_add_explicit(&stress.rounds, 1, memory_order_relaxed) + 1;
    return stress.cycles != 0 ? rounds < stress.cycles : filch_now() < stress.until_ns;
}

static inline int stress_end(void) {
    stress_verdict(true);
    return 0;
}

/* A generator for the given stream of this run. */
static inline struct filch__random stress_random(uint64_t stream) {
    struct filch__random random;
    filch__random_init(&random, stress.seed, stream);
    return random;
}

static inline uint32_t below(struct filch__random *random, uint32_t count) {
    return (uint32_t)(((filch__random_next(random) >> 32) * count) >> 32);
}

/* A runtime of the run's workers, whose choices follow from the seed. */
static inline filch_options stress_options(void) {
    return (filch_options){.name = stress.program, .workers = stress.workers, .seed = stress.seed | 1};
}

static inline filch_runtime *stress_runtime(void) {
    filch_runtime *runtime = NULL;
    filch_options options = stress_options();
    must(filch_runtime_create(&runtime, &options) == 0);
    return runtime;
}

/* Runs `fn(arg)` as the main task of a runtime of its own. */
static inline void stress_run(filch_fn *fn, void *arg) {
    filch_options options = stress_options();
    must(filch_run(fn, arg, &options) == 0);
}

#endif
