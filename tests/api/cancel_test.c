/* SPDX-License-Identifier: MIT */
/*
 * Proves cancellation: that it is a state in which every call that waits answers -ECANCELED, by whomever and whenever it
 * comes; what it reaches and what a shield keeps it from; that a task that has not begun never runs; and that nobody is
 * forgotten and nothing left, however many are cancelled at once.
 */
#include <pthread.h>
#include <stdlib.h>

#include "alloc/heap.h"
#include "tests/api/waits.h"

/* ------------------------------------------------------------------------------------------------------- one task */

static int must_not_run(void *arg) {
    (void)arg;
    check(!"a task that was cancelled before it began");
    return 0;
}

static int cancel_before_begin(void *arg) {
    (void)arg;
    for (int i = 0; i < 50; i++) {
        filch_task *task;
        check_int(filch_runtime_workers(filch_runtime_current()), 1); /* so nobody else begins it */
        check_int(filch_spawn(&task, must_not_run, NULL, NULL), 0);
        filch_task_cancel(task);
        filch_task_cancel(task); /* once more is nothing */
        check(!filch_task_done(task));
        if (i % 2 == 0) filch_yield();
        int result = 0;
        check_int(filch_await(task, &result, i % 3 == 0 ? filch_after(FILCH_SEC(100)) : FILCH_NEVER), 0);
        check_int(result, -ECANCELED);
    }
    filch_task_cancel(NULL);
    return 0;
}

TEST(cancel, a_task_that_has_not_begun_never_runs) {
    run_with(1, cancel_before_begin, NULL);
}

static int return_seven(void *arg) {
    (void)arg;
    return 7;
}

static int cancel_ended(void *arg) {
    (void)arg;
    filch_task *task = start(return_seven, NULL);
    while (!filch_task_done(task)) filch_yield();
    filch_task_cancel(task);
    check_int(result_of(task), 7);
    return 0;
}

TEST(cancel, a_task_that_has_ended_keeps_its_result) {
    run_with_all(cancel_ended, NULL);
}

struct running {
    atomic_bool begun, go_on;
};

/* Computes, and asks now and then. */
static int compute(void *arg) {
    struct running *running = arg;
    check(!filch_cancelled());
    atomic_store(&running->begun, true);
    while (!filch_cancelled()) filch_yield();
    check_int(filch_sleep(0), -ECANCELED);
    filch_yield(); /* gives way as ever */
    return 5;      /* its result is its own affair */
}

static int cancel_running(void *arg) {
    (void)arg;
    struct running running = {false, false};
    filch_task *task = start(compute, &running);
    while (!atomic_load(&running.begun)) filch_yield();
    check(!filch_cancelled());
    filch_task_cancel(task);
    check_int(result_of(task), 5);
    return 0;
}

TEST(cancel, a_task_that_runs_sees_it_and_ends_when_it_likes) {
    run_with_all(cancel_running, NULL);
}

TEST(cancel, outside_of_tasks_nothing_is_cancelled) {
    check(!filch_cancelled());
    filch_shield shield;
    filch_shield_begin(&shield);
    filch_shield_end(&shield);
    filch_task_cancel(NULL);
    filch_scope_cancel(NULL);
    check_int(filch_sleep(1000), 0);
}

/* -------------------------------------------------------------------------------------------- every call that waits */

struct waiter {
    struct waits *waits;
    wait_fn *wait;
    atomic_uint answers;
};

/* Waits with one call; then, being cancelled, tries each of them, with deadlines of all kinds. */
static int wait_then_try_all(void *arg) {
    struct waiter *waiter = arg;
    int answer = waiter->wait(waiter->waits, FILCH_NEVER);
    check_int(answer, -ECANCELED);
    for (size_t i = 0; i < WAIT_KINDS; i++) {
        check(filch_cancelled());
        check_int(wait_kinds[i](waiter->waits, FILCH_NEVER), -ECANCELED);
        check_int(wait_kinds[i](waiter->waits, filch_after(FILCH_SEC(1000))), -ECANCELED);
        check_int(wait_kinds[i](waiter->waits, (filch_deadline){0}), -ECANCELED);
    }
    return 11;
}

