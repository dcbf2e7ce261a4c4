/* SPDX-License-Identifier: MIT */
/*
 * Task-locals: values that belong to a task, and that the tasks it spawns inherit: for a request's identity, a tracing
 * context, a user. (asyncio's contextvars; C's thread-locals do not serve, since a task changes threads.)
 *
 *     static filch_local request_id;                    a key: static, zeroed; its address is what counts
 *     filch_local_set(&request_id, id, free);
 *     char *id = filch_local_get(&request_id);          here, and in whatever this task spawns from now on
 *
 * A task that is spawned sees what its spawner had set by then; what either sets later is its own. Forked children are
 * strands of their task, and share its values. A value lives until no task has it any more; then its destructor is
 * called, on any thread, and must not wait.
 */
#ifndef FILCH_LOCAL_H
#define FILCH_LOCAL_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

/* A key. */
typedef struct filch_local {
    char filch__unused;
} filch_local;

/*
 * Sets the caller's value of `key`; NULL: none. `destroy`, if not NULL, is called with the value once no task has it.
 *
 * Returns  0
 *          -EINVAL  `key` is NULL
 *          -ENOMEM  no memory; the value before stays, and this one is still the caller's
 *          -EPERM   the caller is not a task
 * Call     from a task
 * Waits    no, but for the destructor of the value before
 */
FILCH_API FILCH_CHECK int filch_local_set(const filch_local *key, void *value, void (*destroy)(void *value));

/*
 * The caller's value of `key`, or NULL. It may be used until the task sets another (a forked child of it may), or ends.
 * From anywhere (NULL outside tasks); does not wait.
 */
FILCH_API void *filch_local_get(const filch_local *key);

FILCH_END_DECLS

#endif
