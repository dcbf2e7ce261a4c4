/* SPDX-License-Identifier: MIT */
/* Threads that wait for a condition. */
#include <time.h>

#include "../common/thread.h"
#include "idle.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool over;

static void *wait_for_work(void *arg) {
    (void)arg;
    pthread_mutex_lock(&lock);
    while (!over) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return NULL;
}

uint64_t idle_pthread(struct run *run) {
    pthread_t threads[IDLE_WORKERS];
    for (int i = 0; i < IDLE_WORKERS; i++) threads[i] = thread_start(wait_for_work, NULL);
    int64_t before = idle_cpu_ns();
    struct timespec duration = {run->n / 1000, run->n % 1000 * 1000000};
    nanosleep(&duration, NULL);
    uint64_t checksum = idle_charge(run, before);
    pthread_mutex_lock(&lock);
    over = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < IDLE_WORKERS; i++) pthread_join(threads[i], NULL);
    return checksum;
}