static int cancel_each_kind(void *arg) {
    (void)arg;
    for (size_t i = 0; i < WAIT_KINDS; i++) {
        struct waits waits;
        waits_begin(&waits);
        struct waiter waiter = {.waits = &waits, .wait = wait_kinds[i]};
        filch_task *task = start(wait_then_try_all, &waiter);
        if (i % 2 == 0)
            filch_sleep(FILCH_MS(1)); /* it waits by now, mostly; or else it has just begun, or not at all */
        filch_task_cancel(task);
        int result = result_of(task);
        check(result == 11 || result == -ECANCELED);
        waits_end(&waits);
    }
    return 0;
}

TEST(cancel, every_call_that_waits_is_woken_and_answers_so_from_then_on) {
    run_with_all(cancel_each_kind, NULL);
}

/* What could go on at once does not, and moves nothing. */
static int try_what_is_ready(void *arg) {
    (void)arg;
    filch_mutex mutex;
    filch_sem sem;
    filch_event event;
    filch_queue queue;
    filch_chan *chan;
    filch_future future;
    filch_rwlock lock;
    int value = 3;
    filch_mutex_init(&mutex);
    filch_event_init(&event);
    filch_rwlock_init(&lock);
    filch_event_set(&event);
    check_int(filch_sem_init(&sem, 1, 0), 0);
    check_int(filch_queue_init(&queue, sizeof value, NULL), 0);
    check_int(filch_chan_create(&chan, sizeof value, 2), 0);
    check_int(filch_chan_try_send(chan, &value), 0);
    check_int(filch_queue_try_put(&queue, &value), 0);
    check_int(filch_future_init(&future), 0);
    check_int(filch_future_set(&future, 1, NULL), 0);
    filch_task *ended = start(return_seven, NULL);
    while (!filch_task_done(ended)) filch_yield();

    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    size_t order[1];
    check_int(filch_await(ended, NULL, FILCH_NEVER), -ECANCELED);
    check_int(filch_await_n(&ended, 1, 1, order, FILCH_NEVER), -ECANCELED);
    check_int(filch_await_n(NULL, 0, 0, NULL, FILCH_NEVER), -ECANCELED);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), -ECANCELED);
    check_int(filch_rwlock_read(&lock, FILCH_NEVER), -ECANCELED);
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), -ECANCELED);
    check_int(filch_sem_acquire(&sem, FILCH_NEVER), -ECANCELED);
    check_int(filch_event_wait(&event, FILCH_NEVER), -ECANCELED);
    check_int(filch_queue_get(&queue, &value, FILCH_NEVER), -ECANCELED);
    check_int(filch_queue_put(&queue, &value, FILCH_NEVER), -ECANCELED);
    check_int(filch_chan_recv(chan, &value, FILCH_NEVER), -ECANCELED);
    check_int(filch_chan_send(chan, &value, FILCH_NEVER), -ECANCELED);
    check_int(filch_future_wait(&future, NULL, NULL, FILCH_NEVER), -ECANCELED);
    check_int(filch_sleep(-1), -ECANCELED);
    check_int(filch_scope_close(&scope), -ECANCELED);

    check(!filch_cancelled()); /* and it ends with the scope */
    check_int(filch_sem_value(&sem), 1);
    check(!filch_mutex_locked(&mutex));
    check_int(filch_queue_length(&queue), 1);
    check_int(filch_chan_length(chan), 1);
    check_int(result_of(ended), 7);
    check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
    filch_mutex_unlock(&mutex);
    check_int(filch_queue_get(&queue, &value, FILCH_NEVER), 0);
    filch_queue_task_done(&queue);
    check_int(filch_chan_recv(chan, &value, FILCH_NEVER), 0);
    filch_chan_destroy(chan);
    filch_queue_fini(&queue);
    filch_future_fini(&future);
    filch_sem_fini(&sem);
    filch_event_fini(&event);
    filch_rwlock_fini(&lock);
    filch_mutex_fini(&mutex);
    return 0;
}

