/* SPDX-License-Identifier: MIT */
/* Choices for the layers above: by the generator of the worker that runs the caller, or by a counter for threads. */
#include "base/stand_in.h"
#include "sched/sched.h"
#include "sched/worker.h"

uint32_t filch__choose_here(enum filch__choice kind, uint32_t count) {
    struct filch__worker *worker = filch__worker_current();
    if (likely(worker != NULL)) return filch__choose(&worker->random, kind, count);
    const struct filch__stand_in *stand_in = filch__stand_in_now();
    if (unlikely(stand_in != NULL) && stand_in->is_mine()) return stand_in->choose(count);
    static ATOMIC(uint64_t) choices; /* relaxed: all that matters is that each gets a number of its own */
    struct filch__random random;
    filch__random_init(&random, add_relaxed(&choices, 1), 0);
    return filch__choose(&random, kind, count);
}
