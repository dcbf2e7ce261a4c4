/* SPDX-License-Identifier: MIT */
/* Two threads with a mutex and a condition variable for each direction. */
#include "../common/thread.h"
#include "wake_foreign.h"

struct condition_wire {
    struct wire wire;
    struct {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool set;
    } side[2];
};

static void wake(struct wire *wire, bool back) {
    struct condition_wire *self = (struct condition_wire *)wire;
    pthread_mutex_lock(&self->side[back].lock);
    self->side[back].set = true;
    pthread_cond_signal(&self->side[back].changed);
    pthread_mutex_unlock(&self->side[back].lock);
}

static void wait(struct wire *wire, bool back) {
    struct condition_wire *self = (struct condition_wire *)wire;
    pthread_mutex_lock(&self->side[back].lock);
    while (!self->side[back].set) pthread_cond_wait(&self->side[back].changed, &self->side[back].lock);
    self->side[back].set = false;
    pthread_mutex_unlock(&self->side[back].lock);
}

static void *answer(void *arg) {
    wire_answer(arg);
    return NULL;
}

void condition_block(double *sample, int64_t count) {
    struct condition_wire self = {.wire = {wake, wait, count, 0}};
    for (int i = 0; i < 2; i++) {
        pthread_mutex_init(&self.side[i].lock, NULL);
        pthread_cond_init(&self.side[i].changed, NULL);
    }
    pthread_t thread = thread_start(answer, &self.wire);
    wire_ask(&self.wire, sample);
    pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++) {
        pthread_cond_destroy(&self.side[i].changed);
        pthread_mutex_destroy(&self.side[i].lock);
    }
}
