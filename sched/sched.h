/* SPDX-License-Identifier: MIT */
/* The door of sched/ for the layers above it: to park and to wake, and a hint for splitting work. */
#ifndef FILCH_SCHED_SCHED_H
#define FILCH_SCHED_SCHED_H

#include "sched/park.h"

/*
 * Whether somebody could take a forked child now: all that this worker has offered is gone. False outside tasks, and for
 * a runtime's only worker.
 */
bool filch__fork_wanted(void);

#endif
