/* SPDX-License-Identifier: MIT */
/* Taking work from other workers. Private to sched/. */
#ifndef FILCH_SCHED_STEAL_H
#define FILCH_SCHED_STEAL_H

#include <stdbool.h>

struct filch__worker;
struct filch_runtime;

/*
 * One look at the inject queue and at every other worker, in random order: the old end of its deque, the older half of
 * its run queue, its next slot. Asks closed deques to be opened. An item, or NULL.
 */
void *filch__steal_round(struct filch__worker *worker);

/* Looks at one other worker, the next at each call, and takes something if there is something to be seen, or NULL. */
void *filch__steal_glance(struct filch__worker *worker);

/* Whether there is an item anywhere in the runtime that a worker could take. For the looks of the idle protocol. */
bool filch__steal_in_sight(struct filch_runtime *runtime);

#endif