TEST(cancel, what_could_go_on_at_once_does_not_and_moves_nothing) {
    run_with_all(try_what_is_ready, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- awaiting */

struct chain {
    int depth, ends;
    bool parked; /* by a deadline that is no deadline: false lets the child be called in place */
    atomic_int left;
};

struct link {
    struct chain *chain;
    int depth;
};

/* Awaits one that awaits one ... that sleeps for ever. */
static int await_down(void *arg) {
    struct link *link = arg;
    struct link below = {link->chain, link->depth - 1};
    int result = 0, answer;
    if (link->depth == 0) {
        answer = filch_sleep_until(FILCH_NEVER);
        check_int(answer, -ECANCELED);
    } else {
        filch_task *task = start(await_down, &below);
        if (link->chain->parked) {
            while (!filch_task_done(task) && atomic_load(&link->chain->left) > link->depth)
                filch_yield(); /* it has begun */
        }
        answer = filch_await(task, &result, FILCH_NEVER);
        if (answer == -ECANCELED) {
            filch_shield shield; /* it was cancelled with us, and `below` is ours */
            filch_shield_begin(&shield);
            check_int(filch_await(task, &result, filch_after(FILCH_SEC(30))), 0);
            filch_shield_end(&shield);
        }
        check_int(result, -ECANCELED);
    }
    atomic_fetch_sub(&link->chain->left, 1);
    return -ECANCELED;
}

static int cancel_chain(void *arg) {
    for (int round = 0; round < 20; round++) {
        struct chain chain = {.depth = 6, .parked = arg != NULL, .left = 7};
        struct link top = {&chain, 6};
        filch_task *task = start(await_down, &top);
        until_tasks_wait(filch_runtime_current(), 7); /* only who waits hands it on */
        filch_task_cancel(task);
        check_int(result_of(task), -ECANCELED);
    }
    return 0;
}

TEST(cancel, an_await_without_a_deadline_hands_it_on_to_what_it_awaits) {
    run_with_all(cancel_chain, NULL);
}

static int await_with_deadline(void *arg) {
    filch_task *task = arg;
    return filch_await(task, NULL, filch_after(FILCH_SEC(1000)));
}

static int wait_for_event(void *event) {
    return filch_event_wait(event, FILCH_NEVER) == 0 ? 7 : -1;
}

static int deadline_does_not_forward(void *arg) {
    (void)arg;
    filch_event event;
    filch_event_init(&event);
    filch_task *inner = start(wait_for_event, &event);
    filch_yield();
    filch_task *outer = start(await_with_deadline, inner);
    filch_sleep(FILCH_MS(1));
    filch_task_cancel(outer);
    check_int(result_of(outer), -ECANCELED);
    check(!filch_task_done(inner));
    filch_event_set(&event);
    check_int(result_of(inner), 7); /* the handle is good, and nobody has cancelled it */
    filch_event_fini(&event);
    return 0;
}

TEST(cancel, an_await_with_a_deadline_keeps_it_to_itself) {
    run_with_all(deadline_does_not_forward, NULL);
}

/* A scope's cancellation is not handed on to a task that belongs to no scope. */
static int await_in_scope(void *arg) {
    return filch_await(arg, NULL, FILCH_NEVER);
}

static int scope_does_not_forward(void *arg) {
    (void)arg;
    filch_event event;
    filch_event_init(&event);
    filch_task *inner = start(wait_for_event, &event), *outer;
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_spawn(&scope, &outer, await_in_scope, inner, NULL), 0);
    filch_sleep(FILCH_MS(1));
    filch_scope_cancel(&scope);
    check_int(filch_scope_close(&scope), -ECANCELED);
    check_int(result_of(outer), -ECANCELED);
    check(!filch_task_done(inner));
    filch_event_set(&event);
    check_int(result_of(inner), 7);
    filch_event_fini(&event);
    return 0;
}

TEST(cancel, a_scopes_cancellation_does_not_reach_what_its_tasks_await) {
    run_with_all(scope_does_not_forward, NULL);
}

/* The owner of a scope, called in place by who is cancelled: its members are woken. */
static int own_a_sleeper(void *arg) {
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_spawn(&scope, NULL, sleep_for_ever, NULL, NULL), 0);
    atomic_store((atomic_bool *)arg, true);
    return filch_scope_close(&scope);
}

