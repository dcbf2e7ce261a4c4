/* SPDX-License-Identifier: MIT */
/*
 * What a workload is made of: the vocabulary that its folder, the harness and the peers' programs share.
 *
 * A workload is a piece of work that several systems do, with the same checksum. One measurement is a process of its
 * own: it starts the system, does the work once to warm up and then some rounds more, takes the time inside, and prints
 * one line for the harness. So peak memory is the system's own, and a crash ends nothing else.
 */
#ifndef BENCH_COMMON_BENCH_H
#define BENCH_COMMON_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ROUNDS_MAX = 16, EXTRAS_MAX = 12, SYSTEMS_MAX = 16, SKIPPED = 77 };

/* One measurement, while it is made. */
struct run {
    /* what to do */
    const char *workload;
    const char *system;
    unsigned workers;
    int64_t n;
    unsigned rounds_wanted;

    /* how far it is */
    bool warming;       /* in the round that is not counted */
    int64_t charged_ns; /* what the round charges to its operations; 0: the time that it took */
    unsigned rounds;

    /* what came of it */
    int64_t rss_kib; /* the most memory that the system had; 0: what this process had */
    int64_t charged[ROUNDS_MAX];
    int64_t wall[ROUNDS_MAX];
    uint64_t checksum;
    unsigned extras;
    struct {
        const char *name;
        double value;
    } extra[EXTRAS_MAX];
};

/* Does the work once, with `run->workers` workers and size `run->n`; returns the checksum. */
typedef uint64_t round_fn(struct run *run);

/* How a system does a workload. */
struct job {
    const char *workload;
    round_fn *round;
    void (*prepare)(int64_t n);      /* before each round, not timed; or NULL */
    uint64_t (*checksum)(int64_t n); /* after each round, not timed, in place of what the round returns; or NULL */
    bool cold;                       /* one round and no warm-up: the first time is what matters */
};

/* Starts a system, calls `body(run, job)` inside it, ends it. */
typedef void body_fn(struct run *run, const struct job *job);
typedef void around_fn(struct run *run, const struct job *job, body_fn *body);

/* Warms up and measures. The body of every measurement in C and C++. */
void measure(struct run *run, const struct job *job);

/* Adds a named figure to the result; the last value of a name counts. `name` is kept. */
void run_extra(struct run *run, const char *name, double value);

/* Prints the result of `run` as the line that the harness reads. */
void run_print(const struct run *run);

/*
 * The main function of a process that measures: `--one workload system workers n rounds`. Looks the workload up in
 * `jobs`, which ends with an empty one, and measures it inside `around`. Returns the exit status.
 */
int measure_main(int count, char **arguments, const struct job *jobs, around_fn *around);

/* CLOCK_MONOTONIC, in nanoseconds. */
int64_t now_ns(void);

/* Says what went wrong, and ends the process with status 1. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Says why this cannot be measured here, and ends the process: the row says so, and nothing has failed. */
void skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* malloc that does not return NULL. */
void *must_alloc(uint64_t size);

#ifdef __cplusplus
}
#endif

#endif
