/* SPDX-License-Identifier: MIT */
/* What tasks and threads of stress/wait_mix.c do with one object: each function is one visit, and holds nothing after. */
#ifndef FILCH_STRESS_MIX_OBJECTS_H
#define FILCH_STRESS_MIX_OBJECTS_H

#include "stress/mix.h"

static void use_mutex(struct actor *actor) {
    uint32_t which = below(&actor->random, FEW);
    filch_mutex *mutex = &world->locks[which].mutex;
    uint64_t *plain = &world->locks[which].plain;
    if (maybe(actor, 4)) {
        int answer = filch_mutex_try_lock(mutex);
        must(answer == 0 || answer == -EBUSY);
        if (answer != 0) return;
    } else {
        struct wait wait = wait_short(actor);
        if (!wait_over(&wait, filch_mutex_lock(mutex, wait.deadline))) return;
    }
    uint64_t seen = ++*plain;
    atomic_fetch_add(&world->locks[which].locked, 1);
    dawdle(actor);
    must(*plain == seen && filch_mutex_locked(mutex));
    filch_mutex_unlock(mutex);
}

static void read_shelf(struct actor *actor, uint32_t which) {
    filch_rwlock *lock = &world->shelves[which].lock;
    struct wait wait = wait_short(actor);
    if (maybe(actor, 4)) {
        int answer = filch_rwlock_try_read(lock);
        must(answer == 0 || answer == -EBUSY);
        if (answer != 0) return;
    } else if (!wait_over(&wait, filch_rwlock_read(lock, wait.deadline))) {
        return;
    }
    uint64_t left = world->shelves[which].left;
    dawdle(actor);
    must(world->shelves[which].left == left && world->shelves[which].right == left);
    filch_rwlock_read_unlock(lock);
}

static void write_shelf(struct actor *actor, uint32_t which) {
    filch_rwlock *lock = &world->shelves[which].lock;
    struct wait wait = wait_short(actor);
    if (maybe(actor, 4)) {
        int answer = filch_rwlock_try_write(lock);
        must(answer == 0 || answer == -EBUSY);
        if (answer != 0) return;
    } else if (!wait_over(&wait, filch_rwlock_write(lock, wait.deadline))) {
        return;
    }
    uint64_t left = ++world->shelves[which].left;
    dawdle(actor);
    must(++world->shelves[which].right == left);
    atomic_fetch_add(&world->shelves[which].written, 1);
    if (maybe(actor, 2)) {
        filch_rwlock_write_unlock(lock);
        return;
    }
    filch_rwlock_downgrade(lock);
    dawdle(actor);
    must(world->shelves[which].left == left && world->shelves[which].right == left);
    filch_rwlock_read_unlock(lock);
}

static void use_rwlock(struct actor *actor) {
    uint32_t which = below(&actor->random, FEW);
    if (maybe(actor, 3)) {
        write_shelf(actor, which);
    } else {
        read_shelf(actor, which);
    }
}

static void fill_box(struct actor *actor, uint32_t which) {
    struct wait wait = wait_short(actor);
    filch_mutex *mutex = &world->boxes[which].mutex;
    if (!wait_over(&wait, filch_mutex_lock(mutex, wait.deadline))) return;
    world->boxes[which].tokens++;
    flow_in(&world->boxes[which].flow, 1);
    bool inside = maybe(actor, 2);
    if (inside) filch_cond_signal(&world->boxes[which].filled);
    filch_mutex_unlock(mutex);
    if (!inside) filch_cond_signal(&world->boxes[which].filled);
    if (maybe(actor, 32)) filch_cond_broadcast(&world->boxes[which].filled);
}

