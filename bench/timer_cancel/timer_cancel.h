/* SPDX-License-Identifier: MIT */
/*
 * A wait with a deadline far away is granted before: n timers are set and removed, none fires.
 *
 * In filch a timer is part of a wait, so one operation is a wait: a task acquires a semaphore, that is it takes a
 * latch, queues up, reads the clock to see that the deadline has not passed, sets the timer, parks; another task of the
 * same worker releases the semaphore and yields; the first goes on and removes the timer. `timer_ns` is what of that
 * the deadline adds: the same waits are made without one, in the same round. There are as many such pairs as workers.
 *
 * The deadline is made once: reading the clock to make one is not counted. Peers whose timers stand alone do less.
 */
#ifndef BENCH_TIMER_CANCEL_TIMER_CANCEL_H
#define BENCH_TIMER_CANCEL_TIMER_CANCEL_H

#include "../common/bench.h"

round_fn timer_cancel_serial, timer_cancel_filch;

#endif
