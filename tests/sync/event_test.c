/* SPDX-License-Identifier: MIT */
/* Events: all who wait go on when it is set, and nobody does before. */
#include <string.h>

#include "tests/sync/locks.h"

struct guest {
    filch_event *event;
    filch_deadline deadline;
    int *door; /* written before the event is set */
};

static int wait_for_it(void *arg) {
    struct guest *guest = arg;
    int error = filch_event_wait(guest->event, guest->deadline);
    if (!error && guest->door != NULL) check_int(*guest->door, 1);
    return error;
}

static int set_and_clear(void *arg) {
    (void)arg;
    filch_event event;
    filch_task *tasks[10];
    int door = 0;
    struct guest guest = {&event, FILCH_NEVER, &door};
    memset(&event, 0xa5, sizeof event);
    filch_event_init(&event);
    for (int round = 0; round < 3; round++) {
        check(!filch_event_is_set(&event));
        for (int i = 0; i < 10; i++) tasks[i] = start(wait_for_it, &guest);
        until_wait_at(&event, 10);
        door = 1;
        filch_event_set(&event);
        filch_event_set(&event);
        check(filch_event_is_set(&event));
        check_int(filch_event_wait(&event, (filch_deadline){0}), 0);
        filch_event_clear(&event); /* those who wait go on anyway */
        check_int(filch_event_wait(&event, (filch_deadline){0}), -ETIMEDOUT);
        for (int i = 0; i < 10; i++) check_int(result_of(tasks[i]), 0);
    }
    filch_event_fini(&event);
    return 0;
}

TEST(event, all_who_wait_go_on_when_it_is_set_though_it_is_cleared_at_once) {
    run_with_each(set_and_clear, NULL);
}

TEST(event, no_event_is_an_invalid_argument) {
    check_int(filch_event_wait(NULL, FILCH_NEVER), -EINVAL);
}

/* ------------------------------------------------------------------------------------------------------- crowds */

/* Each phase has an event; the last to come to it sets it. Nobody goes on before. */
enum { PHASES = 50, ALL = CROWD_TASKS + CROWD_THREADS };

struct phases {
    filch_event events[PHASES];
    atomic_int came[PHASES];
    long written[ALL][PHASES];
    atomic_int numbers;
    bool deadlines;
};

static void go_through(void *arg, uint32_t *random) {
    struct phases *phases = arg;
    int number = atomic_fetch_add(&phases->numbers, 1);
    for (int phase = 0; phase < PHASES; phase++) {
        filch_event *event = &phases->events[phase];
        phases->written[number][phase] = phase + 1;
        if (atomic_fetch_add(&phases->came[phase], 1) == ALL - 1) filch_event_set(event);
        int error;
        do {
            filch_deadline deadline = FILCH_NEVER;
            if (phases->deadlines && chance(random, 2)) deadline = filch_after(FILCH_US(chance(random, 50)));
            error = filch_event_wait(event, deadline);
        } while (error == -ETIMEDOUT && phases->deadlines);
        check_int(error, 0);
        check_int(phases->written[chance(random, ALL)][phase], phase + 1);
    }
}

static int meet(void *arg) {
    (void)arg;
    for (int round = 0; round < 4; round++) {
        struct phases *phases = calloc(1, sizeof *phases);
        phases->deadlines = round & 1;
        crowd(go_through, phases, false);
        for (int i = 0; i < PHASES; i++) filch_event_fini(&phases->events[i]);
        free(phases);
    }
    return 0;
}

TEST(event, nobody_goes_on_early_and_nobody_stays_among_tasks_and_threads) {
    run_with_each(meet, NULL);
}

/* Who waited gives the memory away at once, while the setter is still returning. */
static void *set_it(void *arg) {
    filch_event_set(arg);
    return NULL;
}

static int set_it_in_task(void *arg) {
    filch_event_set(arg);
    return 0;
}

static int use_for_one_answer(void *arg) {
    (void)arg;
    for (int round = 0; round < 500 / TEST_SCALE; round++) {
        filch_event *event = calloc(1, sizeof *event);
        pthread_t thread;
        filch_task *task = NULL;
        bool by_thread = round & 1;
        if (by_thread) {
            check_int(pthread_create(&thread, NULL, set_it, event), 0);
        } else {
            task = start(set_it_in_task, event);
        }
        check_int(filch_event_wait(event, FILCH_NEVER), 0);
        filch_event_fini(event);
        memset(event, 0xff, sizeof *event);
        free(event);
        if (by_thread) {
            pthread_join(thread, NULL);
        } else {
            check_int(result_of(task), 0);
        }
    }
    return 0;
}

