/* SPDX-License-Identifier: MIT */
/*
 * Proves that semaphores hand out each permit once, in the order it was asked for, whoever is cut short meanwhile; and
 * that misuse ends with a line that names it. A test with a number in its name is the regression of another runtime
 * that is told under this number.
 */
#include "tests/sync/locks.h"

/* A waiter that notes when it was served. */
struct turn {
    filch_sem *sem;
    size_t count;
    filch_deadline deadline;
    int *clock; /* ticks with each that is served */
    int served; /* the clock's time then */
    int answer;
    filch_task *task;
};

static int take_turn(void *arg) {
    struct turn *turn = arg;
    turn->answer = filch_sem_acquire_n(turn->sem, turn->count, turn->deadline);
    if (turn->answer == 0) turn->served = ++*turn->clock;
    return 0;
}

/* Starts `turns`, one after the other has begun to wait. */
static void queue_up(struct turn *turns, int count, filch_sem *sem, int *clock) {
    for (int i = 0; i < count; i++) {
        if (turns[i].count == 0) turns[i].count = 1;
        if (turns[i].deadline.at_ns == 0) turns[i].deadline = FILCH_NEVER;
        turns[i].sem = sem;
        turns[i].clock = clock;
        turns[i].task = start(take_turn, &turns[i]);
        until_wait_at(sem, i + 1);
    }
}

static void all_back(struct turn *turns, int count) {
    for (int i = 0; i < count; i++) check_int(result_of(turns[i].task), 0);
}

/* ------------------------------------------------------------------------------------------------------ answers */

