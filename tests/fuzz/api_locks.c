/* SPDX-License-Identifier: MIT */
/* What excludes others: held over the operations of a block. */
#include "tests/fuzz/api.h"

static void hold_mutex(struct actor *actor, uint8_t how) {
    unsigned which = how & 1;
    filch_mutex *mutex = &world->locks[which].mutex;
    if (actor->locks & 1u << which) return;
    if (how & 2) {
        int answer = filch_mutex_try_lock(mutex);
        must(answer == 0 || answer == -EBUSY);
        if (answer != 0) return;
    } else {
        struct wait wait = wait_begin(actor, how / 4, &world->locks[which].waiting);
        if (!wait_over(&wait, filch_mutex_lock(mutex, wait.deadline))) return;
    }
    must(!world->locks[which].held && filch_mutex_locked(mutex));
    world->locks[which].held = true;
    actor->locks |= 1u << which;
    api_run(actor);
    actor->locks &= ~(1u << which);
    must(world->locks[which].held);
    world->locks[which].held = false;
    filch_mutex_unlock(mutex);
}

static void leave_reading(void) {
    must(world->shelf.writing == 0);
    world->shelf.reading--;
    filch_rwlock_read_unlock(&world->shelf.lock);
}

static void hold_to_read(struct actor *actor, uint8_t how) {
    if (actor->shelf) return;
    if (how & 1) {
        int answer = filch_rwlock_try_read(&world->shelf.lock);
        must(answer == 0 || answer == -EBUSY);
        if (answer != 0) return;
    } else {
        struct wait wait = wait_begin(actor, how / 2, &world->shelf.readers_wait);
        if (!wait_over(&wait, filch_rwlock_read(&world->shelf.lock, wait.deadline))) return;
    }
    world->shelf.reading++;
    must(world->shelf.writing == 0);
    actor->shelf = true;
    api_run(actor);
    actor->shelf = false;
    leave_reading();
}

static void hold_to_write(struct actor *actor, uint8_t how) {
    if (actor->shelf) return;
    if (how & 1) {
        int answer = filch_rwlock_try_write(&world->shelf.lock);
        must(answer == 0 || answer == -EBUSY);
        if (answer != 0) return;
    } else {
        struct wait wait = wait_begin(actor, how / 4, &world->shelf.writers_wait);
        if (!wait_over(&wait, filch_rwlock_write(&world->shelf.lock, wait.deadline))) return;
    }
    must(world->shelf.writing == 0 && world->shelf.reading == 0);
    world->shelf.writing = 1;
    actor->shelf = true;
    api_run(actor);
    must(world->shelf.writing == 1 && world->shelf.reading == 0);
    world->shelf.writing = 0;
    if (how & 2) {
        world->shelf.reading = 1;
        filch_rwlock_downgrade(&world->shelf.lock);
        api_run(actor);
        leave_reading();
    } else {
        filch_rwlock_write_unlock(&world->shelf.lock);
    }
    actor->shelf = false;
}

/* The box of tokens, by whoever has locked it. */
static bool lock_box(struct actor *actor, uint8_t how) {
    struct wait wait = wait_begin(actor, how, NULL);
    if (actor->box || !wait_over(&wait, filch_mutex_lock(&world->box.mutex, wait.deadline))) return false;
    must(!world->box.held);
    world->box.held = true;
    actor->box = true;
    return true;
}

static void unlock_box(struct actor *actor) {
    must(world->box.held);
    world->box.held = actor->box = false;
    filch_mutex_unlock(&world->box.mutex);
}

static void fill_box(struct actor *actor, uint8_t how) {
    if (!lock_box(actor, how / 4)) return;
    world->box.tokens++;
    if (how & 1) filch_cond_signal(&world->box.filled);
    if (how & 2) api_dawdle(1);
    unlock_box(actor);
    if (!(how & 1)) filch_cond_signal(&world->box.filled);
}

/* Takes a token. While it waits it does not hold the box. */
static void empty_box(struct actor *actor, uint8_t how) {
    if (!lock_box(actor, how)) return;
    bool going = true;
    while (going && world->box.tokens == 0 && !world->closing) {
        world->box.held = false;
        struct wait wait = wait_begin(actor, how / 4, &world->box.waiting);
        going = wait_over(&wait, filch_cond_wait(&world->box.filled, &world->box.mutex, wait.deadline));
        must(!world->box.held && filch_mutex_locked(&world->box.mutex));
        world->box.held = true;
    }
    if (going && world->box.tokens > 0) world->box.tokens--;
    unlock_box(actor);
}

static void hold_permits(struct actor *actor, uint8_t how) {
    unsigned count = 1 + (how & 3) % PERMITS;
    filch_sem *sem = &world->permits.sem;
    if (how & 4) {
        if (filch_sem_try_acquire_n(sem, count) != 0) return;
    } else {
        struct wait wait = wait_begin(actor, how / 8, &world->permits.waiting[count]);
        if (!wait_over(&wait, filch_sem_acquire_n(sem, count, wait.deadline))) return;
    }
    world->permits.held += count;
    must(world->permits.held <= PERMITS);
    api_run(actor);
    world->permits.held -= count;
    filch_sem_release_n(sem, count);
}

void api_lock(struct actor *actor, unsigned what, uint8_t how) {
    static void (*const operations[LOCK_OPERATIONS])(struct actor * actor, uint8_t how) = {
        hold_mutex, hold_to_read, hold_to_write, fill_box, empty_box, hold_permits,
    };
    operations[what](actor, how);
}
