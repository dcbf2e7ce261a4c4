/* SPDX-License-Identifier: MIT */
#include <filch/time.h>

#include "base/clock.h"
#include "sched/worker.h"

/* Reads the clock, and tells the worker, if there is one. */
static int64_t look(void) {
    int64_t now_ns = filch__clock_now();
    struct filch__worker *worker = filch__worker_current();
    return worker == NULL ? now_ns : filch__timers_saw(&worker->timers, now_ns);
}

int64_t filch_now(void) {
    return look();
}

filch_deadline filch_after(int64_t duration_ns) {
    return (filch_deadline){filch__clock_add(look(), duration_ns)};
}
