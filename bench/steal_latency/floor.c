/* SPDX-License-Identifier: MIT */
/* The floor: a thread that is told by a word in memory, while it sleeps on that word or while it spins on it. */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../base/atomic.h"
#include "steal_latency.h"

enum { STOP = -1 };

struct floor_thread {
    uint32_t told cache_aligned; /* atomic: how many launches there were */
    struct probe *probe;         /* of the last launch; published by `told` */
    int mode cache_aligned;      /* atomic: the state to wait in after the next launch, or STOP */
    pthread_t thread;
};

static void wait_for_change(struct floor_thread *self, uint32_t seen, int mode) {
    while (load_acquire(&self->told) == seen)
        if (mode == STATE_PARKED) syscall(SYS_futex, &self->told, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void *run_probes(void *arg) {
    struct floor_thread *self = arg;
    uint32_t seen = 0;
    for (int mode = STATE_PARKED; mode != STOP; mode = load_acquire(&self->mode)) {
        wait_for_change(self, seen, mode);
        seen++;
        probe_begin(self->probe);
    }
    return NULL;
}

struct floor_launcher {
    struct launcher launcher;
    struct floor_thread *floor_thread;
    enum state state; /* that the thread waits in */
};

static void launch(struct launcher *self, struct probe *probe) {
    struct floor_launcher *launcher = (struct floor_launcher *)self;
    struct floor_thread *floor_thread = launcher->floor_thread;
    floor_thread->probe = probe;
    store_release(&floor_thread->told, floor_thread->told + 1);
    if (launcher->state == STATE_PARKED) syscall(SYS_futex, &floor_thread->told, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void settle(struct launcher *self, struct probe *probe) {
    (void)self;
    while (load_acquire(&probe->began_ns) == 0) {
    }
}

/* Lets the thread wait in another state from now on; a launch that is not measured brings it there. */
static void change_mode(struct floor_thread *floor_thread, enum state from, int to) {
    struct floor_launcher launcher = {{launch, settle}, floor_thread, from};
    struct probe probe = {0};
    store_release(&floor_thread->mode, to);
    launch(&launcher.launcher, &probe);
    settle(&launcher.launcher, &probe);
}

void floor_sample(struct floor_thread *floor_thread, struct latencies *latencies, enum state state, int64_t count) {
    struct floor_launcher launcher = {{launch, settle}, floor_thread, state};
    if (state != STATE_PARKED) change_mode(floor_thread, STATE_PARKED, (int)state);
    for (int64_t i = 0; i < count; i++) latency_sample(latencies, state, &launcher.launcher);
    if (state != STATE_PARKED) change_mode(floor_thread, state, STATE_PARKED);
}

struct floor_thread *floor_start(void) {
    struct floor_thread *floor_thread = aligned_alloc(CACHE_LINE, sizeof *floor_thread);
    if (!floor_thread) fail("no memory");
    *floor_thread = (struct floor_thread){.mode = STATE_PARKED};
    if (pthread_create(&floor_thread->thread, NULL, run_probes, floor_thread)) fail("the system gives no thread");
    return floor_thread;
}

void floor_stop(struct floor_thread *floor_thread) {
    change_mode(floor_thread, STATE_PARKED, STOP);
    pthread_join(floor_thread->thread, NULL);
    free(floor_thread);
}