static int await_owner(void *arg) {
    filch_task *owner = start(own_a_sleeper, arg);
    int result = 0, answer = filch_await(owner, &result, FILCH_NEVER);
    if (answer == -ECANCELED) {
        filch_shield shield;
        filch_shield_begin(&shield);
        check_int(filch_await(owner, &result, filch_after(FILCH_SEC(30))), 0);
        filch_shield_end(&shield);
    }
    check_int(result, -ECANCELED);
    return 3;
}

static int cancel_above_a_scope(void *arg) {
    (void)arg;
    for (int round = 0; round < 20; round++) {
        atomic_bool opened = false;
        filch_task *task = start(await_owner, &opened);
        until_tasks_wait(filch_runtime_current(), 3); /* the awaiter, the owner and its member */
        filch_task_cancel(task);
        check_int(result_of(task), 3);
    }
    return 0;
}

TEST(cancel, it_reaches_the_members_of_a_scope_of_a_task_that_is_awaited) {
    run_with_all(cancel_above_a_scope, NULL);
}

/* Each part looks more than once: what an earlier look has found is remembered. */
static int wait_in_and_out_of_a_shield(void *arg) {
    filch_scope *around = arg, within;
    check_int(filch_scope_open(&within, NULL), 0);
    for (int i = 0; i < 3; i++) check_int(filch_sleep(1000), 0);
    filch_shield shield;
    filch_shield_begin(&shield);
    filch_scope_cancel(around);
    for (int i = 0; i < 3; i++) check_int(filch_sleep(1000), 0);
    check(!filch_cancelled());
    filch_shield_end(&shield);
    for (int i = 0; i < 3; i++) check_int(filch_sleep(1000), -ECANCELED);
    check(filch_cancelled());
    filch_shield_begin(&shield);
    for (int i = 0; i < 3; i++) check_int(filch_sleep(1000), 0);
    filch_shield_end(&shield);
    check_int(filch_sleep(1000), -ECANCELED);
    check_int(filch_scope_close(&within), 0); /* it was not cancelled, but the one around it */
    check_int(filch_sleep(1000), -ECANCELED);
    return 0;
}

static int cancel_around_a_shield(void *arg) {
    (void)arg;
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_spawn(&scope, NULL, wait_in_and_out_of_a_shield, &scope, NULL), 0);
    check_int(filch_scope_close(&scope), -ECANCELED);
    for (int i = 0; i < 3; i++) check_int(filch_sleep(1000), 0);
    return 0;
}

TEST(cancel, it_counts_again_after_a_shield_in_which_it_did_not) {
    run_with_all(cancel_around_a_shield, NULL);
}

struct outside {
    atomic_bool begun, cancelled;
};

/* Awaited in a shield, on a stack that is large enough for a call in place: not touched. */
static int sleep_undisturbed(void *arg) {
    struct outside *outside = arg;
    atomic_store(&outside->begun, true);
    while (!atomic_load(&outside->cancelled)) check_int(filch_sleep(FILCH_US(500)), 0);
    check_int(filch_sleep(FILCH_US(500)), 0);
    check(!filch_cancelled());
    return 6;
}

static int await_in_shielded_scope(void *arg) {
    filch_shield shield;
    filch_scope scope;
    filch_task *member;
    filch_shield_begin(&shield);
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_spawn(&scope, &member, sleep_undisturbed, arg, NULL), 0);
    check_int(result_of(member), 6);
    check_int(filch_scope_close(&scope), 0);
    filch_shield_end(&shield);
    check(filch_cancelled());
    return 9;
}

static int cancel_outside_shield(void *arg) {
    (void)arg;
    for (int round = 0; round < 10; round++) {
        struct outside outside = {0};
        filch_task *task;
        filch_task_options options = {.stack_size = 512 << 10};
        check_int(filch_spawn(&task, await_in_shielded_scope, &outside, &options), 0);
        while (!atomic_load(&outside.begun)) filch_yield();
        filch_task_cancel(task);
        atomic_store(&outside.cancelled, true);
        check_int(result_of(task), 9);
    }
    return 0;
}

