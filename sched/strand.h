/* SPDX-License-Identifier: MIT */
/*
 * What ThreadSanitizer is told where tasks and forked calls begin and end: see base/tasksan.h. Nothing in other builds.
 *
 * Edges
 *   the spawn -> the task          the task's `fn`; set by the spawn
 *   the task's end -> its awaiter  the task's `end`, or, where the record may be used anew before the awaiter looks, what
 *                                  the awaiter waits in: its waiter, or its set
 *   the task's end -> runtime's    the runtime
 *   the fork -> the call           the frame
 *   the call's end -> the join     the frame's join word
 */
#ifndef FILCH_SCHED_STRAND_H
#define FILCH_SCHED_STRAND_H

#include <filch/fork.h>
#include <stdbool.h>

#include "base/tasksan.h"

struct filch_task;
struct filch__stack;
struct filch__worker;

#ifdef FILCH_TASKSAN

/* A loop that begins on `stack` is the thread's own, as are all of them. */
void filch__strand_start_stack(struct filch__worker *worker, struct filch__stack *stack);

/* Around the call of a task's function; `on_loop`: by the loop, and not in place by another task. */
void filch__strand_enter(struct filch__tasksan_call *call, struct filch__worker *worker, struct filch_task *task,
                         bool on_loop);
void filch__strand_leave(struct filch__tasksan_call *call);

/* Around the call of a frame. */
void filch__frame_enter(struct filch__tasksan_call *call, struct filch__worker *worker, filch_frame *frame,
                        bool on_loop);
void filch__frame_leave(struct filch__tasksan_call *call, filch_frame *frame);

/* Makes the call of a frame in place, as one that is parallel to what its parent did since the fork. */
int filch__frame_call_here(struct filch__worker *worker, filch_frame *frame);

#else

#define filch__strand_start_stack(worker, stack) ((void)(worker), (void)(stack))
#define filch__strand_enter(call, worker, task, on_loop) ((void)(call), (void)(worker), (void)(task))
#define filch__strand_leave(call) ((void)(call))
#define filch__frame_enter(call, worker, frame, on_loop) ((void)(call), (void)(worker), (void)(frame))
#define filch__frame_leave(call, frame) ((void)(call), (void)(frame))

#endif

#endif
