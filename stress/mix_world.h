/* SPDX-License-Identifier: MIT */
/*
 * A round of stress/wait_mix.c as its main thread sees it: the objects are made, looked at when nobody moves, nudged so
 * that those who wait go on, closed, and asked whether all that went in has come out.
 */
#ifndef FILCH_STRESS_MIX_WORLD_H
#define FILCH_STRESS_MIX_WORLD_H

#include "stress/mix.h"

static int priority(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void world_make(filch_runtime *runtime) {
    static const size_t capacities[CHANS] = {0, 0, 1, 3, 16};
    static const filch_queue_options queues[QUEUES] = {
        {.capacity = 4}, {.order = FILCH_QUEUE_LIFO}, {FILCH_QUEUE_PRIORITY, priority, 8}};
    struct actor *actors = world->actors;
    unsigned values = world->values; /* of the rounds before: records may lie about with theirs */
    memset(world, 0, sizeof *world);
    world->actors = actors;
    world->values = values;
    world->runtime = runtime;
    for (int i = 0; i < FEW; i++) {
        must(filch_sem_init(&world->sems[i].sem, PERMITS, PERMITS) == 0);
        must(filch_barrier_init(&world->barriers[i].barrier, PARTIES) == 0);
        must(filch_wait_group_init(&world->groups[i].group) == 0);
    }
    for (int i = 0; i < FUTURES; i++) must(filch_future_init(&world->futures[i].future) == 0);
    for (int i = 0; i < CHANS; i++) {
        must(filch_chan_create(&world->chans[i].chan, sizeof(uint64_t), capacities[i]) == 0);
    }
    for (int i = 0; i < QUEUES; i++) {
        must(filch_queue_init(&world->queues[i].queue, sizeof(uint64_t), &queues[i]) == 0);
        world->queues[i].capacity = queues[i].capacity == 0 ? SIZE_MAX : queues[i].capacity;
    }
    for (int i = 0; i < VICTIMS; i++) pthread_mutex_init(&world->victims[i].lock, NULL);
}

static uint64_t tasks_alive(void) {
    filch_stats stats;
    must(filch_runtime_stats(world->runtime, &stats) == 0);
    return stats.tasks;
}

static const char *chan_fault(int i) {
    size_t capacity = filch_chan_capacity(world->chans[i].chan), length = filch_chan_length(world->chans[i].chan);
    bool sending = world->chans[i].sending > 0, receiving = world->chans[i].receiving > 0;
    if (receiving && length > 0) return "a receiver waits at a channel that is not empty";
    if (sending && length < capacity) return "a sender waits at a channel that is not full";
    return sending && receiving ? "a sender and a receiver wait at the same channel" : NULL;
}

static const char *queue_fault(int i) {
    size_t length = filch_queue_length(&world->queues[i].queue);
    if (world->queues[i].getting > 0 && length > 0) return "a get waits at a queue that is not empty";
    if (world->queues[i].putting > 0 && length < world->queues[i].capacity) return "a put waits at a queue with room";
    bool joined = filch_queue_try_join(&world->queues[i].queue) == 0;
    return world->queues[i].joining > 0 && joined ? "a join waits at a queue that is done with" : NULL;
}

static const char *box_fault(int i) {
    if (filch_mutex_try_lock(&world->boxes[i].mutex) != 0) return "a mutex is held";
    uint64_t tokens = world->boxes[i].tokens;
    filch_mutex_unlock(&world->boxes[i].mutex);
    return world->boxes[i].waiting > 0 && tokens > 0 ? "somebody waits at a box that is not empty" : NULL;
}

static const char *few_fault(int i) {
    if (world->events[i].waiting > 0 && filch_event_is_set(&world->events[i].event)) return "an event is waited for";
    if (world->groups[i].waiting > 0 && filch_wait_group_try_wait(&world->groups[i].group) == 0) {
        return "a wait group of 0 is waited for";
    }
    if (world->barriers[i].waiting >= PARTIES) return "all parties wait at a barrier";
    if (world->sems[i].held != 0 || filch_sem_value(&world->sems[i].sem) != PERMITS) return "permits are missing";
    if (filch_mutex_locked(&world->locks[i].mutex)) return "a mutex is held";
    return box_fault(i);
}

/* But for awaiting another, which may be behind a shield, nobody waits any more once he is cancelled. */
static int look(const filch_task_info *info, void *found) {
    if (!info->cancelled || info->state != FILCH_TASK_WAITING || info->reason == NULL) return 0;
    if (strcmp(info->reason, "await") == 0 || strcmp(info->reason, "scope_close") == 0) return 0;
    *(const char **)found = "a task that was cancelled waits";
    return 1;
}

static const char *cancel_fault(void) {
    const char *found = NULL;
    unsigned actors = world->actors_used < ACTORS_MAX ? world->actors_used : ACTORS_MAX;
    for (unsigned i = 0; i < actors && found == NULL; i++) {
        doomed *doom = world->waits[i];
        if (doom != NULL && *doom) found = "a task of a cancelled scope waits";
    }
    if (found == NULL) filch_task_each(world->runtime, look, &found);
    return found;
}

/* What cannot be where all who live wait without end, or NULL. */
static const char *fault(void) {
    const char *found = NULL;
    for (int i = 0; i < FEW && found == NULL; i++) found = few_fault(i);
    for (int i = 0; i < CHANS && found == NULL; i++) found = chan_fault(i);
    for (int i = 0; i < QUEUES && found == NULL; i++) found = queue_fault(i);
    for (int i = 0; i < FUTURES && found == NULL; i++) {
        bool done = filch_future_is_done(&world->futures[i].future);
        if (world->futures[i].waiting > 0 && done) found = "a future that is done is waited for";
    }
    return found != NULL ? found : cancel_fault();
}

static bool all_gone(void) {
    return world->threads == 0 && tasks_alive() == 0;
}

/* Waits until all who live wait without end, and rightly; or none lives. Without a time limit: that is the watchdog's. */
static void until_quiet(void) {
    while (!all_gone()) {
        if (tasks_alive() + world->threads == world->endless && fault() == NULL) return;
        usleep(100);
    }
}

static void nudge_chan(int i) {
    uint64_t value = 1;
    while (world->chans[i].sending > 0 && filch_chan_try_recv(world->chans[i].chan, &value) == 0) {
        flow_out(&world->chans[i].flow, value);
    }
    while (world->chans[i].receiving > 0 && filch_chan_try_send(world->chans[i].chan, &value) == 0) {
        flow_in(&world->chans[i].flow, value);
    }
}

static void nudge_queue(int i) {
    uint64_t value = 1;
    filch_queue *queue = &world->queues[i].queue;
    while (world->queues[i].putting + world->queues[i].joining > 0 && filch_queue_try_get(queue, &value) == 0) {
        flow_out(&world->queues[i].flow, value);
        filch_queue_task_done(queue);
    }
    while (world->queues[i].getting > 0 && filch_queue_try_put(queue, &value) == 0) {
        flow_in(&world->queues[i].flow, value);
    }
}

static void nudge_few(int i) {
    filch_event_set(&world->events[i].event);
    filch_event_clear(&world->events[i].event);
    filch_barrier_reset(&world->barriers[i].barrier);
    if (filch_mutex_try_lock(&world->boxes[i].mutex) != 0) return;
    for (unsigned waiting = world->boxes[i].waiting; waiting > 0; waiting--) {
        world->boxes[i].tokens++;
        flow_in(&world->boxes[i].flow, 1);
        filch_cond_signal(&world->boxes[i].filled);
    }
    filch_mutex_unlock(&world->boxes[i].mutex);
}

/* Lets most of those who wait go on; some of them will wait again. */
static void nudge(int turn) {
    for (int i = 0; i < FEW; i++) nudge_few(i);
    for (int i = 0; i < CHANS; i++) nudge_chan(i);
    for (int i = 0; i < QUEUES; i++) nudge_queue(i);
    filch_future *future = &world->futures[turn % FUTURES].future;
    if (filch_future_set(future, turn % FUTURES, &world->futures[turn % FUTURES]) == 0) {
        atomic_fetch_add(&world->futures[turn % FUTURES].set, 1);
    }
}

/* Ends whatever waits without end. Where somebody undoes it, the next time. */
static void close_all(void) {
    world->closing = true;
    for (int i = 0; i < FEW; i++) {
        filch_event_set(&world->events[i].event);
        filch_barrier_abort(&world->barriers[i].barrier);
        must(filch_mutex_lock(&world->boxes[i].mutex, FILCH_NEVER) == 0);
        filch_cond_broadcast(&world->boxes[i].filled);
        filch_mutex_unlock(&world->boxes[i].mutex);
    }
    for (int i = 0; i < CHANS; i++) filch_chan_close(world->chans[i].chan);
    for (int i = 0; i < QUEUES; i++) {
        filch_queue_shutdown(&world->queues[i].queue, FILCH_QUEUE_DRAIN);
        uint64_t value;
        while (filch_queue_try_get(&world->queues[i].queue, &value) == 0) {
            flow_out(&world->queues[i].flow, value);
            filch_queue_task_done(&world->queues[i].queue);
        }
    }
    for (int i = 0; i < FUTURES; i++) {
        if (filch_future_set(&world->futures[i].future, i, &world->futures[i]) == 0) world->futures[i].set++;
    }
}

static void few_end(int i) {
    must(world->locks[i].plain == world->locks[i].locked);
    filch_mutex_fini(&world->locks[i].mutex);
    must(world->shelves[i].left == world->shelves[i].written && world->shelves[i].right == world->shelves[i].written);
    filch_rwlock_fini(&world->shelves[i].lock);
    must(world->boxes[i].flow.in == world->boxes[i].flow.out + world->boxes[i].tokens);
    filch_cond_fini(&world->boxes[i].filled);
    filch_mutex_fini(&world->boxes[i].mutex);
    must(world->sems[i].held == 0 && filch_sem_value(&world->sems[i].sem) == PERMITS);
    filch_sem_fini(&world->sems[i].sem);
    filch_event_fini(&world->events[i].event);
    for (int k = 1; k < PARTIES; k++) must(world->barriers[i].places[k] == world->barriers[i].places[0]);
    must(filch_barrier_waiting(&world->barriers[i].barrier) == 0);
    filch_barrier_fini(&world->barriers[i].barrier);
    must(filch_wait_group_try_wait(&world->groups[i].group) == 0);
    filch_wait_group_fini(&world->groups[i].group);
}

static void world_end(void) {
    must(world->endless == 0);
    for (int i = 0; i < FEW; i++) few_end(i);
    for (int i = 0; i < ONCES; i++) {
        must(filch_once_done(&world->onces[i].once) == (world->onces[i].succeeded == 1));
        filch_once_fini(&world->onces[i].once);
    }
    for (int i = 0; i < FUTURES; i++) {
        must(world->futures[i].set == 1);
        filch_future_fini(&world->futures[i].future);
    }
    for (int i = 0; i < QUEUES; i++) {
        must(filch_queue_try_join(&world->queues[i].queue) == 0);
        flow_must_balance(&world->queues[i].flow);
        filch_queue_fini(&world->queues[i].queue);
    }
    for (int i = 0; i < CHANS; i++) {
        uint64_t value;
        while (filch_chan_try_recv(world->chans[i].chan, &value) == 0) flow_out(&world->chans[i].flow, value);
        flow_must_balance(&world->chans[i].flow);
        filch_chan_destroy(world->chans[i].chan);
    }
    for (int i = 0; i < VICTIMS; i++) pthread_mutex_destroy(&world->victims[i].lock);
}

#endif