TEST(event, who_was_woken_may_give_the_memory_away) {
    run_with_each(use_for_one_answer, NULL);
}

/* ---------------------------------------------------------------------------------------- deadlines, cancellation */

static int cut_short(void *arg) {
    (void)arg;
    filch_event event = FILCH_EVENT_INIT;
    struct guest guest = {&event, filch_after(FILCH_MS(2)), NULL};
    check_int(filch_event_wait(&event, guest.deadline), -ETIMEDOUT);
    check(filch_now() >= guest.deadline.at_ns);
    guest.deadline = FILCH_NEVER;
    filch_task *waits = start(wait_for_it, &guest);
    until_wait_at(&event, 1);
    filch_task_cancel(waits);
    check_int(result_of(waits), -ECANCELED);
    filch_event_fini(&event);
    return 0;
}

TEST(event, a_deadline_or_a_cancellation_ends_the_wait) {
    run_with_each(cut_short, NULL);
}

static int wait_when_cancelled(void *arg) {
    (void)arg;
    filch_event event = FILCH_EVENT_INIT;
    filch_scope scope;
    filch_event_set(&event);
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_event_wait(&event, FILCH_NEVER), -ECANCELED);
    filch_scope_close(&scope);
    check_int(filch_event_wait(&event, FILCH_NEVER), 0);
    return 0;
}

TEST(event, one_that_is_set_is_not_waited_for_in_a_cancelled_scope) {
    run_with_each(wait_when_cancelled, NULL);
}

static int cancel_one_that_was_woken(void *arg) {
    (void)arg;
    filch_event event = FILCH_EVENT_INIT;
    struct guest guest = {&event, FILCH_NEVER, NULL};
    filch_task *waits = start(wait_for_it, &guest);
    until_wait_at(&event, 1);
    filch_event_set(&event);
    filch_task_cancel(waits);
    check_int(result_of(waits), 0);
    filch_event_fini(&event);
    return 0;
}

TEST(event, one_cancelled_when_it_was_woken_has_seen_the_event) {
    for (int i = 0; i < 50; i++) run_with_each(cancel_one_that_was_woken, NULL);
}

/* Nobody stays behind when waits are cut short at the time that the event is set. */
static void wait_shortly(void *arg, uint32_t *random) {
    filch_event *event = arg;
    for (int i = 0; i < 200 / TEST_SCALE; i++) {
        switch (chance(random, 4)) {
        case 0:
            filch_event_set(event);
            break;
        case 1:
            filch_event_clear(event);
            break;
        default:
            (void)!filch_event_wait(event, filch_after(FILCH_US(chance(random, 30))));
            break;
        }
    }
}

static int storm(void *arg) {
    (void)arg;
    for (int round = 0; round < 6; round++) {
        filch_event event = FILCH_EVENT_INIT;
        crowd(wait_shortly, &event, round & 1);
        filch_event_fini(&event); /* aborts if somebody is in the list */
    }
    return 0;
}

TEST(event, a_storm_leaves_nobody_in_the_list) {
    run_with_each(storm, NULL);
}

/* --------------------------------------------------------------------------------------------------------- misuse */

static int end_while_waited_for(void *arg) {
    (void)arg;
    filch_event event = FILCH_EVENT_INIT;
    struct guest guest = {&event, FILCH_NEVER, NULL};
    filch_task_detach(start(wait_for_it, &guest));
    until_wait_at(&event, 1);
    filch_event_fini(&event);
    return 0;
}

TEST_DIES(event, ending_the_use_of_one_that_is_waited_for_aborts, "is waited for") {
    run_with(1, end_while_waited_for, NULL);
}

TEST(event, ending_the_use_of_nothing_is_nothing) {
    filch_mutex_fini(NULL);
    filch_cond_fini(NULL);
    filch_rwlock_fini(NULL);
    filch_once_fini(NULL);
    filch_event_fini(NULL);
    filch_sem_fini(NULL);
    filch_barrier_fini(NULL);
    filch_wait_group_fini(NULL);
    filch_future_fini(NULL);
    filch_queue_fini(NULL);
    filch_chan_destroy(NULL);
}