TEST(cancel, a_member_of_a_scope_in_a_shield_is_not_touched_where_it_is_called_in_place) {
    run_with_all(cancel_outside_shield, NULL);
}

/* The same without the shield: called in place in its scope, it is reached. */
static int await_member(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_task *member;
    int result = 0;
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_spawn(&scope, &member, own_a_sleeper, arg, NULL), 0);
    int answer = filch_await(member, &result, FILCH_NEVER);
    int closed = filch_scope_close(&scope);
    /* Where it ran elsewhere, the await has cancelled it alone, and it may have ended before the scope is closed. */
    check(closed == -ECANCELED || (closed == 0 && answer == -ECANCELED));
    if (answer != 0) check_int(filch_await(member, &result, FILCH_NEVER), -ECANCELED);
    if (answer != 0) filch_task_detach(member);
    check(answer == -ECANCELED || result == -ECANCELED);
    return 4;
}

static int cancel_member_in_place(void *arg) {
    (void)arg;
    for (int round = 0; round < 10; round++) {
        atomic_bool begun = false;
        filch_task *task;
        filch_task_options options = {.stack_size = 512 << 10};
        check_int(filch_spawn(&task, await_member, &begun, &options), 0);
        while (!atomic_load(&begun)) filch_yield();
        filch_task_cancel(task);
        check_int(result_of(task), 4);
    }
    return 0;
}

TEST(cancel, a_member_that_is_called_in_place_and_all_below_it_are_reached) {
    run_with_all(cancel_member_in_place, NULL);
}

/* -------------------------------------------------------------------------------------------------- forked children */

struct forks {
    struct waits *waits;
    atomic_uint cancelled, begun;
};

static int fork_tree_of_waits(struct forks *forks, int depth);

struct node {
    struct forks *forks;
    int depth;
};

static int fork_tree_task(void *arg) {
    struct node *node = arg;
    return fork_tree_of_waits(node->forks, node->depth);
}

static int fork_tree_of_waits(struct forks *forks, int depth) {
    if (depth == 0) {
        unsigned index = atomic_fetch_add(&forks->begun, 1);
        int answer = wait_kinds[index % WAIT_ALIKE](forks->waits, FILCH_NEVER);
        check_int(answer, -ECANCELED);
        check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
        atomic_fetch_add(&forks->cancelled, 1);
        return answer;
    }
    struct node left = {forks, depth - 1};
    filch_frame frame;
    filch_fork(&frame, fork_tree_task, &left);
    fork_tree_of_waits(forks, depth - 1);
    return filch_join(&frame);
}

static int fork_in_task(void *arg) {
    fork_tree_of_waits(arg, 4);
    check(filch_cancelled());
    return 8;
}

static int fork_in_scopes(void *arg) {
    filch_scope outer, inner;
    check_int(filch_scope_open(&outer, NULL), 0);
    check_int(filch_scope_open(&inner, NULL), 0);
    fork_tree_of_waits(arg, 3);
    check_int(filch_scope_close(&inner), 0); /* no task of it has failed, and it was not cancelled itself */
    check_int(filch_scope_close(&outer), 0);
    return 8;
}

static int cancel_forks(void *arg) {
    (void)arg;
    for (int round = 0; round < 6; round++) {
        struct waits waits;
        waits_begin(&waits);
        struct forks forks = {.waits = &waits};
        filch_task *task = start(round % 2 == 0 ? fork_in_task : fork_in_scopes, &forks);
        while (atomic_load(&forks.begun) == 0) filch_yield();
        filch_sleep(FILCH_MS(1)); /* thieves have taken some by now */
        filch_task_cancel(task);
        check_int(result_of(task), 8);
        check_int(atomic_load(&forks.cancelled), round % 2 == 0 ? 16 : 8);
        waits_end(&waits);
    }
    return 0;
}

TEST(cancel, forked_children_on_other_workers_are_reached_in_each_kind_of_wait) {
    run_with_all(cancel_forks, NULL);
}