static void empty_box(struct actor *actor, uint32_t which) {
    struct wait wait = wait_short(actor);
    filch_mutex *mutex = &world->boxes[which].mutex;
    if (!wait_over(&wait, filch_mutex_lock(mutex, wait.deadline))) return;
    bool got_on = true;
    while (got_on && world->boxes[which].tokens == 0 && !world->closing) {
        wait = wait_long(actor, 4, &world->boxes[which].waiting);
        got_on = wait_over(&wait, filch_cond_wait(&world->boxes[which].filled, mutex, wait.deadline));
        must(filch_mutex_locked(mutex));
    }
    if (got_on && world->boxes[which].tokens > 0) {
        world->boxes[which].tokens--;
        flow_out(&world->boxes[which].flow, 1);
    }
    filch_mutex_unlock(mutex);
}

static void use_cond(struct actor *actor) {
    uint32_t which = below(&actor->random, FEW);
    if (maybe(actor, 2)) {
        fill_box(actor, which);
    } else {
        empty_box(actor, which);
    }
}

static void use_sem(struct actor *actor) {
    uint32_t which = below(&actor->random, FEW);
    filch_sem *sem = &world->sems[which].sem;
    atomic_uint *held = &world->sems[which].held;
    uint32_t count = maybe(actor, 4) ? 2 + below(&actor->random, PERMITS - 1) : 1;
    if (maybe(actor, 4)) {
        int answer = filch_sem_try_acquire_n(sem, count);
        must(answer == 0 || answer == -EAGAIN);
        if (answer != 0) return;
    } else {
        struct wait wait = wait_short(actor);
        int answer =
            count == 1 ? filch_sem_acquire(sem, wait.deadline) : filch_sem_acquire_n(sem, count, wait.deadline);
        if (!wait_over(&wait, answer)) return;
    }
    must(atomic_fetch_add(held, count) + count <= PERMITS);
    dawdle(actor);
    must(atomic_fetch_sub(held, count) >= count);
    uint32_t first = below(&actor->random, count + 1);
    filch_sem_release_n(sem, first);
    if (count - first == 1) {
        filch_sem_release(sem);
    } else {
        filch_sem_release_n(sem, count - first);
    }
}

static void use_event(struct actor *actor) {
    uint32_t which = below(&actor->random, FEW);
    filch_event *event = &world->events[which].event;
    switch (below(&actor->random, 4)) {
    case 0:
        filch_event_set(event);
        break;
    case 1:
        filch_event_clear(event);
        break;
    default: {
        struct wait wait = wait_long(actor, 16, &world->events[which].waiting);
        wait_over(&wait, filch_event_wait(event, wait.deadline));
    }
    }
}

static void use_barrier(struct actor *actor) {
    uint32_t which = below(&actor->random, FEW);
    filch_barrier *barrier = &world->barriers[which].barrier;
    int64_t answer;
    if (maybe(actor, 64)) {
        filch_barrier_reset(barrier);
        return;
    }
    if (maybe(actor, 4)) {
        answer = filch_barrier_try_wait(barrier);
        must(answer == PARTIES - 1 || answer == -EAGAIN || answer == -EPIPE);
    } else {
        struct wait wait = wait_long(actor, 16, &world->barriers[which].waiting);
        answer = filch_barrier_wait(barrier, wait.deadline);
        wait_over(&wait, answer);
    }
    must(answer < PARTIES);
    if (answer >= 0) atomic_fetch_add(&world->barriers[which].places[answer], 1);
}

struct once_call {
    struct actor *actor;
    uint32_t which;
    bool made;
};

static int run_once(void *arg) {
    struct once_call *call = arg;
    call->made = true;
    must(atomic_fetch_add(&world->onces[call->which].running, 1) == 0);
    dawdle(call->actor);
    bool fails = maybe(call->actor, 2);
    if (!fails) must(atomic_fetch_add(&world->onces[call->which].succeeded, 1) == 0);
    must(atomic_fetch_sub(&world->onces[call->which].running, 1) == 1);
    return fails ? FAILURE : 7;
}

static void use_once(struct actor *actor) {
    struct once_call call = {actor, below(&actor->random, ONCES), false};
    struct wait wait = wait_short(actor);
    int answer = filch_once_run(&world->onces[call.which].once, run_once, &call, wait.deadline);
    if (call.made) {
        must(answer == FAILURE || answer == 7);
        must(!wait.cancelled);
    } else if (wait_over(&wait, answer)) {
        must(answer == 7 && world->onces[call.which].succeeded == 1);
    }
}

