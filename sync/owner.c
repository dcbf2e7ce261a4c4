/* SPDX-License-Identifier: MIT */
#include "sync/owner.h"

#include <pthread.h>
#include <stdio.h>

#include "base/stand_in.h"
#include "sched/region.h"

_Static_assert((int)OWNER_FLAG == (int)REGION_OPEN && (int)OWNER_CHILD == (int)REGION_CHILD,
               "the word of a strand that is in no scope is its owner's word");

/* All simulated threads are one of the system's. */
uintptr_t filch__owner_thread(void) {
    const struct filch__stand_in *stand_in = filch__stand_in_now();
    if (unlikely(stand_in != NULL) && stand_in->is_mine()) return (uintptr_t)stand_in->thread() | OWNER_THREAD;
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
