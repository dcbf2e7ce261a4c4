/* SPDX-License-Identifier: MIT */
/*
 * The memory of a runtime's workers, and of its tasks: their records and their stacks. It stands in the runtime; but of
 * simulations that follow one another the next has the runtime of the last (sched/sim.h), whose stock is as good as new,
 * since to make one takes much longer than a short schedule.
 */
#ifndef FILCH_SCHED_STOCK_H
#define FILCH_SCHED_STOCK_H

#include "alloc/alloc.h"

struct filch__worker;

struct filch__stock {
    unsigned worker_count;
    struct filch__worker *workers; /* zeroed, but for their timers, which are as filch__timers_renew wants them */
    struct filch__slab_depot tasks;
    struct filch__slab_depot extras;
    struct filch__stack_pool stacks;
};

/* 0 or -ENOMEM. `stock` is zeroed, and is so again after a failure. */
int filch__stock_init(struct filch__stock *stock, unsigned worker_count);

/* The workers have been finished: their caches are drained, and all stacks given back. Nothing, if it was not made. */
void filch__stock_fini(struct filch__stock *stock);

/* Makes it as good as new. False: a record is still out, for a handle that was never given up. */
bool filch__stock_renew(struct filch__stock *stock);

#endif
