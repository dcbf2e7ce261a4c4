/* SPDX-License-Identifier: MIT */
/* What every wait with a deadline does at least: a look at the clock. */
#include "timer_cancel.h"

uint64_t timer_cancel_serial(struct run *run) {
    int64_t deadline = now_ns() + INT64_C(3600) * 1000000000;
    uint64_t in_time = 0;
    for (int64_t i = 0; i < run->n; i++) in_time += now_ns() < deadline;
    return in_time;
}
