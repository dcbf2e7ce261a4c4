/* SPDX-License-Identifier: MIT */
/*
 * What is held or open, kept in debug mode alone: locks by the tasks that hold them, who holds which to read, channels that
 * tasks have made, scopes that threads have opened. An object that was given away without its last call stays in the ledger, and is told of; its
 * memory is not looked at, but for channels, which are the library's.
 */
#ifndef FILCH_SCHED_LEDGER_H
#define FILCH_SCHED_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filch__complaint;
struct filch_runtime;
struct filch_task;

/* The calling task has taken a lock ("mutex"), or leaves it. No latch is held. */
void filch__ledger_taken(const char *kind, const void *lock);
void filch__ledger_left(const void *lock);

/*
 * The calling task holds a lock to read (false: that is not noted), and does no more; `last`: nobody does any more. Who has it
 * left by another, or ends without, is named as a reader until then.
 */
bool filch__ledger_reads(const void *lock);
void filch__ledger_reads_no_more(const void *lock, bool last);

/* One who holds the lock to read, if one is known. For reports; takes no latch. */
bool filch__ledger_reader(const void *lock, const void **task, char name[32]);

/* `task`, one of a watched worker, ends: tells of what it holds. */
void filch__ledger_task_ends(struct filch_task *task);

/*
 * The calling task has made a channel, of which `describe` adds to a line what is to be said of it; it is destroyed, with so
 * many values inside.
 */
void filch__ledger_made(const void *chan, void (*describe)(const void *chan, struct filch__complaint *complaint));
void filch__ledger_destroyed(const void *chan, size_t values);

/* The calling thread, which is no worker, has opened a scope of `runtime`; somebody closes one. */
void filch__ledger_opened(const void *scope, struct filch_runtime *runtime);
void filch__ledger_closed(const void *scope);

/* The runtime ends: tells of what is left, where that is asked for, and forgets it. */
void filch__ledger_end(struct filch_runtime *runtime);

/* In the child of a fork. */
void filch__ledger_forget(void);

#endif
