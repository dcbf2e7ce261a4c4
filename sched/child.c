/* SPDX-License-Identifier: MIT */
#include "sched/child.h"

#include <pthread.h>
#include <stddef.h>

#include "alloc/heap.h"
#include "base/assert.h"
#include "sched/debug.h"
#include "sched/quit.h"
#include "sched/region.h"
#include "sched/trace.h"
#include "sched/worker.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
ATOMIC(uint32_t) filch__process_forks;
static ATOMIC(int32_t) runtimes;

static void in_child(void) {
    filch__heap_after_fork();
    store_relaxed(&filch__process_forks, filch__process_number() + 1);
    store_relaxed(&runtimes, 0);
    filch__runtimes_forget();
    filch__quit_forget();
    filch__debug_forget();
    filch__trace_forget();
    filch__cancelling_forget();
    filch__worker_set_current(NULL);
}

static void watch(void) {
    pthread_atfork(filch__heap_before_fork, filch__heap_after_fork, in_child);
}

void filch__process_watch(void) {
    pthread_once(&once, watch);
}

void filch__process_count(int change) {
    add_relaxed(&runtimes, change); /* a count and no more */
}

bool filch__process_is_forsaken(void) {
    return filch__process_number() != 0 && load_relaxed(&runtimes) == 0; /* a count */
}

_Noreturn void filch__process_die(const char *what) {
    filch__die("fork: %s in the child of a fork, which has none of its parent's workers: the child of a process with a "
               "runtime must call exec or _exit, or make a runtime of its own",
               what);
}
