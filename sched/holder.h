/* SPDX-License-Identifier: MIT */
/*
 * Who holds what a task of a snapshot waits for.
 *
 * A lock knows its owner by the address of its record, and by nothing else. So a task that has ended with the lock in its
 * hands is told as ended as long as nobody has its record; the next one to get that record cannot be told from it.
 */
#ifndef FILCH_SCHED_HOLDER_H
#define FILCH_SCHED_HOLDER_H

struct filch__seen;
struct filch__snapshot;

/* Of a task that waits, and does not go on meanwhile: who holds what it waits for. */
void filch__holder_look(struct filch__seen *seen);

/* Afterwards, of all: finds those holders that are in no snapshot, since they have ended, began later, or are another runtime's. */
void filch__holders_find(struct filch__snapshot *snapshot);

#endif