/* Forked children that open scopes of their own, whose members wait. */
static int own_in_child(void *arg) {
    atomic_uint *begun = arg;
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    int spawned = filch_scope_spawn(&scope, NULL, sleep_for_ever, NULL, NULL);
    check_int(spawned, 0);
    atomic_fetch_add(begun, 1);
    check_int(filch_scope_close(&scope), -ECANCELED);
    return 0;
}

static int fork_owners(void *arg) {
    filch_frame frames[3];
    for (int i = 0; i < 3; i++) filch_fork(&frames[i], own_in_child, arg);
    own_in_child(arg);
    for (int i = 2; i >= 0; i--) filch_join(&frames[i]);
    return 2;
}

static int cancel_owners(void *arg) {
    (void)arg;
    for (int round = 0; round < 10; round++) {
        atomic_uint begun = 0;
        filch_task *task = start(fork_owners, &begun);
        while (atomic_load(&begun) == 0) filch_yield();
        if (round % 2 == 0) filch_sleep(FILCH_US(300));
        filch_task_cancel(task);
        check_int(result_of(task), 2);
        check_int(atomic_load(&begun), 4);
    }
    return 0;
}

TEST(cancel, scopes_that_forked_children_have_opened_are_reached) {
    run_with_all(cancel_owners, NULL);
}

/* A task spawned into a scope, and a scope it has opened inside that one. */
static int nested_member(void *arg) {
    filch_scope first, second;
    check_int(filch_scope_open(&first, NULL), 0);
    check_int(filch_scope_open(&second, NULL), 0);
    check_int(filch_scope_spawn(&second, NULL, sleep_for_ever, NULL, NULL), 0);
    atomic_store((atomic_bool *)arg, true);
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
    check_int(filch_scope_close(&second), -ECANCELED);
    check_int(filch_scope_close(&first), 0);
    return 1;
}

static int cancel_nested_member(void *arg) {
    (void)arg;
    for (int round = 0; round < 20; round++) {
        atomic_bool begun = false;
        filch_scope scope;
        filch_task *member, *sibling;
        check_int(filch_scope_open(&scope, NULL), 0);
        check_int(filch_scope_spawn(&scope, &member, nested_member, &begun, NULL), 0);
        check_int(filch_scope_spawn(&scope, &sibling, return_seven, NULL, NULL), 0);
        while (!atomic_load(&begun)) filch_yield();
        if (round % 2 == 0) filch_sleep(FILCH_US(200));
        filch_task_cancel(member);
        check_int(filch_scope_close(&scope), 0); /* the scope itself was not cancelled */
        check_int(result_of(member), 1);
        check_int(result_of(sibling), 7);
    }
    return 0;
}

