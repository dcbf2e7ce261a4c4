/* SPDX-License-Identifier: MIT */
/* What tells others that something has happened. */
#include "tests/fuzz/api.h"

static void set_event(struct actor *actor, uint8_t how) {
    (void)actor;
    filch_event_set(&world->event.event);
    if (how & 1) filch_event_clear(&world->event.event);
}

static void wait_event(struct actor *actor, uint8_t how) {
    struct wait wait = wait_begin(actor, how, &world->event.waiting);
    wait_over(&wait, filch_event_wait(&world->event.event, wait.deadline));
}

static void pass_barrier(struct actor *actor, uint8_t how) {
    if ((how & 3) == 3) {
        int answer = filch_barrier_try_wait(&world->barrier.barrier);
        must(answer == PARTIES - 1 || answer == -EAGAIN || answer == -EPIPE);
        return;
    }
    struct wait wait = wait_begin(actor, how / 4, &world->barrier.waiting);
    int place = filch_barrier_wait(&world->barrier.barrier, wait.deadline);
    if (wait_over(&wait, place)) must(place < PARTIES);
}

static void disturb_barrier(struct actor *actor, uint8_t how) {
    (void)actor;
    if ((how & 3) == 0) filch_barrier_abort(&world->barrier.barrier);
    if ((how & 3) == 1) filch_barrier_reset(&world->barrier.barrier);
    must(filch_barrier_waiting(&world->barrier.barrier) < PARTIES);
}

/* A call that is made once at a time, and not again once it has succeeded. */
static int try_once(void *arg) {
    uint8_t how = *(uint8_t *)arg;
    must(world->once.running++ == 0 && world->once.succeeded == 0);
    api_dawdle(how / 2);
    if (how & 4) (void)filch_sleep(how);
    must(--world->once.running == 0);
    if (how & 1) return -EIO;
    world->once.succeeded = 7;
    return 7;
}

static void run_once(struct actor *actor, uint8_t how) {
    struct wait wait = wait_begin(actor, how / 8, &world->once.waiting);
    int answer = filch_once_run(&world->once.once, try_once, &how, wait.deadline);
    if (answer == -EIO) {
        wait_uncount(&wait);
        must(how & 1);
    } else if (wait_over(&wait, answer)) {
        must(answer == 7 && filch_once_done(&world->once.once));
    }
}

static void count_group(struct actor *actor, uint8_t how) {
    unsigned count = 1 + how % 3;
    (void)actor;
    world->group.count += count;
    filch_wait_group_add(&world->group.group, count);
}

static void done_in_group(struct actor *actor, uint8_t how) {
    (void)actor;
    unsigned count = how & 1 ? world->group.count : world->group.count > 0;
    world->group.count -= count;
    filch_wait_group_add(&world->group.group, -(int64_t)count);
}

static void wait_group(struct actor *actor, uint8_t how) {
    struct wait wait = wait_begin(actor, how, &world->group.waiting);
    wait_over(&wait, filch_wait_group_wait(&world->group.group, wait.deadline));
}

static void set_future(struct actor *actor, uint8_t how) {
    (void)actor;
    if (how % 4 != 0) return; /* it can be done but once */
    int answer = filch_future_set(&world->future.future, 5, &world->future);
    must(answer == (world->future.set ? -EALREADY : 0));
    world->future.set = true;
}

static void wait_future(struct actor *actor, uint8_t how) {
    int result = 0;
    void *value = NULL;
    struct wait wait = wait_begin(actor, how, &world->future.waiting);
    if (wait_over(&wait, filch_future_wait(&world->future.future, &result, &value, wait.deadline))) {
        must(world->future.set && result == 5 && value == &world->future);
    } else {
        must(result == 0 && value == NULL);
    }
}

void api_object(struct actor *actor, unsigned what, uint8_t how) {
    static void (*const operations[OBJECT_OPERATIONS])(struct actor * actor, uint8_t how) = {
        set_event,   wait_event,    pass_barrier, disturb_barrier, run_once,
        count_group, done_in_group, wait_group,   set_future,      wait_future,
    };
    operations[what](actor, how);
}
