/* SPDX-License-Identifier: MIT */
/*
 * Semaphores, barriers, wait groups and futures, between virtual threads that are no workers and whose deadlines may pass,
 * and with a task that is cancelled in the middle of each kind of call. Verdict: permits are conserved, who waits goes on,
 * and nobody touches what was given away.
 */
#include "alloc/heap.h"
#include "tests/explore/ledger.h"

/* ----------------------------------------------------------------------------------------------------- semaphores */

static filch_sem sem;
static unsigned releases;

static void acquire_or_expire(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) {
        filch_deadline deadline = some_deadline();
        int answer = filch_sem_acquire(&sem, deadline);
        explore_check(answer == 0 || (answer == -ETIMEDOUT && may_expire(deadline)));
        if (answer != 0) continue;
        stay_inside();
        filch_sem_release(&sem);
    }
}

SCENARIO(sem_expires, "three threads pass one permit on, and their deadlines pass meanwhile, or not") {
    begin();
    explore_check(filch_sem_init(&sem, 1, 1) == 0);
    run_three(acquire_or_expire, acquire_or_expire, acquire_or_expire);
    explore_check(filch_sem_value(&sem) == 1);
    filch_sem_fini(&sem);
}

static void acquire_two_or_expire(void *arg) {
    (void)arg;
    if (filch_sem_acquire_n(&sem, 2, soon()) == 0) filch_sem_release_n(&sem, 2);
}

static void acquire_one(void *arg) {
    (void)arg;
    explore_check(filch_sem_acquire(&sem, FILCH_NEVER) == 0);
}

static void release_some(void *arg) {
    (void)arg;
    for (unsigned i = 0; i < releases; i++) filch_sem_release(&sem);
}

SCENARIO(sem_gives_way, "who waits for two permits in front of who waits for one expires, and there is one, or two") {
    begin();
    releases = 1 + explore_choose(2);
    explore_check(filch_sem_init(&sem, 0, 0) == 0);
    run_three(acquire_two_or_expire, acquire_one, release_some);
    explore_check(filch_sem_value(&sem) == releases - 1);
    filch_sem_fini(&sem);
}

static void acquire_two(void *arg) {
    (void)arg;
    explore_check(filch_sem_acquire_n(&sem, 2, FILCH_NEVER) == 0);
}

static void acquire_behind(void *arg) {
    do {
        filch_yield();
    } while (filch_sem_value(&sem) == 0 && sem.filch__waiters.first == NULL); /* each look is an event: others run */
    add_seq_cst(&there, 1);
    acquire_one(arg);
    explore_check(done == 3); /* the first two are not for the caller */
}

static void release_three(void *arg) {
    (void)arg;
    while (load_seq_cst(&there) == 0) filch_yield();
    for (int i = 0; i < 3; i++) {
        done++;
        filch_sem_release(&sem);
    }
}

SCENARIO(sem_in_turn, "a thread acquires one permit after another has begun to wait for two, and three are released") {
    begin();
    explore_check(filch_sem_init(&sem, 0, 3) == 0);
    run_three(acquire_two, acquire_behind, release_three);
    explore_check(filch_sem_value(&sem) == 0);
    filch_sem_fini(&sem);
}

/* ------------------------------------------------------------------------------------------------------- barriers */

static filch_barrier barrier;
static unsigned places[2];

static void arrive_twice(void *arg) {
    (void)arg;
    for (int round = 0; round < 2; round++) {
        int place;
        do {
            filch_deadline deadline = some_deadline();
            place = filch_barrier_wait(&barrier, deadline);
            explore_check(place != -ETIMEDOUT || may_expire(deadline));
        } while (place == -ETIMEDOUT);
        explore_check(place >= 0 && place < 3);
        explore_check((places[round] & 1u << place) == 0);
        places[round] |= 1u << place;
    }
}

SCENARIO(barrier_expires, "three threads meet twice; who expires comes again") {
    begin();
    places[0] = places[1] = 0;
    explore_check(filch_barrier_init(&barrier, 3) == 0);
    run_three(arrive_twice, arrive_twice, arrive_twice);
    explore_check(places[0] == 7 && places[1] == 7);
    explore_check(filch_barrier_waiting(&barrier) == 0);
    filch_barrier_fini(&barrier);
}

static void wait_for_its_end(void *arg) {
    (void)arg;
    filch_deadline deadline = some_deadline();
    int answer = filch_barrier_wait(&barrier, deadline);
    explore_check(answer == -EPIPE || (answer == -ETIMEDOUT && may_expire(deadline)));
    done++;
}

