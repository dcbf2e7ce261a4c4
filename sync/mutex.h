/* SPDX-License-Identifier: MIT */
/* What condition variables need of mutexes. Private to sync/. */
#ifndef FILCH_SYNC_MUTEX_H
#define FILCH_SYNC_MUTEX_H

#include <filch/mutex.h>

/* Aborts, naming `call`, unless the caller holds `mutex`. */
void filch__mutex_must_hold(filch_mutex *mutex, const char *call);

/* Locks `mutex`, whatever is cancelled and however long it takes; for a task that is `watched`, as sched/debug.h says. */
void filch__mutex_lock_through(filch_mutex *mutex, bool watched);

#endif
