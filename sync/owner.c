/* SPDX-License-Identifier: MIT */
#include "sync/owner.h"

#include <pthread.h>
#include <stdio.h>

#include "base/stand_in.h"
#include "sched/region.h"

_Static_assert((int)OWNER_FLAG == (int)REGION_OPEN && (int)OWNER_CHILD == (int)REGION_CHILD,
               "the word of a strand that is in no scope is its owner's word");

/* All simulated threads are one of the system's, which is none of them: it has its own word before, within and after. */
uintptr_t filch__owner_thread(void) {
    const struct filch__stand_in *stand_in = filch__stand_in_now();
    void *simulated = unlikely(stand_in != NULL) && stand_in->is_mine() ? stand_in->thread() : NULL;
    if (simulated != NULL) return (uintptr_t)simulated | OWNER_THREAD;
    return (uintptr_t)pthread_self() | OWNER_THREAD;
}

const char *filch__owner_write(uintptr_t owner, char text[OWNER_TEXT]) {
    uintptr_t address = owner & ~(uintptr_t)(OWNER_FLAG | OWNER_CHILD | OWNER_THREAD);
    if (owner & OWNER_THREAD) {
        snprintf(text, OWNER_TEXT, "thread %#lx", (unsigned long)address);
    } else {
        const struct filch_task *task = (const struct filch_task *)address;
        snprintf(text, OWNER_TEXT, "%s %p \"%.31s\"", owner & OWNER_CHILD ? "a forked call of task" : "task",
                 (const void *)task, filch_task_name(task));
    }
    return text;
}
