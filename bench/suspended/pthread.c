/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../common/thread.h"
#include "suspended.h"

/* Where the threads wait. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int64_t waiting, wanted;
static bool open_now;
static struct point all_wait;

static void *wait_for_gate(void *arg) {
    (void)arg;
    pthread_mutex_lock(&lock);
    if (++waiting == wanted) {
        all_wait = point_now();
        open_now = true;
        pthread_cond_broadcast(&changed);
    }
    while (!open_now) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return NULL;
}

uint64_t suspended_pthread(struct run *run) {
    pthread_t *threads = must_alloc((uint64_t)run->n * sizeof *threads);
    for (int64_t i = 0; i < run->n; i++) threads[i] = pthread_self();
    wanted = run->n;
    struct point from = point_now();
    for (int64_t i = 0; i < run->n; i++) threads[i] = thread_start(wait_for_gate, NULL);
    for (int64_t i = 0; i < run->n; i++) pthread_join(threads[i], NULL);
    charge(run, &from, &all_wait);
    free(threads);
    return (uint64_t)waiting;
}
