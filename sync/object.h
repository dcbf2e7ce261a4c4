/* SPDX-License-Identifier: MIT */
/* What the primitives say of themselves when they are misused. */
#ifndef FILCH_SYNC_OBJECT_H
#define FILCH_SYNC_OBJECT_H

#include <filch/task.h>

#include "base/assert.h"
#include "sched/sched.h"

/* The name of the task that has called, for the line that filch__die writes. */
static inline const char *caller_name(void) {
    return filch_task_name(filch_self());
}

/*
 * The check of each _fini: that nobody waits in `list`. It takes the latch, and so comes after whoever still had it
 * when the caller learned that the object is not needed any more.
 */
static inline void object_end(struct filch__latch *latch, const struct filch__waitlist *list, const char *kind,
                              const void *object) {
    filch__latch_take(latch);
    bool waited_at = !filch__waitlist_is_empty(list);
    filch__latch_leave(latch);
    if (waited_at) filch__die("%s %p ended while somebody waits at it, by task \"%s\"", kind, object, caller_name());
}

#endif
