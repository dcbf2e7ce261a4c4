/* SPDX-License-Identifier: MIT */
/*
 * The one thread-local variable of the scheduler: the hot part of the worker that the thread is. It is written here and
 * read by filch__here in filch/fork.h alone. A thread that is no worker's has a hot part too, shared by all such threads,
 * so that fork and join need no test for it on their inline paths: its list is never private, so that these go on to the
 * slow paths; what they write to `young` before that is of no meaning to anyone.
 */
#include "sched/worker.h"

struct filch__hot filch__nobody = {.mode = DEQUE_SHARED};

extern FILCH_API _Thread_local struct filch__hot *filch__current __attribute__((tls_model("initial-exec")));
__attribute__((used)) _Thread_local struct filch__hot *filch__current = &filch__nobody;

extern FILCH_API int filch__code_motion;
__attribute__((used)) int filch__code_motion = 0;

void filch__worker_set_current(struct filch__worker *worker) {
    filch__current = worker == NULL ? &filch__nobody : &worker->deque.hot;
}

#ifndef FILCH__HERE_INLINE

/* For processors that filch/fork.h has no assembly for. */
never_inline struct filch__hot *filch__here(void) {
    struct filch__hot *volatile *address = &filch__current;
    __asm__ volatile("" : "+r"(address));
    return *address;
}

#endif