static void use_group(struct actor *actor) {
    uint32_t which = below(&actor->random, FEW);
    filch_wait_group *group = &world->groups[which].group;
    if (maybe(actor, 3)) {
        struct wait wait = wait_long(actor, 4, &world->groups[which].waiting);
        wait_over(&wait, filch_wait_group_wait(group, wait.deadline));
        return;
    }
    uint32_t count = 1 + below(&actor->random, 3);
    filch_wait_group_add(group, count);
    dawdle(actor);
    for (; count > 0; count--) filch_wait_group_done(group);
}

static void use_future(struct actor *actor) {
    uint32_t which = below(&actor->random, FUTURES);
    filch_future *future = &world->futures[which].future;
    int result = -1, answer;
    void *value = NULL;
    if (maybe(actor, 64)) {
        answer = filch_future_set(future, (int)which, &world->futures[which]);
        must(answer == 0 || answer == -EALREADY);
        if (answer == 0) must(atomic_fetch_add(&world->futures[which].set, 1) == 0);
        return;
    }
    struct wait wait = wait_long(actor, 16, &world->futures[which].waiting);
    if (wait_over(&wait, filch_future_wait(future, &result, &value, wait.deadline))) {
        must(result == (int)which && value == &world->futures[which]);
        must(filch_future_is_done(future));
    } else {
        must(result == -1 && value == NULL);
    }
}

static void put(struct actor *actor, uint32_t which) {
    uint64_t value = below(&actor->random, 1 << 20);
    int answer;
    if (maybe(actor, 4)) {
        answer = filch_queue_try_put(&world->queues[which].queue, &value);
        must(answer == 0 || answer == -EAGAIN || answer == -EPIPE);
    } else {
        struct wait wait = wait_long(actor, 4, &world->queues[which].putting);
        answer = filch_queue_put(&world->queues[which].queue, &value, wait.deadline);
        wait_over(&wait, answer);
    }
    if (answer == 0) flow_in(&world->queues[which].flow, value);
}

static void get(struct actor *actor, uint32_t which) {
    uint64_t value = UINT64_MAX;
    int answer;
    if (maybe(actor, 4)) {
        answer = filch_queue_try_get(&world->queues[which].queue, &value);
        must(answer == 0 || answer == -EAGAIN || answer == -EPIPE);
    } else {
        struct wait wait = wait_long(actor, 4, &world->queues[which].getting);
        answer = filch_queue_get(&world->queues[which].queue, &value, wait.deadline);
        wait_over(&wait, answer);
    }
    must((answer == 0) == (value != UINT64_MAX));
    if (answer != 0) return;
    flow_out(&world->queues[which].flow, value);
    dawdle(actor);
    filch_queue_task_done(&world->queues[which].queue);
}

static void use_queue(struct actor *actor) {
    uint32_t which = below(&actor->random, QUEUES);
    if (maybe(actor, 32)) {
        struct wait wait = wait_long(actor, 4, &world->queues[which].joining);
        wait_over(&wait, filch_queue_join(&world->queues[which].queue, wait.deadline));
    } else if (maybe(actor, 2)) {
        put(actor, which);
    } else {
        get(actor, which);
    }
}

static void send_value(struct actor *actor, uint32_t which) {
    filch_chan *chan = world->chans[which].chan;
    uint64_t values[4];
    size_t count = 1 + below(&actor->random, 4);
    for (size_t i = 0; i < count; i++) values[i] = below(&actor->random, 1 << 20);
    int64_t sent;
    if (maybe(actor, 4)) {
        sent = filch_chan_try_send(chan, values);
        must(sent == 0 || sent == -EAGAIN || sent == -EPIPE);
        sent = sent == 0;
    } else {
        struct wait wait = wait_long(actor, 4, &world->chans[which].sending);
        if (maybe(actor, 2)) {
            sent = filch_chan_send_many(chan, values, count, wait.deadline);
            if (!wait_over(&wait, sent)) sent = 0;
            must(sent <= (int64_t)count);
        } else {
            sent = wait_over(&wait, filch_chan_send(chan, values, wait.deadline));
        }
    }
    for (int64_t i = 0; i < sent; i++) flow_in(&world->chans[which].flow, values[i]);
}

