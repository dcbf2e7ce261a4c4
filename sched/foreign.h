/* SPDX-License-Identifier: MIT */
/*
 * Locks of pthread's that are held across a wait: libfilch-debug.so (debug/locks.c), if it is there, knows which the thread
 * holds.
 */
#ifndef FILCH_SCHED_FOREIGN_H
#define FILCH_SCHED_FOREIGN_H

#include <stdbool.h>

struct filch__waiter;

/* Looks for the library; where it is not there, says so if that is `wanted`. */
void filch__foreign_prepare(bool wanted);

/* The calling task is about to give its worker up, for `reason`: tells of the locks that it has taken, each once. */
void filch__foreign_look(const char *reason, const void *object);

#endif
