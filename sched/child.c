/* SPDX-License-Identifier: MIT */
#include "sched/child.h"

#include <pthread.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "sched/worker.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ATOMIC(uint32_t) number; /* counts forks; written while there is one thread */
static ATOMIC(int32_t) runtimes;

static void in_child(void) {
    store_relaxed(&number, load_relaxed(&number) + 1);
    store_relaxed(&runtimes, 0);
    filch__worker_set_current(NULL);
}

static void watch(void) {
    pthread_atfork(NULL, NULL, in_child);
}

uint32_t filch__process_number(void) {
    pthread_once(&once, watch);
    return load_relaxed(&number); /* constant in a process */
}

void filch__process_count(int change) {
    add_relaxed(&runtimes, change); /* a count and no more */
}

bool filch__process_is_forsaken(void) {
    return load_relaxed(&number) != 0 && load_relaxed(&runtimes) == 0; /* as above */
}

_Noreturn void filch__process_die(const char *what) {
    filch__die("fork: %s in the child of a fork, which has none of its parent's workers: the child of a process with a "
               "runtime must call exec or _exit, or make a runtime of its own",
               what);
}