TEST(cancel, a_member_that_is_cancelled_takes_its_own_scopes_with_it_and_nobody_else) {
    run_with_all(cancel_nested_member, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ shields */

static int clean_up_in_shield(void *arg) {
    (void)arg;
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
    filch_shield outer, inner;
    filch_shield_begin(&outer);
    check(!filch_cancelled());
    int64_t before = filch_now();
    check_int(filch_sleep(FILCH_MS(2)), 0); /* waits through */
    check(filch_now() - before >= FILCH_MS(2));
    filch_shield_begin(&inner);
    check_int(filch_sleep(0), 0);
    filch_shield_end(&inner);

    filch_scope scope; /* can be cancelled, and only that */
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_task *member;
    check_int(filch_sleep(0), 0);
    check_int(filch_scope_spawn(&scope, &member, sleep_for_ever, NULL, NULL), 0);
    filch_yield();
    filch_scope_cancel(&scope);
    check(filch_cancelled());
    check_int(filch_sleep(0), -ECANCELED);
    filch_shield_begin(&inner); /* of that, too */
    check_int(filch_sleep(0), 0);
    check_int(result_of(member), -ECANCELED);
    filch_shield_end(&inner);
    check_int(filch_scope_close(&scope), -ECANCELED);
    check_int(filch_sleep(0), 0);
    filch_shield_end(&outer);
    check_int(filch_sleep(0), -ECANCELED);
    return 0;
}

static int cancel_who_cleans_up(void *arg) {
    filch_task *task = start(clean_up_in_shield, arg);
    filch_sleep(FILCH_MS(1));
    filch_task_cancel(task);
    int result = result_of(task);
    check(result == 0 || result == -ECANCELED); /* not begun */
    return 0;
}

TEST(cancel, a_shield_waits_through_and_a_scope_inside_it_can_be_cancelled) {
    run_with_all(cancel_who_cleans_up, NULL);
}

/* A task spawned from a shield by filch_spawn is nobody's; a join in a cancelled task is not cut short. */
static int sleep_a_millisecond(void *arg) {
    filch_shield shield;
    filch_shield_begin(&shield);
    check_int(filch_sleep(FILCH_MS(1)), 0);
    filch_shield_end(&shield);
    atomic_fetch_add((atomic_uint *)arg, 1);
    return 0;
}

static int join_while_cancelled(void *arg) {
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
    filch_frame frame;
    filch_fork(&frame, sleep_a_millisecond, arg);
    for (int i = 0; i < 50; i++) filch_yield();
    check_int(filch_join(&frame), 0);
    return 1;
}

static int cancel_joiner(void *arg) {
    (void)arg;
    atomic_uint count = 0;
    filch_task *task = start(join_while_cancelled, &count);
    filch_sleep(FILCH_MS(1));
    filch_task_cancel(task);
    int result = result_of(task);
    check(result == -ECANCELED || atomic_load(&count) == 1);
    return 0;
}

TEST(cancel, a_join_is_not_cut_short) {
    run_with_all(cancel_joiner, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ misuse */

static int cancel_given_up(void *arg) {
    (void)arg;
    filch_task *task = start(return_seven, NULL);
    check_int(result_of(task), 7);
    filch_task_cancel(task);
    return 0;
}

TEST_DIES(cancel, cancelling_a_handle_that_was_given_up_aborts, "its handle is given up") {
    filch_run(cancel_given_up, NULL, &(filch_options){.workers = 1});
}

static int end_shields_in_wrong_order(void *arg) {
    (void)arg;
    filch_shield first, second;
    filch_shield_begin(&first);
    filch_shield_begin(&second);
    filch_shield_end(&first);
    return 0;
}

TEST_DIES(cancel, ending_shields_in_the_wrong_order_aborts, "shield_end: scopes and shields are closed by who opened") {
    filch_run(end_shields_in_wrong_order, NULL, &(filch_options){.workers = 1});
}

/* ------------------------------------------------------------------------------------------------------------ storms */

enum { STORM_TASKS = 4000, STORM_THREADS = 3, STORM_CANCELLERS = 8 };

struct storm {
    struct waits waits;
    filch_task *tasks[STORM_TASKS];
    atomic_uint begun, ended, cancelled, next;
    int count;
    bool all_begin; /* they are given the time for it; else some are cancelled before */
};

struct storm_task {
    struct storm *storm;
    uint32_t random;
};

static uint32_t chance(uint32_t *random, uint32_t count) {
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % count;
}

/* A scope with tasks in it, and perhaps forks: what a task may have open when it is cancelled. */
static void wait_deeper(struct storm_task *self) {
    filch_scope scope;
    check_int(filch_scope_open(&scope, &(filch_scope_options){.policy = FILCH_SCOPE_SUPERVISE}), 0);
    for (int i = 0; i < 2; i++) {
        int spawned = filch_scope_spawn(&scope, NULL, sleep_for_ever, NULL, NULL);
        check_int(spawned, 0); /* the scope itself is never cancelled */
    }
    filch_frame frame;
    filch_fork(&frame, sleep_for_ever, NULL);
    wait_kinds[chance(&self->random, WAIT_ALIKE)](&self->storm->waits, FILCH_NEVER);
    check_int(filch_join(&frame), -ECANCELED);
    int closed = filch_scope_close(&scope);
    check(closed == 0 || closed == -ECANCELED); /* all had ended, or not */
}

static int wait_until_cancelled(void *arg) {
    struct storm_task *self = arg;
    atomic_fetch_add(&self->storm->begun, 1);
    if (chance(&self->random, 4) == 0) {
        wait_deeper(self);
    } else {
        while (!filch_cancelled()) {
            filch_deadline deadline =
                chance(&self->random, 2) == 0 ? FILCH_NEVER : filch_after(chance(&self->random, 100000));
            int answer = wait_kinds[chance(&self->random, WAIT_ALIKE)](&self->storm->waits, deadline);
            check(answer == -ECANCELED || answer == -ETIMEDOUT);
        }
    }
    atomic_fetch_add(&self->storm->ended, 1);
    return 0;
}

/* Several of these, tasks and foreign threads, cancel all tasks together, each one by all of them. */
static int cancel_all_of_storm(void *arg) {
    struct storm *storm = arg;
    unsigned begin = atomic_fetch_add(&storm->next, 1) * 997;
    for (int i = 0; i < storm->count; i++)
        filch_task_cancel(storm->tasks[(begin + (unsigned)i) % (unsigned)storm->count]);
    return 0;
}

static void *cancel_storm_thread(void *arg) {
    cancel_all_of_storm(arg);
    return NULL;
}

static int raise_storm(void *arg) {
    struct storm *storm = arg;
    static struct storm_task selves[STORM_TASKS];
    waits_begin(&storm->waits);
    for (int i = 0; i < storm->count; i++) {
        selves[i] = (struct storm_task){storm, (uint32_t)i * 2654435761u};
        storm->tasks[i] = start(wait_until_cancelled, &selves[i]);
        if (i % 16 == 0) filch_yield();
    }
    if (storm->all_begin) filch_sleep(FILCH_MS(5));
    pthread_t threads[STORM_THREADS];
    filch_task *cancellers[STORM_CANCELLERS];
    for (int i = 0; i < STORM_THREADS; i++) check_int(pthread_create(&threads[i], NULL, cancel_storm_thread, storm), 0);
    for (int i = 0; i < STORM_CANCELLERS; i++) cancellers[i] = start(cancel_all_of_storm, storm);
    for (int i = 0; i < STORM_CANCELLERS; i++) check_int(result_of(cancellers[i]), 0);
    for (int i = 0; i < STORM_THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < storm->count; i++) {
        int result = result_of(storm->tasks[i]);
        check(result == 0 || result == -ECANCELED);
        if (result == -ECANCELED) atomic_fetch_add(&storm->cancelled, 1); /* it never began */
    }
    check_int(atomic_load(&storm->begun), atomic_load(&storm->ended));
    check_int(atomic_load(&storm->begun) + atomic_load(&storm->cancelled), storm->count);
    waits_end(&storm->waits);
    return 0;
}

static void storm_once(unsigned workers, bool all_begin) {
    size_t before = filch__heap_objects();
    struct storm *storm = calloc(1, sizeof *storm);
    check(storm != NULL);
    storm->count = STORM_TASKS / TEST_SCALE;
    storm->all_begin = all_begin;
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = workers}), 0);
    filch_task *task;
    check_int(filch_runtime_spawn(runtime, &task, raise_storm, storm, NULL), 0);
    check_int(result_of(task), 0);
    check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
    filch_stats stats;
    check_int(filch_runtime_stats(runtime, &stats), 0);
    check_int(stats.tasks, 0);
    struct census census = {0};
    check_int(filch_task_each(runtime, count_census, &census), 0);
    check_int(census.waiting + census.others, 0);
    check_int(filch_runtime_destroy(runtime), 0);
    check_int(filch__heap_objects(), before);
    free(storm);
}

static void storm_on(unsigned workers) {
    for (int round = 0; round < 4; round++) storm_once(workers, round % 2 == 0);
}

TEST(cancel, a_storm_on_one_worker_forgets_nobody_and_leaves_nothing) {
    storm_on(1);
}

TEST(cancel, a_storm_on_two_workers_forgets_nobody_and_leaves_nothing) {
    storm_on(2);
}

TEST(cancel, a_storm_on_four_workers_forgets_nobody_and_leaves_nothing) {
    storm_on(4);
}

TEST(cancel, a_storm_on_eight_workers_forgets_nobody_and_leaves_nothing) {
    storm_on(8);
}

TEST(cancel, a_storm_on_64_workers_forgets_nobody_and_leaves_nothing) {
    storm_on(64);
}
