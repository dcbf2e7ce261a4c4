/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for the monitor, the helper threads and the thread that waits for Ctrl-C, of which explored runtimes have none:
 * the monitor goes by a clock, and what it reads is glances. `filch__runqueue_share`, which it relies on, is explored on its own.
 */
#include <stdlib.h>

#include "sched/quit.h"
#include "sched/runtime.h"

int filch__monitor_start(struct filch_runtime *runtime) {
    (void)runtime;
    return 0;
}

void filch__monitor_stop(struct filch_runtime *runtime) {
    (void)runtime;
}

int filch__interrupt_start(struct filch_runtime *runtime) {
    (void)runtime;
    return 0;
}

void filch__interrupt_stop(struct filch_runtime *runtime) {
    (void)runtime;
}

void filch__monitor_stir(struct filch_runtime *runtime) {
    (void)runtime;
}

void filch__blocking_init(struct filch__blocking *blocking, struct filch_runtime *runtime, unsigned limit) {
    (void)blocking;
    (void)runtime;
    (void)limit;
}

void filch__blocking_stop(struct filch__blocking *blocking) {
    (void)blocking;
}

void filch__block_die(const struct filch__worker *worker, const char *what) {
    (void)worker;
    (void)what;
    abort();
}

/* Explored runtimes are not in the table that dumps go by. */
void filch__quit_watch(void) {
}

void filch__quit_unwatch(void) {
}

void filch__quit_forget(void) {
}

void filch__runtimes_add(struct filch_runtime *runtime) {
    (void)runtime;
}

void filch__runtimes_remove(struct filch_runtime *runtime) {
    (void)runtime;
}

void filch__runtimes_forget(void) {
}
