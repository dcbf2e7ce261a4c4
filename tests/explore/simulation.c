/* SPDX-License-Identifier: MIT */
/* There is no simulation within the explorer, which is one of its own: nothing of these is ever called. */
#include "sched/sim.h"

#include <stdlib.h>

#include "base/stand_in.h"

ATOMIC(const struct filch__stand_in *) filch__stand_in;

int filch__sim_from_environment(filch_simulation *simulation, unsigned *workers, bool *asked) {
    (void)simulation, (void)workers;
    *asked = false;
    return 0;
}

struct filch_runtime *filch__sim_take_runtime(unsigned worker_count) {
    (void)worker_count;
    abort();
}

bool filch__sim_keep_runtime(struct filch_runtime *runtime) {
    (void)runtime;
    abort();
}

bool filch__sim_is_mine(void) {
    return false;
}

void filch__sim_pass(int64_t until_ns) {
    (void)until_ns;
}

int filch__sim_begin(const filch_simulation *simulation) {
    (void)simulation;
    abort();
}

void filch__sim_end(void) {
    abort();
}

int filch__sim_start(struct filch__worker *worker, void *(*fn)(void *), struct filch__fiber *fiber) {
    (void)worker, (void)fn, (void)fiber;
    abort();
}

void filch__sim_join(struct filch__worker *worker) {
    (void)worker;
    abort();
}

void filch__sim_point(void) {
    abort();
}

void filch__sim_yield(void) {
    abort();
}

uint32_t filch__sim_choose(uint32_t count) {
    (void)count;
    abort();
}

void filch__sim_refuse(const char *what) {
    (void)what;
    abort();
}

bool filch__sim_is_stuck(void) {
    abort();
}

int filch__sim_call_outside(filch_fn *fn, void *arg) {
    (void)fn, (void)arg;
    abort();
}
