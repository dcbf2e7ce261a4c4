/* SPDX-License-Identifier: MIT */
/*
 * Debug mode: which checks a runtime makes. What each is, filch/debug.h tells.
 *
 * Off, it is to cost nothing. So what is asked on fast paths is asked by flags that are tested there anyway: TASK_WATCHED
 * among a task's flags sends its calls that may wait down the path of tasks in scopes, WATCHED in a worker's `guard` has
 * it look closer where it leaves a task, and a watched lock's word has a bit that makes the fast unlock fail. Slow paths
 * ask filch__debug_checks.
 */
#ifndef FILCH_SCHED_DEBUG_H
#define FILCH_SCHED_DEBUG_H

#include <filch/debug.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"

struct filch_runtime;
struct filch_task;

enum filch__check {
    CHECK_DEADLOCK = 1,
    CHECK_HOG = 2,
    CHECK_CYCLE = 4,
    CHECK_HELD = 8,
    CHECK_AWAITED = 16,
    CHECK_CHANNELS = 32,
    CHECK_FOREIGN = 64,
    CHECK_THREAD = 128,
    CHECK_ERRNO = 256,
    CHECK_ALL = 511,
    CHECK_IO = 512, /* not one of all, as the rest */
    CHECK_NO_QUIT = 1024,
    CHECK_HELP = 2048,
    CHECK_FOREIGN_BY_NAME = 4096, /* by its own word: where its library is not there, that is told */
};

/* What is done about a call that closes a circle. */
enum filch__on_cycle { CYCLE_TELL, CYCLE_FAIL, CYCLE_ABORT };

struct filch__debug {
    uint32_t checks;
    int64_t hog_ns; /* a task that holds its worker for longer is told of; 0: that holds up others */
    enum filch__on_cycle on_cycle;
    filch_report_fn *on_report; /* or NULL */
    void *on_report_arg;
};

/* The checks of all runtimes there have been, and of the environment: a hint. */
extern ATOMIC(uint32_t) filch__debug_checks;

/* Whether any runtime makes one of the checks. For slow paths. */
static inline bool filch__debug_has(uint32_t checks) {
    return unlikely(load_relaxed(&filch__debug_checks) & checks); /* set before the runtime is there */
}

/*
 * Adds what the words ask for. False: one is unknown, and a line has told so, unless `source` (where they come from) is
 * NULL; the others count.
 */
bool filch__debug_read(struct filch__debug *debug, const char *words, const char *source);

/* What FILCH_DEBUG asks for. The first call tells of words that are unknown. */
void filch__debug_of_environment(struct filch__debug *debug);

/* Before the runtime's threads are made: has ready what its checks need. */
void filch__debug_begin(struct filch_runtime *runtime);

/* Its threads have ended: tells what is left. */
void filch__debug_end(struct filch_runtime *runtime);

/* The caller is no task, and `call` is for tasks: -EPERM. */
int filch__debug_no_task(const char *call);

/* In the child of a fork. */
void filch__debug_forget(void);

#endif
