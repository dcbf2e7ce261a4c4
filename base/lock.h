/* SPDX-License-Identifier: MIT */
/* A mutual-exclusion lock for the library's slow paths: pthread's, or the explorer's own under FILCH_EXPLORE. */
#ifndef FILCH_BASE_LOCK_H
#define FILCH_BASE_LOCK_H

#include <pthread.h>

#ifdef FILCH_EXPLORE

#include "base/atomic.h"

struct filch__lock {
    ATOMIC(uint32_t) taken;
};

static inline void filch__lock_init(struct filch__lock *lock) {
    lock->taken = 0;
}

static inline void filch__lock_fini(struct filch__lock *lock) {
    (void)lock;
}

static inline void filch__lock_take(struct filch__lock *lock) {
    while (exchange_acquire(&lock->taken, 1) != 0) spin_pause();
}

static inline void filch__lock_leave(struct filch__lock *lock) {
    store_release(&lock->taken, 0);
}

#else

#include "base/tasksan.h"

/* Its order is the library's own: no task is in order with another because both went through a queue. */
struct filch__lock {
    pthread_mutex_t mutex;
};

static inline void filch__lock_init(struct filch__lock *lock) {
    unseen_begin();
    pthread_mutex_init(&lock->mutex, NULL);
    unseen_end();
}

static inline void filch__lock_fini(struct filch__lock *lock) {
    unseen_begin();
    pthread_mutex_destroy(&lock->mutex);
    unseen_end();
}

static inline void filch__lock_take(struct filch__lock *lock) {
    unseen_begin();
    pthread_mutex_lock(&lock->mutex);
    unseen_end();
}

static inline void filch__lock_leave(struct filch__lock *lock) {
    unseen_begin();
    pthread_mutex_unlock(&lock->mutex);
    unseen_end();
}

#endif

#endif
