/* SPDX-License-Identifier: MIT */
/*
 * The simulation: threads that are stacks in one thread of the system, and a clock that is a number. Its inside is in
 * sched/sim.c; what it promises is in filch/simulation.h.
 *
 * Simulated are the thread that has made the first simulated runtime (the host), and the workers of all of them. A worker
 * cannot tell: what it asks of the system it asks by base/futex.h and base/clock.h, which stand in for it, and at points
 * (filch__sim_point) it may be left for another. Nothing is left between two points, as if all in between were one
 * instruction: so there is never a lock or a latch that somebody else holds, and no point may stand where one is held.
 */
#ifndef FILCH_SCHED_SIM_H
#define FILCH_SCHED_SIM_H

#include <filch/simulation.h>

#include "context/context.h"

struct filch__worker;

/*
 * From here on the calling thread's simulations follow one another in a row, until it says that the row ends. What takes
 * long to make is kept from one for the next, and has no part in a schedule (sched/stock.h). 0, -ENOMEM, -EBUSY:
 * somebody else has a simulation, or it is within one; or -EDEADLK, as filch__sim_begin.
 */
int filch__sim_row_begin(bool tells_stuck);
void filch__sim_row_end(void);

/* What a simulated runtime of the row has left for such as has as many workers, zeroed but for its stock; or NULL. */
struct filch_runtime *filch__sim_take_runtime(unsigned worker_count);

/* Keeps it for the next. False: the caller is to free it. */
bool filch__sim_keep_runtime(struct filch_runtime *runtime);

/* The words FILCH_SIM=... of the environment, or NULL: none. -EINVAL where they cannot be read. */
int filch__sim_from_environment(filch_simulation *simulation, unsigned *workers, bool *asked);

/* Whether the calling thread is simulated, or the host: then what it makes is simulated, too. */
bool filch__sim_is_mine(void);

/*
 * Another simulated runtime begins: with the first, the simulation, and the caller becomes its host. 0, -ENOMEM, -EBUSY:
 * there is one, and the caller is not of it; or -EDEADLK: the caller is a task of a runtime that is not simulated. As the
 * host its worker would have to run the others whenever the task waits; but then it runs its own tasks.
 */
int filch__sim_begin(const filch_simulation *simulation);

/* ... and has ended: with the last, the simulation, which tells of itself. */
void filch__sim_end(void);

/* Starts a simulated thread, for a worker; `fiber` is to describe its stack. 0 or -ENOMEM. */
int filch__sim_start(struct filch__worker *worker, void *(*fn)(void *), struct filch__fiber *fiber);

/* Waits until the worker's thread has returned. */
void filch__sim_join(struct filch__worker *worker);

/* Here another simulated thread may go on. Only where filch__sim_is_on. */
void filch__sim_point(void);

/* The same, where the caller has nothing to do but wait for others. */
void filch__sim_yield(void);

/*
 * The caller has nothing to do but to look again. Where no other thread can go on, the clock does, up to the next deadline of
 * a thread or to `until_ns`, which are awaited by looking; but by a millisecond at the most, for who looks at the clock.
 */
void filch__sim_pass(int64_t until_ns);

/* A number below `count`, and part of the schedule. */
uint32_t filch__sim_choose(uint32_t count);

/* Tells, once in a simulation, that there is no `what` in it. */
void filch__sim_refuse(const char *what);

/* By the thread of a row, between two of its simulations: whether what the last one had made has ended. */
bool filch__sim_is_over(void);

/* Whether all were found to wait for ever. Then all is cancelled. */
bool filch__sim_is_stuck(void);

/* Calls `fn(arg)` as a thread that is no worker. */
int filch__sim_call_outside(filch_fn *fn, void *arg);

#endif