TEST(sem, bad_arguments_are_refused) {
    filch_sem sem;
    check_int(filch_sem_init(NULL, 1, 1), -EINVAL);
    check_int(filch_sem_init(&sem, 4, 3), -EINVAL);
    check_int(filch_sem_init(&sem, 3, 3), 0);
    check_int(filch_sem_acquire(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_sem_acquire_n(NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_sem_acquire_n(&sem, 4, FILCH_NEVER), -EINVAL);
    check_int(filch_sem_try_acquire(NULL), -EINVAL);
    check_int(filch_sem_try_acquire_n(&sem, 4), -EINVAL);
    check_int(filch_sem_value(&sem), 3);
    filch_sem_fini(&sem);
    filch_sem_fini(NULL);
}

/* A random walk beside a plain counter. From a thread that is no worker. */
TEST(sem, one_caller_sees_a_counter) {
    enum { LIMIT = 20 };
    uint32_t random = 12345;
    size_t model = 7;
    filch_sem sem;
    check_int(filch_sem_init(&sem, model, LIMIT), 0);
    for (int i = 0; i < 100000 / TEST_SCALE; i++) {
        size_t count = chance(&random, 6);
        bool there = count <= model;
        switch (chance(&random, 4)) {
        case 0:
            check_int(filch_sem_try_acquire_n(&sem, count), there ? 0 : -EAGAIN);
            break;
        case 1:
            check_int(filch_sem_acquire_n(&sem, count, (filch_deadline){0}), there ? 0 : -ETIMEDOUT);
            break;
        case 2:
            count = 1;
            there = model > 0;
            check_int(filch_sem_acquire(&sem, (filch_deadline){0}), there ? 0 : -ETIMEDOUT);
            break;
        default:
            there = false;
            if (model + count > LIMIT) break;
            filch_sem_release_n(&sem, count);
            model += count;
        }
        if (there) model -= count;
        check_int(filch_sem_value(&sem), model);
    }
    filch_sem_fini(&sem);
}

/* -------------------------------------------------------------------------------------------------------- order */

static int serve_in_order(void *arg) {
    (void)arg;
    enum { WAITERS = 50 };
    struct turn turns[WAITERS] = {0};
    filch_sem sem;
    int clock = 0;
    check_int(filch_sem_init(&sem, 0, 0), 0);
    queue_up(turns, WAITERS, &sem, &clock);
    for (int i = 0; i < WAITERS; i++) {
        check_int(filch_sem_try_acquire(&sem), -EAGAIN);
        filch_sem_release(&sem);
        while (clock == i) filch_yield();
        check_int(turns[i].served, i + 1);
    }
    all_back(turns, WAITERS);
    check_int(filch_sem_value(&sem), 0);
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, waiters_are_served_in_the_order_they_came) {
    run_with(1, serve_in_order, NULL);
}

static int big_before_small(void *arg) {
    (void)arg;
    struct turn turns[3] = {{.count = 5}, {.count = 1}, {.count = 2}};
    filch_sem sem;
    int clock = 0;
    check_int(filch_sem_init(&sem, 4, 0), 0);
    queue_up(turns, 3, &sem, &clock);
    /* There are four permits, and nobody but the first may have them. */
    check_int(filch_sem_try_acquire(&sem), -EAGAIN);
    check_int(filch_sem_acquire(&sem, filch_after(FILCH_US(100))), -ETIMEDOUT);
    check_int(filch_sem_value(&sem), 4);
    check_int(clock, 0);
    filch_sem_release(&sem);
    check_int(result_of(turns[0].task), 0);
    check_int(filch_sem_value(&sem), 0);
    check_int(clock, 1);
    filch_sem_release_n(&sem, 2);
    check_int(result_of(turns[1].task), 0);
    check_int(filch_sem_value(&sem), 1);
    check_int(clock, 2);
    filch_sem_release(&sem);
    check_int(result_of(turns[2].task), 0);
    check_int(filch_sem_value(&sem), 0);
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, who_asks_for_many_is_not_overtaken) {
    run_with(1, big_before_small, NULL);
}

/* ---------------------------------------------------------------------------------------------------- cut short */

static int cut_short(void *arg) {
    (void)arg;
    filch_sem sem;
    int clock = 0;
    check_int(filch_sem_init(&sem, 1, 0), 0);
    int64_t before = filch_now();
    check_int(filch_sem_acquire_n(&sem, 2, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check(filch_now() - before >= FILCH_MS(2));
    check_int(filch_sem_acquire_n(&sem, 2, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_sem_acquire_n(&sem, 1, (filch_deadline){0}), 0); /* no reason not to go on at once */
    struct turn turn = {0};
    queue_up(&turn, 1, &sem, &clock);
    filch_task_cancel(turn.task);
    check_int(result_of(turn.task), 0);
    check_int(turn.answer, -ECANCELED);
    check_int(filch_sem_value(&sem), 0);
    filch_sem_release(&sem);
    check_int(filch_sem_value(&sem), 1); /* not gone to who is no more */
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, who_is_cut_short_has_acquired_nothing) {
    run_with_each(cut_short, NULL);
}

/* The first waiter's request alone keeps the others waiting; when it goes, they are served. */
static int first_goes(void *arg) {
    bool by_deadline = *(bool *)arg;
    struct turn turns[3] = {{.count = 9}, {.count = 1}, {.count = 2}};
    filch_sem sem;
    int clock = 0;
    check_int(filch_sem_init(&sem, 3, 0), 0);
    if (by_deadline) turns[0].deadline = filch_after(FILCH_MS(20));
    queue_up(&turns[0], 1, &sem, &clock);
    for (int i = 1; i < 3; i++) {
        turns[i] = (struct turn){.sem = &sem, .count = turns[i].count, .deadline = FILCH_NEVER, .clock = &clock};
        turns[i].task = start(take_turn, &turns[i]);
    }
    if (!by_deadline) {
        until_wait_at(&sem, 3);
        filch_task_cancel(turns[0].task);
    }
    all_back(turns, 3);
    check_int(turns[0].answer, by_deadline ? -ETIMEDOUT : -ECANCELED);
    check_int(turns[1].answer, 0);
    check_int(turns[2].answer, 0);
    check_int(filch_sem_value(&sem), 0);
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, when_the_first_is_cut_short_those_behind_it_are_served) {
    for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
        bool arg = by_deadline;
        run_with(1, first_goes, &arg);
    }
}

static int use_cancelled(void *arg) {
    filch_sem *sem = arg;
    filch_task_cancel(filch_self());
    check_int(filch_sem_acquire(sem, FILCH_NEVER), -ECANCELED);
    check_int(filch_sem_acquire_n(sem, 0, FILCH_NEVER), -ECANCELED);
    check_int(filch_sem_try_acquire(sem), 0);
    filch_sem_release(sem);
    filch_shield shield;
    filch_shield_begin(&shield);
    check_int(filch_sem_acquire(sem, FILCH_NEVER), 0);
    filch_shield_end(&shield);
    check_int(filch_sem_value(sem), 2);
    return 0;
}

static int cancelled_before(void *arg) {
    (void)arg;
    filch_sem sem;
    check_int(filch_sem_init(&sem, 3, 0), 0);
    check_int(result_of(start(use_cancelled, &sem)), 0);
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, who_is_cancelled_acquires_only_by_trying_or_in_a_shield) {
    run_with_each(cancelled_before, NULL);
}

/* -------------------------------------------------------------------------------------------------- regressions */

/* The holder releases, and cancels who waits before that has run: it has the permit, and passes it on. */
static int granted_and_cancelled(void *arg) {
    (void)arg;
    struct turn turns[3] = {0};
    filch_sem sem;
    int clock = 0;
    check_int(filch_sem_init(&sem, 0, 0), 0);
    queue_up(turns, 3, &sem, &clock);
    filch_sem_release(&sem);
    filch_task_cancel(turns[0].task);
    check_int(result_of(turns[0].task), 0);
    check_int(turns[0].answer, 0); /* granted before it was cancelled: not lost, and its to release */
    check_int(clock, 1);
    filch_sem_release(&sem);
    check_int(result_of(turns[1].task), 0);
    check_int(turns[1].answer, 0);
    filch_sem_release(&sem);
    check_int(result_of(turns[2].task), 0);
    check_int(turns[2].served, 3);
    filch_sem_release(&sem);
    check_int(filch_sem_acquire(&sem, filch_after(FILCH_SEC(10))), 0); /* the semaphore is none the worse for it */
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, asyncio_270_a_permit_granted_to_who_is_then_cancelled_is_not_lost) {
    run_with(1, granted_and_cancelled, NULL);
}

static int hold_release_cancel(void *arg) {
    struct turn *others = arg;
    filch_sem *sem = others[0].sem;
    check_int(filch_sem_acquire(sem, FILCH_NEVER), 0);
    until_wait_at(sem, 2);
    filch_sem_release(sem);
    filch_task_cancel(others[0].task);
    return 0;
}

static int release_if_acquired(void *arg) {
    struct turn *turn = arg;
    take_turn(turn);
    if (turn->answer == 0) filch_sem_release(turn->sem);
    return 0;
}

/* Afterwards nobody who comes may hang. */
static int no_hang(void *arg) {
    (void)arg;
    filch_sem sem;
    int clock = 0;
    check_int(filch_sem_init(&sem, 1, 1), 0);
    struct turn turns[2];
    for (int i = 0; i < 2; i++) turns[i] = (struct turn){.sem = &sem, .count = 1, .clock = &clock};
    turns[0].deadline = turns[1].deadline = FILCH_NEVER;
    filch_task *holder = start(hold_release_cancel, turns);
    while (filch_sem_value(&sem) != 0) filch_yield();
    for (int i = 0; i < 2; i++) {
        turns[i].task = start(release_if_acquired, &turns[i]);
        if (i == 0) until_wait_at(&sem, 1); /* in this order; when both wait, the holder goes on at once */
    }
    check_int(result_of(holder), 0);
    all_back(turns, 2);
    check_int(turns[1].answer, 0);
    check_int(filch_sem_acquire(&sem, filch_after(FILCH_SEC(10))), 0);
    filch_sem_release(&sem);
    check_int(filch_sem_value(&sem), 1);
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, cpython_93222_a_waiter_cancelled_as_it_is_woken_leaves_nobody_hanging) {
    run_with(1, no_hang, NULL);
}

/* Waiters are cancelled in the midst of the list; the others keep their order. */
static int order_with_gaps(void *arg) {
    (void)arg;
    enum { WAITERS = 9 };
    struct turn turns[WAITERS] = {0};
    filch_sem sem;
    int clock = 0;
    check_int(filch_sem_init(&sem, 0, 0), 0);
    queue_up(turns, WAITERS, &sem, &clock);
    for (int i = 0; i < WAITERS; i += 3) filch_task_cancel(turns[i].task);
    until_wait_at(&sem, WAITERS - 3);
    for (int i = 0; i < WAITERS - 3; i++) {
        filch_sem_release(&sem);
        while (clock == i) filch_yield();
    }
    all_back(turns, WAITERS);
    int place = 0;
    for (int i = 0; i < WAITERS; i++) {
        check_int(turns[i].answer, i % 3 == 0 ? -ECANCELED : 0);
        if (i % 3 != 0) check_int(turns[i].served, ++place);
    }
    check_int(filch_sem_value(&sem), 0);
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, cpython_90155_cancelled_waiters_do_not_disturb_the_order_of_the_others) {
    run_with(1, order_with_gaps, NULL);
}

/* The first is cancelled, and before it could clean up, a permit is released. */
static int release_before_cleanup(void *arg) {
    (void)arg;
    struct turn turns[2] = {0};
    filch_sem sem;
    int clock = 0;
    check_int(filch_sem_init(&sem, 0, 0), 0);
    queue_up(turns, 2, &sem, &clock);
    filch_task_cancel(turns[0].task);
    filch_sem_release(&sem);
    check_int(result_of(turns[0].task), 0);
    if (turns[0].answer == 0) filch_sem_release(&sem);
    check_int(result_of(turns[1].task), 0);
    check_int(turns[1].answer, 0);
    check_int(filch_sem_value(&sem), 0);
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, anyio_1145_a_cancelled_first_waiter_does_not_strand_the_one_behind_it) {
    run_with_each(release_before_cleanup, NULL);
}

/* One permit, several waiters, all but the last cancelled at about the same moment: somebody gets it. */
static int release_it(void *arg) {
    filch_sem_release(arg);
    return 0;
}

/* The release comes before, between or after the cancellations, or from elsewhere at the same time. */
static void release_among_cancellations(filch_sem *sem, struct turn *turns, int way) {
    filch_task *releaser = way > 2 ? start(release_it, sem) : NULL;
    if (way == 4) filch_yield();
    if (way == 0) filch_sem_release(sem);
    filch_task_cancel(turns[0].task);
    if (way == 1) filch_sem_release(sem);
    filch_task_cancel(turns[1].task);
    if (way == 2) filch_sem_release(sem);
    if (releaser != NULL) check_int(result_of(releaser), 0);
}

static int notify_and_cancel(void *arg) {
    (void)arg;
    for (int round = 0; round < 2000 / TEST_SCALE; round++) {
        enum { WAITERS = 3 };
        struct turn turns[WAITERS] = {0};
        filch_sem sem;
        int clock[WAITERS] = {0};
        check_int(filch_sem_init(&sem, 0, 0), 0);
        for (int i = 0; i < WAITERS; i++) {
            turns[i] = (struct turn){.sem = &sem, .count = 1, .deadline = FILCH_NEVER, .clock = &clock[i]};
            turns[i].task = start(take_turn, &turns[i]);
        }
        until_wait_at(&sem, WAITERS);
        release_among_cancellations(&sem, turns, round % 5);
        for (int i = 0; i < 2; i++) {
            check_int(result_of(turns[i].task), 0);
            if (turns[i].answer == 0) filch_sem_release(&sem);
        }
        check_int(result_of(turns[2].task), 0);
        check_int(turns[2].answer, 0);
        check_int(filch_sem_value(&sem), 0);
        filch_sem_fini(&sem);
    }
    return 0;
}

TEST(sem, cpython_112202_a_wake_that_races_with_cancellations_reaches_somebody) {
    run_with_each(notify_and_cancel, NULL);
}

/* ------------------------------------------------------------------------------------------------- conservation */

struct pot {
    filch_sem sem;
    size_t permits;
    atomic_long out; /* permits that members hold */
};

static void borrow(void *shared, uint32_t *random) {
    struct pot *pot = shared;
    for (int i = 0; i < 400 / TEST_SCALE; i++) {
        size_t count = 1 + chance(random, 3);
        filch_deadline deadline = chance(random, 3) ? FILCH_NEVER : filch_after(chance(random, 30) * 1000);
        if (chance(random, 8) == 0) {
            if (filch_sem_try_acquire_n(&pot->sem, count) != 0) continue;
        } else {
            int answer = filch_sem_acquire_n(&pot->sem, count, deadline);
            check(answer == 0 || answer == -ETIMEDOUT || answer == -ECANCELED);
            if (answer != 0) continue;
        }
        long out = atomic_fetch_add(&pot->out, (long)count) + (long)count;
        check(out <= (long)pot->permits);
        for (unsigned yields = chance(random, 3); yields > 0; yields--) filch_yield();
        atomic_fetch_sub(&pot->out, (long)count);
        filch_sem_release_n(&pot->sem, count);
    }
}

static int borrow_all(void *arg) {
    bool cancel = *(bool *)arg;
    for (size_t permits = 3; permits <= 12; permits += 9) {
        struct pot pot = {.permits = permits};
        check_int(filch_sem_init(&pot.sem, permits, permits), 0);
        crowd(borrow, &pot, cancel);
        check_int(pot.out, 0);
        check_int(filch_sem_value(&pot.sem), permits);
        filch_sem_fini(&pot.sem);
    }
    return 0;
}

TEST(sem, no_permit_is_lost_or_given_twice) {
    for (int cancel = 0; cancel < 2; cancel++) {
        bool arg = cancel;
        run_with_each(borrow_all, &arg);
    }
}

/* Each side waits for the other's permit: no wake-up may be lost, from threads or from tasks. */
struct rally {
    filch_sem to, fro;
    int rounds;
};

static void *return_balls(void *arg) {
    struct rally *rally = arg;
    for (int i = 0; i < rally->rounds; i++) {
        check_int(filch_sem_acquire(&rally->to, FILCH_NEVER), 0);
        filch_sem_release(&rally->fro);
    }
    return NULL;
}

static int play(void *arg) {
    (void)arg;
    struct rally rally = {.rounds = 2000 / TEST_SCALE};
    check_int(filch_sem_init(&rally.to, 0, 1), 0);
    check_int(filch_sem_init(&rally.fro, 0, 1), 0);
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, return_balls, &rally), 0);
    for (int i = 0; i < rally.rounds; i++) {
        filch_sem_release(&rally.to);
        check_int(filch_sem_acquire(&rally.fro, filch_after(FILCH_SEC(30))), 0);
    }
    pthread_join(thread, NULL);
    filch_sem_fini(&rally.to);
    filch_sem_fini(&rally.fro);
    return 0;
}

TEST(sem, a_task_and_a_thread_wake_each_other_every_time) {
    run_with_each(play, NULL);
}

/* ------------------------------------------------------------------------------------------------------- misuse */

TEST_DIES(sem, a_release_beyond_the_limit_aborts, "released beyond its limit of 2") {
    filch_sem sem;
    check_int(filch_sem_init(&sem, 1, 2), 0);
    filch_sem_release(&sem);
    filch_sem_release(&sem);
}

static int end_while_waited_at(void *arg) {
    filch_sem *sem = arg;
    int clock = 0;
    struct turn turn = {0};
    check_int(filch_sem_init(sem, 0, 0), 0);
    queue_up(&turn, 1, sem, &clock);
    filch_sem_fini(sem);
    return 0;
}

TEST_DIES(sem, ending_one_that_is_waited_at_aborts, "ended while somebody waits") {
    filch_sem sem;
    run_with(1, end_while_waited_at, &sem);
}

static int hold_up(void *arg) {
    return filch_sem_acquire(arg, FILCH_NEVER);
}

static int ask_for_nothing(void *arg) {
    (void)arg;
    filch_sem sem;
    check_int(filch_sem_init(&sem, 0, 0), 0);
    filch_task *waiter = start(hold_up, &sem);
    until_wait_at(&sem, 1);
    check_int(filch_sem_try_acquire_n(&sem, 0), 0);
    check_int(filch_sem_acquire_n(&sem, 0, FILCH_NEVER), 0);
    filch_sem_release(&sem);
    check_int(result_of(waiter), 0);
    filch_sem_fini(&sem);
    return 0;
}

TEST(sem, nothing_is_acquired_at_once_whoever_waits) {
    run_with_each(ask_for_nothing, NULL);
}
