/* SPDX-License-Identifier: MIT */
/*
 * Proves that nobody passes a barrier before all of the round have come, that each has a place of its own, and that who
 * is cut short neither holds a round up nor lets it go too early.
 */
#include "tests/sync/locks.h"

#include <limits.h>
#include <string.h>

struct party {
    filch_barrier *barrier;
    filch_deadline deadline;
    int answer;
    filch_task *task;
};

static int wait_once(void *arg) {
    struct party *party = arg;
    party->answer = filch_barrier_wait(party->barrier, party->deadline);
    return 0;
}

static void arrive_all(struct party *parties, int count, filch_barrier *barrier) {
    for (int i = 0; i < count; i++) {
        parties[i] = (struct party){.barrier = barrier, .deadline = FILCH_NEVER, .answer = -1};
        parties[i].task = start(wait_once, &parties[i]);
        until_wait_at(barrier, i + 1);
        check_int(filch_barrier_waiting(barrier), i + 1);
    }
}

static void all_answer(struct party *parties, int count, int answer) {
    for (int i = 0; i < count; i++) {
        check_int(result_of(parties[i].task), 0);
        check_int(parties[i].answer, answer);
    }
}

TEST(barrier, bad_arguments_are_refused) {
    filch_barrier barrier;
    check_int(filch_barrier_init(NULL, 1), -EINVAL);
    check_int(filch_barrier_init(&barrier, 0), -EINVAL);
    check_int(filch_barrier_init(&barrier, (unsigned)INT_MAX + 1), -EINVAL);
    check_int(filch_barrier_wait(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_barrier_try_wait(NULL), -EINVAL);
    filch_barrier_fini(NULL);
}

TEST(barrier, a_party_of_one_does_not_wait) {
    filch_barrier barrier;
    check_int(filch_barrier_init(&barrier, 1), 0);
    check_int(filch_barrier_parties(&barrier), 1);
    for (int i = 0; i < 10; i++) {
        check_int(filch_barrier_wait(&barrier, (filch_deadline){0}), 0);
        check_int(filch_barrier_try_wait(&barrier), 0);
    }
    filch_barrier_fini(&barrier);
}

static int places(void *arg) {
    (void)arg;
    enum { PARTIES = 6 };
    struct party parties[PARTIES];
    filch_barrier barrier;
    check_int(filch_barrier_init(&barrier, PARTIES), 0);
    for (int round = 0; round < 3; round++) {
        arrive_all(parties, PARTIES - 1, &barrier);
        check_int(round == 1 ? filch_barrier_try_wait(&barrier) : filch_barrier_wait(&barrier, FILCH_NEVER),
                  PARTIES - 1);
        check_int(filch_barrier_waiting(&barrier), 0);
        for (int i = 0; i < PARTIES - 1; i++) all_answer(&parties[i], 1, i);
    }
    filch_barrier_fini(&barrier);
    return 0;
}

TEST(barrier, each_is_told_its_place_in_the_order_they_came) {
    run_with_each(places, NULL);
}

/* ---------------------------------------------------------------------------------------------------- cut short */

static int leave_round(void *arg) {
    (void)arg;
    struct party parties[3];
    filch_barrier barrier;
    check_int(filch_barrier_init(&barrier, 3), 0);
    check_int(filch_barrier_try_wait(&barrier), -EAGAIN);
    check_int(filch_barrier_wait(&barrier, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_barrier_wait(&barrier, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check_int(filch_barrier_waiting(&barrier), 0);
    arrive_all(parties, 2, &barrier);
    filch_task_cancel(parties[0].task);
    all_answer(&parties[0], 1, -ECANCELED);
    check_int(filch_barrier_waiting(&barrier), 1);
    check(!filch_barrier_broken(&barrier));
    check_int(filch_barrier_try_wait(&barrier), -EAGAIN); /* two are missing */
    struct party late = {.barrier = &barrier, .deadline = FILCH_NEVER};
    late.task = start(wait_once, &late);
    until_wait_at(&barrier, 2);
    check_int(filch_barrier_wait(&barrier, FILCH_NEVER), 2);
    all_answer(&parties[1], 1, 0); /* it has moved up: places are those of the round that came about */
    all_answer(&late, 1, 1);
    filch_barrier_fini(&barrier);
    return 0;
}

TEST(barrier, who_is_cut_short_leaves_the_round_and_the_others_wait_on) {
    run_with_each(leave_round, NULL);
}

static int granted_and_cancelled(void *arg) {
    (void)arg;
    struct party parties[2];
    filch_barrier barrier;
    check_int(filch_barrier_init(&barrier, 3), 0);
    arrive_all(parties, 2, &barrier);
    check_int(filch_barrier_try_wait(&barrier), 2);
    filch_task_cancel(parties[0].task); /* it has not run since it was let go: a try does not give way to others */
    all_answer(&parties[0], 1, 0);
    all_answer(&parties[1], 1, 1);
    check_int(filch_barrier_waiting(&barrier), 0);
    filch_barrier_fini(&barrier);
    return 0;
}

TEST(barrier, cpython_112202_who_was_let_go_and_is_then_cancelled_has_passed) {
    run_with(1, granted_and_cancelled, NULL);
}

static int cancelled_before(void *arg) {
    filch_barrier *barrier = arg;
    filch_task_cancel(filch_self());
    check_int(filch_barrier_wait(barrier, FILCH_NEVER), -ECANCELED); /* although it would be the last */
    check_int(filch_barrier_waiting(barrier), 0);
    check_int(filch_barrier_try_wait(barrier), 0);
    return 0;
}

static int start_cancelled(void *arg) {
    return result_of(start(cancelled_before, arg));
}

TEST(barrier, who_is_cancelled_passes_only_by_trying) {
    filch_barrier barrier;
    check_int(filch_barrier_init(&barrier, 1), 0);
    run_with(1, start_cancelled, &barrier);
    filch_barrier_fini(&barrier);
}

/* ----------------------------------------------------------------------------------------------- abort and reset */

static int break_it(void *arg) {
    (void)arg;
    struct party parties[2];
    filch_barrier barrier;
    check_int(filch_barrier_init(&barrier, 3), 0);
    arrive_all(parties, 2, &barrier);
    filch_barrier_abort(&barrier);
    all_answer(parties, 2, -EPIPE);
    check(filch_barrier_broken(&barrier));
    check_int(filch_barrier_wait(&barrier, FILCH_NEVER), -EPIPE);
    check_int(filch_barrier_try_wait(&barrier), -EPIPE);
    filch_barrier_abort(&barrier);
    filch_barrier_reset(&barrier);
    check(!filch_barrier_broken(&barrier));
    arrive_all(parties, 2, &barrier);
    filch_barrier_reset(&barrier);
    all_answer(parties, 2, -EPIPE);
    check(!filch_barrier_broken(&barrier));
    arrive_all(parties, 2, &barrier);
    check_int(filch_barrier_wait(&barrier, FILCH_NEVER), 2);
    all_answer(&parties[0], 1, 0);
    all_answer(&parties[1], 1, 1);
    filch_barrier_fini(&barrier);
    return 0;
}

TEST(barrier, who_waits_is_told_of_an_abort_and_of_a_reset) {
    run_with_each(break_it, NULL);
}

/* ------------------------------------------------------------------------------------------------- conservation */

enum { ROUND_TASKS = 5, ROUND_THREADS = 2, ROUND_PARTIES = ROUND_TASKS + ROUND_THREADS };

struct rounds {
    filch_barrier barrier;
    int count;
    atomic_int arrived; /* over all rounds */
    atomic_uchar taken[ROUND_PARTIES];
};

/* Between two waits of the same round each place is taken once, and nobody is a round ahead. */
static int go_round(void *arg) {
    struct rounds *rounds = arg;
    for (int round = 0; round < rounds->count; round++) {
        atomic_fetch_add(&rounds->arrived, 1);
        int place = filch_barrier_wait(&rounds->barrier, FILCH_NEVER);
        check(place >= 0 && place < ROUND_PARTIES);
        check(atomic_load(&rounds->arrived) >= (round + 1) * ROUND_PARTIES);
        check_int(atomic_fetch_add(&rounds->taken[place], 1), 0);
        check(filch_barrier_wait(&rounds->barrier, FILCH_NEVER) >= 0);
        check_int(atomic_load(&rounds->arrived), (round + 1) * ROUND_PARTIES);
        check_int(atomic_fetch_sub(&rounds->taken[place], 1), 1);
        check(filch_barrier_wait(&rounds->barrier, FILCH_NEVER) >= 0);
    }
    return 0;
}

static void *go_round_thread(void *arg) {
    go_round(arg);
    return NULL;
}

static int go_rounds(void *arg) {
    (void)arg;
    struct rounds rounds = {.count = 500 / TEST_SCALE};
    check_int(filch_barrier_init(&rounds.barrier, ROUND_PARTIES), 0);
    filch_task *tasks[ROUND_TASKS];
    pthread_t threads[ROUND_THREADS];
    for (int i = 0; i < ROUND_THREADS; i++) {
        check_int(pthread_create(&threads[i], NULL, go_round_thread, &rounds), 0);
    }
    for (int i = 0; i < ROUND_TASKS; i++) tasks[i] = start(go_round, &rounds);
    for (int i = 0; i < ROUND_TASKS; i++) check_int(result_of(tasks[i]), 0);
    for (int i = 0; i < ROUND_THREADS; i++) pthread_join(threads[i], NULL);
    filch_barrier_fini(&rounds.barrier);
    return 0;
}

TEST(barrier, nobody_passes_early_and_each_place_is_taken_once) {
    run_with_each(go_rounds, NULL);
}

/*
 * Rounds of four in which members give up and come again. A round that comes about has each place once: so all places
 * have been taken equally often.
 */
struct ragged {
    filch_barrier barrier;
    atomic_long taken[4];
};

static void pass_raggedly(void *shared, uint32_t *random) {
    struct ragged *ragged = shared;
    for (int i = 0; i < 300 / TEST_SCALE; i++) {
        filch_deadline deadline = filch_after(chance(random, 2) ? FILCH_MS(2) : chance(random, 20) * 1000);
        int place = filch_barrier_wait(&ragged->barrier, deadline);
        if (place == -ECANCELED) return;
        if (place == -ETIMEDOUT) continue;
        check(place >= 0 && place < 4);
        atomic_fetch_add(&ragged->taken[place], 1);
    }
}

static int pass_all_raggedly(void *arg) {
    struct ragged ragged = {0};
    check_int(filch_barrier_init(&ragged.barrier, 4), 0);
    crowd(pass_raggedly, &ragged, *(bool *)arg);
    for (int i = 1; i < 4; i++) check_int(ragged.taken[i], ragged.taken[0]);
    check(ragged.taken[0] > 0);
    check_int(filch_barrier_waiting(&ragged.barrier), 0);
    filch_barrier_fini(&ragged.barrier);
    return 0;
}

TEST(barrier, rounds_are_whole_whoever_gives_up_meanwhile) {
    for (int cancel = 0; cancel < 2; cancel++) {
        bool arg = cancel;
        run_with_each(pass_all_raggedly, &arg);
    }
}

/* ------------------------------------------------------------------------------------------------------- misuse */

static int end_while_waited_at(void *arg) {
    (void)arg;
    struct party party;
    filch_barrier barrier;
    check_int(filch_barrier_init(&barrier, 2), 0);
    arrive_all(&party, 1, &barrier);
    filch_barrier_fini(&barrier);
    return 0;
}

TEST_DIES(barrier, ending_one_that_is_waited_at_aborts, "ended while somebody waits") {
    run_with(1, end_while_waited_at, NULL);
}