static void end_rounds(void *arg) {
    (void)arg;
    if (explore_choose(2) == 0) {
        filch_barrier_abort(&barrier);
        explore_check(filch_barrier_wait(&barrier, FILCH_NEVER) == -EPIPE);
    } else {
        do { /* not again and again: a spin lock is not fair */
            if (filch_barrier_waiting(&barrier) > 0) filch_barrier_reset(&barrier);
            filch_yield();
        } while (done < 2);
        explore_check(filch_barrier_try_wait(&barrier) == -EAGAIN);
    }
}

SCENARIO(barrier_ends, "two threads wait at a barrier that a third aborts, or resets until they are gone") {
    begin();
    explore_check(filch_barrier_init(&barrier, 3) == 0);
    run_three(wait_for_its_end, wait_for_its_end, end_rounds);
    explore_check(filch_barrier_waiting(&barrier) == 0);
    filch_barrier_fini(&barrier);
}

/* ---------------------------------------------------------------------------------------------------- wait groups */

static filch_wait_group group;

static void do_one(void *wait_group) {
    filch_wait_group_done(wait_group);
}

SCENARIO(wait_group_is_freed, "a thread waits for two others, and gives the group's memory away") {
    begin();
    filch_wait_group *own = filch__heap_get(sizeof *own, 8);
    explore_check(filch_wait_group_init(own) == 0);
    filch_wait_group_add(own, 2);
    unsigned first = explore_start(do_one, own), second = explore_start(do_one, own);
    filch_deadline deadline = some_deadline();
    int answer;
    while ((answer = filch_wait_group_wait(own, deadline)) == -ETIMEDOUT) deadline = FILCH_NEVER;
    explore_check(answer == 0);
    filch_wait_group_fini(own);
    filch__heap_put(own, sizeof *own, 8);
    explore_join(first);
    explore_join(second);
}

static void wait_for_zero(void *arg) {
    filch_deadline deadline = arg == (void *)1 ? FILCH_NEVER : soon();
    int answer = filch_wait_group_wait(&group, deadline);
    explore_check(answer == 0 || (answer == -ETIMEDOUT && may_expire(deadline)));
    explore_check(answer != 0 || done > 0);
}

static void do_two_rounds(void *arg) {
    (void)arg;
    done++;
    filch_wait_group_done(&group);
    filch_wait_group_add(&group, 1);
    filch_wait_group_done(&group);
}

SCENARIO(wait_group_again, "two threads wait at a group, one of them not for long, that is used again at once") {
    begin();
    explore_check(filch_wait_group_init(&group) == 0);
    filch_wait_group_add(&group, 1);
    run_three(wait_for_zero, wait_for_zero, do_two_rounds);
    filch_wait_group_fini(&group);
}

/* -------------------------------------------------------------------------------------------------------- futures */

static filch_future future;

static void set_future(void *own) {
    explore_check(filch_future_set(own, 5, own) == 0);
}

/* One of the ways to learn that it is done. */
static void wait_for_future(filch_future *own) {
    int result = 0;
    void *value = NULL;
    filch_deadline deadline = some_deadline();
    int answer;
    if (explore_choose(4) == 0) {
        while ((answer = filch_future_try_wait(own, &result, &value)) == -EAGAIN) filch_yield();
    } else {
        answer = filch_future_wait(own, &result, &value, deadline);
    }
    if (answer == -ETIMEDOUT) {
        explore_check(may_expire(deadline) && value == NULL);
        answer = filch_future_wait(own, &result, &value, FILCH_NEVER);
    }
    explore_check(answer == 0 && result == 5 && value == own);
}

SCENARIO(future_is_freed, "a thread waits for a future that another sets, and gives its memory away") {
    begin();
    filch_future *own = filch__heap_get(sizeof *own, 8);
    explore_check(filch_future_init(own) == 0);
    unsigned setter = explore_start(set_future, own);
    wait_for_future(own);
    filch_future_fini(own);
    filch__heap_put(own, sizeof *own, 8);
    explore_join(setter);
}

static int winner;

/* The pointer is to what the caller's result is. */
static void try_to_set(void *arg) {
    int result = (int)(uintptr_t)arg;
    int answer = filch_future_set(&future, result, arg);
    explore_check(answer == 0 || answer == -EALREADY);
    if (answer != 0) return;
    explore_check(winner == 0);
    winner = result;
}