static void receive(struct actor *actor, uint32_t which) {
    filch_chan *chan = world->chans[which].chan;
    uint64_t values[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    int64_t got;
    if (maybe(actor, 4)) {
        got = filch_chan_try_recv(chan, values);
        must(got == 0 || got == -EAGAIN || got == -EPIPE);
        got = got == 0;
    } else {
        struct wait wait = wait_long(actor, 4, &world->chans[which].receiving);
        if (maybe(actor, 2)) {
            got = filch_chan_recv_many(chan, values, 4, wait.deadline);
            if (!wait_over(&wait, got)) got = 0;
            must(got <= 4);
        } else {
            got = wait_over(&wait, filch_chan_recv(chan, values, wait.deadline));
        }
    }
    for (int64_t i = 0; i < 4; i++) must((i < got) == (values[i] != UINT64_MAX));
    for (int64_t i = 0; i < got; i++) flow_out(&world->chans[which].flow, values[i]);
}

static void use_chan(struct actor *actor) {
    uint32_t which = below(&actor->random, CHANS);
    if (maybe(actor, 2)) {
        send_value(actor, which);
    } else {
        receive(actor, which);
    }
}

/* What a select of this program is made of: cases, and what each of them refers to. */
struct selection {
    filch_case cases[CHANS + 3];
    uint64_t values[CHANS + 3];
    uint32_t chans[CHANS + 3];
    atomic_uint *endless[CHANS + 3];
    uint32_t count;
};

/* Each channel stands in it at most once: a select never meets itself. */
static void select_make(struct selection *selection, struct actor *actor) {
    uint32_t first = below(&actor->random, CHANS), chans = below(&actor->random, CHANS + 1), i = 0;
    for (; i < chans; i++) {
        uint32_t which = (first + i) % CHANS;
        bool sends = maybe(actor, 2);
        filch_chan *chan = world->chans[which].chan;
        uint64_t *value = &selection->values[i];
        *value = sends ? below(&actor->random, 1 << 20) : UINT64_MAX;
        selection->chans[i] = which;
        selection->cases[i] = sends ? filch_case_send(chan, value) : filch_case_recv(chan, value);
        selection->endless[i] = sends ? &world->chans[which].sending : &world->chans[which].receiving;
    }
    if (maybe(actor, 4)) {
        uint32_t which = below(&actor->random, FEW);
        selection->endless[i] = &world->events[which].waiting;
        selection->cases[i++] = filch_case_event(&world->events[which].event);
    }
    if (maybe(actor, 4)) {
        uint32_t which = below(&actor->random, FUTURES);
        selection->endless[i] = &world->futures[which].waiting;
        selection->cases[i++] = filch_case_future(&world->futures[which].future);
    }
    if (maybe(actor, 4)) {
        selection->endless[i] = NULL;
        selection->cases[i++] = filch_case_deadline(some_deadline(actor));
    }
    for (uint32_t k = 0; k < i; k++) selection->cases[k].result = 1;
    selection->count = i;
}

/* It waits without end only where something may end it, and then it is counted at each of its objects. */
static struct wait select_wait(struct selection *selection, struct actor *actor) {
    struct wait wait = {.deadline = some_deadline(actor), .cancelled = filch_cancelled()};
    if (selection->count == 0 || actor->hurried || !maybe(actor, 4)) return wait;
    wait.deadline = FILCH_NEVER;
    for (uint32_t i = 0; i < selection->count; i++) {
        if (selection->endless[i] == NULL) return wait;
    }
    wait.actor = actor;
    for (uint32_t i = 0; i < selection->count; i++) atomic_fetch_add(selection->endless[i], 1);
    waits_without_end(actor);
    return wait;
}

static void select_count(struct selection *selection, int chosen) {
    for (int i = 0; i < (int)selection->count; i++) {
        const filch_case *made = &selection->cases[i];
        bool moved = i == chosen && made->result == 0;
        must((i == chosen) == (made->result != 1));
        if (made->kind == FILCH_CASE_RECV) must(moved == (selection->values[i] != UINT64_MAX));
        if (moved && made->kind == FILCH_CASE_RECV) {
            flow_out(&world->chans[selection->chans[i]].flow, selection->values[i]);
        } else if (moved && made->kind == FILCH_CASE_SEND) {
            flow_in(&world->chans[selection->chans[i]].flow, selection->values[i]);
        } else if (i == chosen) {
            must(moved || made->result == -EPIPE);
        }
    }
}

static void use_select(struct actor *actor) {
    struct selection selection;
    select_make(&selection, actor);
    int chosen;
    if (maybe(actor, 4)) {
        chosen = filch_try_select(selection.cases, selection.count);
        must(chosen >= 0 || chosen == -EAGAIN);
    } else {
        struct wait wait = select_wait(&selection, actor);
        chosen = filch_select(selection.cases, selection.count, wait.deadline);
        if (wait.actor != NULL) {
            for (uint32_t i = 0; i < selection.count; i++) atomic_fetch_sub(selection.endless[i], 1);
        }
        must(chosen != -EPIPE);
        wait_over(&wait, chosen);
    }
    must(chosen < (int)selection.count);
    select_count(&selection, chosen);
}

static void use_clock(struct actor *actor) {
    filch_ticker ticker;
    switch (below(&actor->random, 3)) {
    case 0: {
        struct wait wait = {.deadline = some_deadline(actor), .cancelled = filch_cancelled()};
        must(filch_ticker_init(&ticker, 1 + below(&actor->random, 100000)) == 0);
        int64_t ticks = filch_ticker_wait(&ticker, wait.deadline);
        must(ticks != 0);
        wait_over(&wait, ticks);
        break;
    }
    case 1: {
        struct wait wait = {.deadline = some_deadline(actor), .cancelled = filch_cancelled()};
        int answer = filch_sleep_until(wait.deadline);
        wait_over(&wait, answer);
        if (answer == 0) must(filch_now() >= wait.deadline.at_ns);
        break;
    }
    default:
        filch_yield();
    }
}

struct blocking_call {
    useconds_t length_us;
    bool made;
};

static int block(void *arg) {
    struct blocking_call *call = arg;
    must(filch_self() == NULL);
    usleep(call->length_us);
    call->made = true;
    return 3;
}

static void use_helper(struct actor *actor) {
    struct blocking_call call = {below(&actor->random, 100), false};
    struct wait wait = wait_short(actor);
    int result = -1;
    if (maybe(actor, 4)) {
        filch_block_begin();
        usleep(call.length_us);
        filch_block_end();
        return;
    }
    int answer = filch_blocking(block, &call, &result, wait.deadline);
    must((answer == 0) == call.made && result == (call.made ? 3 : -1));
    if (answer != -EAGAIN) wait_over(&wait, answer); /* else the system gives no thread */
}

static void (*const all_uses[])(struct actor *) = {
    use_mutex, use_rwlock, use_cond,  use_sem,  use_event,  use_barrier, use_once,
    use_group, use_future, use_queue, use_chan, use_select, use_clock,   use_helper,
};

enum { ALL_USES = sizeof all_uses / sizeof *all_uses };

static void use_something(struct actor *actor) {
    if (world->uses[0] == NULL) {
        all_uses[below(&actor->random, ALL_USES)](actor);
    } else {
        world->uses[below(&actor->random, 2)](actor);
    }
    atomic_fetch_add_explicit(&world->operations, 1, memory_order_relaxed);
}

#endif
