/* SPDX-License-Identifier: MIT */
/* Stacks as the tools see them: described when they come to be, forgotten before they go. */
#include <pthread.h>

#include "context/tools.h"

void filch__fiber_init(struct filch__fiber *fiber, void *low, size_t size) {
    fiber->low = low;
    fiber->size = size;
    fiber->thread = false;
    tasksan_make(fiber, NULL);
    tsan_make(fiber);
    asan_make(fiber);
    valgrind_make(fiber);
}

void filch__fiber_fini(struct filch__fiber *fiber) {
    valgrind_forget(fiber);
    asan_forget(fiber);
    tsan_forget(fiber);
}

/* Where the bounds cannot be had (no memory for the attributes) they are empty: only the tools need them. */
void filch__fiber_init_thread(struct filch__fiber *fiber) {
    void *low = NULL;
    size_t size = 0;
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &low, &size);
        pthread_attr_destroy(&attributes);
    }
    fiber->low = low;
    fiber->size = size;
    fiber->thread = true;
    tasksan_make(fiber, tasksan_thread());
    tsan_make(fiber);
    asan_make(fiber);
    valgrind_make(fiber);
}
