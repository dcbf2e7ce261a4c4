/* SPDX-License-Identifier: MIT */
/*
 * The runtimes of the process, for who asks about all of them: dumps, and the signal that asks for one.
 *
 * They stand in a table. Who goes through it counts itself (`visits`), and a runtime that ends takes itself out of the
 * table and then waits until nobody is counted: so a visitor, also a signal handler, sees runtimes that are there. Between
 * the two nobody waits for a runtime to end, or ends one.
 *
 * Edge
 *   VISIT   a visitor: visits (seq_cst), then the table (seq_cst)  <->  a runtime's end: the table (seq_cst), then visits
 *           (seq_cst): it is not seen, or waited for
 */
#ifndef FILCH_SCHED_QUIT_H
#define FILCH_SCHED_QUIT_H

#include <stdbool.h>

struct filch_runtime;

/* From the end of its making to the beginning of its end. More than there is room for are left out. */
void filch__runtimes_add(struct filch_runtime *runtime);
void filch__runtimes_remove(struct filch_runtime *runtime);

/* In the child of a fork: none of the parent's is there, and nobody who was visiting them. */
void filch__runtimes_forget(void);

/* Calls `visit` for each, until it returns other than 0, and returns that. */
int filch__runtimes_each(int (*visit)(struct filch_runtime *runtime, void *arg), void *arg);

/*
 * A runtime has been made; its monitor is no more. The first installs the handler of SIGQUIT, unless the program has one, or
 * does not want it, and the last puts back what was there before.
 */
void filch__quit_watch(void);
void filch__quit_unwatch(void);

/* In the child of a fork, which has no runtime: likewise. */
void filch__quit_forget(void);

/* Whether a dump is wanted. */
bool filch__quit_is_asked(void);

/* By a monitor: makes the dump that the signal has asked for, if it has. */
void filch__quit_serve(void);

#endif