static void wait_for_winner(void *arg) {
    int result = 0;
    void *value = NULL;
    filch_deadline deadline = arg == NULL ? FILCH_NEVER : soon();
    int answer = filch_future_wait(&future, &result, &value, deadline);
    if (answer == -ETIMEDOUT && may_expire(deadline)) return;
    explore_check(answer == 0);
    explore_check(result == 1 || result == 2);
    explore_check(value == (void *)(uintptr_t)result);
    explore_check(winner == 0 || winner == result);
}

SCENARIO(future_set_twice, "two threads set a future that two wait for, one of them not for long") {
    begin();
    winner = 0;
    explore_check(filch_future_init(&future) == 0);
    unsigned waiter = explore_start(wait_for_winner, (void *)1);
    run_three(try_to_set, try_to_set, wait_for_winner);
    explore_join(waiter);
    explore_check(winner != 0);
    int result = 0;
    explore_check(filch_future_try_wait(&future, &result, NULL) == 0 && result == winner);
    filch_future_fini(&future);
}

/* ------------------------------------------------------------------------------------- cancelled at any one point */

static void begin_sem(void) {
    begin();
    explore_check(filch_sem_init(&sem, 0, 2) == 0);
}

static int make_sem(void *arg) {
    (void)arg;
    return filch_sem_acquire_n(&sem, 2, FILCH_NEVER);
}

static int serve_sem(void *arg) {
    (void)arg;
    filch_sem_release(&sem);
    filch_sem_release(&sem);
    return 0;
}

static void judge_sem(int answer) {
    explore_check(filch_sem_value(&sem) == (answer == 0 ? 0 : 2));
    filch_sem_fini(&sem);
}

static void begin_barrier(void) {
    begin();
    explore_check(filch_barrier_init(&barrier, 2) == 0);
}

static int make_barrier(void *arg) {
    (void)arg;
    return filch_barrier_wait(&barrier, FILCH_NEVER);
}

static void release_barrier(void) {
    filch_barrier_abort(&barrier);
}

/* Either both have met, or neither. */
static void judge_barrier(int answer) {
    explore_check(answer >= 0 ? answer + served == 1 : served == -EPIPE);
    explore_check(filch_barrier_waiting(&barrier) == 0);
    filch_barrier_fini(&barrier);
}

static void begin_group(void) {
    begin();
    explore_check(filch_wait_group_init(&group) == 0);
    filch_wait_group_add(&group, 1);
}

static int make_group(void *arg) {
    (void)arg;
    int answer = filch_wait_group_wait(&group, FILCH_NEVER);
    explore_check(answer != 0 || done == 1);
    return answer;
}

static int serve_group(void *arg) {
    (void)arg;
    done++;
    filch_wait_group_done(&group);
    return 0;
}

static void judge_group(int answer) {
    (void)answer;
    explore_check(filch_wait_group_try_wait(&group) == 0);
    filch_wait_group_fini(&group);
}

static void begin_future(void) {
    begin();
    explore_check(filch_future_init(&future) == 0);
}

static int make_future(void *arg) {
    (void)arg;
    int result = UNTOUCHED;
    int answer = filch_future_wait(&future, &result, NULL, FILCH_NEVER);
    explore_check(result == (answer == 0 ? 9 : UNTOUCHED));
    return answer;
}

static int serve_future(void *arg) {
    return filch_future_set(&future, 9, arg);
}

static void judge_future(int answer) {
    (void)answer;
    explore_check(served == 0 && filch_future_is_done(&future));
    filch_future_fini(&future);
}

static int make_ticker(void *arg) {
    (void)arg;
    filch_ticker ticker;
    explore_check(filch_ticker_init(&ticker, 1 + (int64_t)explore_choose(40000)) == 0);
    return (int)filch_ticker_wait(&ticker, FILCH_NEVER);
}

static int serve_nothing(void *arg) {
    (void)arg;
    return 0;
}

static void judge_ticker(int answer) {
    explore_check(answer != 0);
}

SCENARIO(cancel_at_counts, "a task is cancelled while it waits for permits, a barrier, a group, a future, a tick") {
    static const struct call calls[] = {
        {begin_sem, make_sem, serve_sem, NULL, judge_sem},
        {begin_barrier, make_barrier, make_barrier, release_barrier, judge_barrier},
        {begin_group, make_group, serve_group, NULL, judge_group},
        {begin_future, make_future, serve_future, NULL, judge_future},
        {begin, make_ticker, serve_nothing, NULL, judge_ticker},
    };
    run_and_cancel(&calls[explore_choose(sizeof calls / sizeof *calls)]);
}
