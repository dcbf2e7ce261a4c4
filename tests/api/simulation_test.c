/* SPDX-License-Identifier: MIT */
/*
 * Simulation: that a seed is a schedule, that schedules differ, that the clock jumps, that a deadlock is found and told;
 * and that bugs which normal runs do not show are found in users' programs.
 */
#include <errno.h>
#include <filch/fd.h>
#include <filch/filch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

static int run_seed(filch_fn *fn, void *arg, uint64_t seed, unsigned workers, filch_policy policy, uint64_t *hash) {
    filch_simulation simulation = {.seed = seed, .policy = policy, .quiet = true, .hash = hash};
    return filch_run(fn, arg, &(filch_options){.workers = workers, .simulation = &simulation});
}

/* --------------------------------------------------------------------------------------------------- a lost update */

enum { ADDS = 3 };

struct account {
    filch_mutex mutex;
    int balance;
};

/* Each access is locked, but not the two together. */
static int add_in_two_steps(void *arg) {
    struct account *account = arg;
    for (int i = 0; i < ADDS; i++) {
        check_int(filch_mutex_lock(&account->mutex, FILCH_NEVER), 0);
        int balance = account->balance;
        filch_mutex_unlock(&account->mutex);
        check_int(filch_mutex_lock(&account->mutex, FILCH_NEVER), 0);
        account->balance = balance + 1;
        filch_mutex_unlock(&account->mutex);
    }
    return 0;
}

static int two_add(void *arg) {
    (void)arg;
    struct account account = {.balance = 0};
    filch_task *tasks[2];
    filch_mutex_init(&account.mutex);
    for (int i = 0; i < 2; i++) check_int(filch_spawn(&tasks[i], add_in_two_steps, &account, NULL), 0);
    for (int i = 0; i < 2; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    return account.balance == 2 * ADDS ? 0 : account.balance;
}

TEST(simulation, a_lost_update_is_found_and_its_seed_shows_it_again) {
    filch_explored explored;
    int result = filch_explore(two_add, NULL, &(filch_explore_options){.seeds = 200, .quiet = true}, &explored);
    check(result > 0 && result < 2 * ADDS);
    check_int(explored.result, result);
    for (int again = 0; again < 3; again++) {
        check_int(run_seed(two_add, NULL, explored.seed, 2, FILCH_RANDOM_WALK, NULL), result);
    }
}

TEST(simulation, by_priorities_it_is_found_too) {
    filch_explored explored;
    filch_explore_options options = {.seeds = 500, .policy = FILCH_PCT, .quiet = true};
    check(filch_explore(two_add, NULL, &options, &explored) > 0);
}

/* ------------------------------------------------------------------------------------------------------- a deadlock */

struct pair {
    filch_mutex one, other;
};

static int lock_both(filch_mutex *first, filch_mutex *second) {
    int error = filch_mutex_lock(first, FILCH_NEVER);
    if (error != 0) return error;
    error = filch_mutex_lock(second, FILCH_NEVER);
    if (error == 0) filch_mutex_unlock(second);
    filch_mutex_unlock(first);
    return error;
}

static int lock_forwards(void *arg) {
    struct pair *pair = arg;
    return lock_both(&pair->one, &pair->other);
}

static int lock_backwards(void *arg) {
    struct pair *pair = arg;
    return lock_both(&pair->other, &pair->one);
}

/* What is cut short by the cancellation that follows a deadlock is awaited all the same. */
static int lock_in_both_orders(void *arg) {
    (void)arg;
    struct pair pair;
    filch_task *tasks[2];
    filch_shield shield;
    filch_mutex_init(&pair.one);
    filch_mutex_init(&pair.other);
    check_int(filch_spawn(&tasks[0], lock_forwards, &pair, NULL), 0);
    check_int(filch_spawn(&tasks[1], lock_backwards, &pair, NULL), 0);
    filch_shield_begin(&shield);
    for (int i = 0; i < 2; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    filch_shield_end(&shield);
    return 0;
}

TEST(simulation, a_deadlock_is_found_and_unwound) {
    filch_explored explored;
    filch_explore_options options = {.seeds = 500, .quiet = true};
    check_int(filch_explore(lock_in_both_orders, NULL, &options, &explored), -EDEADLK);
    check_int(run_seed(lock_in_both_orders, NULL, explored.seed, 2, FILCH_RANDOM_WALK, NULL), -EDEADLK);
}

static int wait_for_nothing(void *arg) {
    (void)arg;
    filch_shield shield;
    filch_event never = FILCH_EVENT_INIT;
    filch_shield_begin(&shield);
    int error = filch_event_wait(&never, FILCH_NEVER);
    filch_shield_end(&shield);
    return error;
}

TEST_DIES(simulation, what_cancellation_does_not_end_aborts, "still all wait") {
    (void)run_seed(wait_for_nothing, NULL, 1, 2, FILCH_RANDOM_WALK, NULL);
}

static int abort_itself(void *arg) {
    (void)arg;
    abort();
}

TEST_DIES(simulation, a_program_that_aborts_tells_its_seed, "FILCH_SIM=4711,workers=3 replays this") {
    (void)run_seed(abort_itself, NULL, 4711, 3, FILCH_RANDOM_WALK, NULL);
}

static int yield_for_ever(void *arg) {
    (void)arg;
    while (!filch_cancelled()) filch_yield();
    return 0;
}

TEST_DIES(simulation, an_endless_loop_aborts, "an endless loop?") {
    filch_simulation simulation = {.seed = 1, .steps_max = 10000, .quiet = true};
    (void)filch_run(yield_for_ever, NULL, &(filch_options){.simulation = &simulation});
}

/* --------------------------------------------------------------------------------------------------- a correct program */

enum { SENDERS = 3, VALUES = 10 };

static int send_values(void *arg) {
    for (int i = 0; i < VALUES; i++) check_int(filch_chan_send(arg, &i, FILCH_NEVER), 0);
    return 0;
}

static int send_and_sum(void *arg) {
    (void)arg;
    filch_chan *chan;
    filch_task *tasks[SENDERS];
    int sum = 0;
    check_int(filch_chan_create(&chan, sizeof(int), 2), 0);
    for (int i = 0; i < SENDERS; i++) check_int(filch_spawn(&tasks[i], send_values, chan, NULL), 0);
    for (int i = 0; i < SENDERS * VALUES; i++) {
        int value;
        check_int(filch_chan_recv(chan, &value, FILCH_NEVER), 0);
        sum += value;
    }
    for (int i = 0; i < SENDERS; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    filch_chan_destroy(chan);
    return sum == SENDERS * VALUES * (VALUES - 1) / 2 ? 0 : -EPROTO;
}

TEST(simulation, a_correct_program_passes_under_schedules_that_differ) {
    for (unsigned workers = 1; workers <= 8; workers *= 2) {
        filch_explored explored;
        filch_explore_options options = {.seeds = 200, .workers = workers, .policy = FILCH_PCT};
        check_int(filch_explore(send_and_sum, NULL, &options, &explored), 0);
        check_int(explored.seeds, 200);
        check(explored.schedules > 150);
        check(explored.steps > 200 * SENDERS * VALUES);
    }
}

TEST(simulation, a_seed_is_a_schedule_and_another_is_another) {
    uint64_t first, again, other;
    for (uint64_t seed = 0; seed < 20; seed++) {
        filch_policy policy = seed % 2 == 0 ? FILCH_RANDOM_WALK : FILCH_PCT;
        check_int(run_seed(send_and_sum, NULL, seed, 3, policy, &first), 0);
        check_int(run_seed(send_and_sum, NULL, seed, 3, policy, &again), 0);
        check_int(run_seed(send_and_sum, NULL, seed + 1000, 3, policy, &other), 0);
        check(first == again);
        check(first != other);
    }
}

/* ------------------------------------------------------------------------------------------------------------- time */

static int sleep_for_a_day(void *arg) {
    int64_t *slept_ns = arg;
    int64_t began_ns = filch_now();
    for (int hour = 0; hour < 24; hour++) check_int(filch_sleep(FILCH_SEC(3600)), 0);
    *slept_ns = filch_now() - began_ns;
    return 0;
}

TEST(simulation, the_clock_jumps) {
    int64_t slept_ns = 0;
    check_int(run_seed(sleep_for_a_day, &slept_ns, 1, 2, FILCH_RANDOM_WALK, NULL), 0);
    check(slept_ns >= FILCH_SEC(24 * 3600));
    check(slept_ns < FILCH_SEC(24 * 3600 + 1)); /* virtual: however slow the machine is */
}

static int race_deadlines(void *arg) {
    int *first = arg;
    filch_case cases[2] = {filch_case_deadline(filch_after(FILCH_MS(5))),
                           filch_case_deadline(filch_after(FILCH_MS(4)))};
    *first = filch_select(cases, 2, FILCH_NEVER);
    return 0;
}

TEST(simulation, deadlines_pass_in_their_order) {
    for (uint64_t seed = 0; seed < 50; seed++) {
        int first = -1;
        check_int(run_seed(race_deadlines, &first, seed, 2, FILCH_RANDOM_WALK, NULL), 0);
        check_int(first, 1);
    }
}

/* -------------------------------------------------------------------------------------------------- what is around it */

static int count_call(void *arg) {
    check(filch_self() == NULL);
    ++*(int *)arg;
    return 5;
}

static int fib(void *arg) {
    int n = *(int *)arg, left = n - 1, right = n - 2;
    if (n < 2) return n;
    filch_frame frame;
    filch_fork(&frame, fib, &left);
    int sum = fib(&right);
    return sum + filch_join(&frame);
}

static int use_the_rest(void *arg) {
    (void)arg;
    int calls = 0, result = 0, n = 12, ends[2];
    check_int(filch_blocking(count_call, &calls, &result, FILCH_NEVER), 0);
    check_int(calls, 1);
    check_int(result, 5);
    filch_block_begin();
    filch_block_end();
    check_int(fib(&n), 144);
    check_int(pipe(ends), 0);
    filch_fd fd;
    check_int(filch_fd_adopt(&fd, ends[0], NULL), -EOPNOTSUPP);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(simulation, forks_and_blocking_calls_are_simulated_and_descriptors_are_refused) {
    filch_explore_options options = {.seeds = 100, .workers = 3, .policy = FILCH_PCT};
    check_int(filch_explore(use_the_rest, NULL, &options, NULL), 0);
}

static int adopt_twice(void *arg) {
    filch_fd fd;
    for (int i = 0; i < 2; i++) check_int(filch_fd_adopt(&fd, STDIN_FILENO, NULL), -EOPNOTSUPP);
    return *(int *)arg;
}

TEST(simulation, that_descriptors_are_refused_is_told_once) {
    FILE *file = tmpfile();
    int zero = 0, saved = dup(STDERR_FILENO);
    char text[512];
    check(file != NULL && saved >= 0);
    check(dup2(fileno(file), STDERR_FILENO) >= 0);
    check_int(filch_run(adopt_twice, &zero, &(filch_options){.simulation = &(filch_simulation){.seed = 1}}), 0);
    check(dup2(saved, STDERR_FILENO) >= 0);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    static const char line[] =
        "filch: simulation: there are no descriptors of the system in a simulation: -EOPNOTSUPP\n";
    const char *told = strstr(text, line);
    check(told != NULL && strstr(told + 1, line) == NULL);
    uint64_t hash;
    check_int(run_seed(adopt_twice, &zero, 1, 1, FILCH_RANDOM_WALK, &hash), 0); /* quiet: nothing is written */
}

TEST(simulation, the_environment_asks_for_one) {
    setenv("FILCH_SIM", "12,workers=3,policy=pct:2", 1);
    check_int(filch_run(send_and_sum, NULL, NULL), 0);
    static const char *const bad[] = {"x", "-1", "1,workers=0", "1,workers=2000", "1,policy=none", "1,", "1 2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("FILCH_SIM", bad[i], 1);
        check_int(filch_run(send_and_sum, NULL, NULL), -EINVAL);
    }
    unsetenv("FILCH_SIM");
}

static int begin_another(void *arg) {
    (void)arg;
    filch_runtime *runtime;
    filch_simulation simulation = {.seed = 2, .quiet = true};
    int answer = filch_runtime_create(&runtime, &(filch_options){.workers = 2, .simulation = &simulation});
    if (answer != 0) return answer;
    filch_task *task;
    check_int(filch_runtime_spawn(runtime, &task, send_and_sum, NULL, NULL), 0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    return filch_runtime_destroy(runtime);
}

TEST(simulation, a_task_may_make_another_runtime_which_joins) {
    for (uint64_t seed = 0; seed < 20; seed++) {
        check_int(run_seed(begin_another, NULL, seed, 2, FILCH_RANDOM_WALK, NULL), 0);
    }
}

/* What `fn` writes to standard error, in `text`; its answer. */
static int listen(int (*fn)(void), char text[512]) {
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    check(file != NULL && saved >= 0);
    check(dup2(fileno(file), STDERR_FILENO) >= 0);
    int answer = fn();
    check(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(file);
    text[fread(text, 1, 511, file)] = '\0';
    fclose(file);
    return answer;
}

static int nap_and_give_way(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) {
        check_int(filch_sleep(FILCH_US(10)), 0);
        filch_yield();
    }
    return 3;
}

static int run_another(const filch_options *options) {
    filch_runtime *runtime;
    filch_task *task;
    int result = -1;
    int answer = filch_runtime_create(&runtime, options);
    if (answer != 0) return answer;
    check_int(filch_runtime_spawn(runtime, &task, nap_and_give_way, NULL, NULL), 0);
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    check_int(filch_runtime_destroy(runtime), 0);
    check_int(result, 3);
    return 0;
}

/* Not asked to be simulated: the simulation's own thread, its tasks, and those that are called outside have no other. */
static int make_one_that_is_not_simulated(void *arg) {
    (void)arg;
    return run_another(&(filch_options){.workers = 3}) + run_another(NULL);
}

static int run_one_outside(void *arg) {
    (void)arg;
    return filch_run(nap_and_give_way, NULL, NULL) == 3 ? make_one_that_is_not_simulated(NULL) : -1;
}

static int make_some(void *arg) {
    int result = -1;
    check_int(make_one_that_is_not_simulated(arg), 0);
    check_int(filch_blocking(run_one_outside, NULL, &result, FILCH_NEVER), 0);
    return result;
}

static int two_make_some(void *arg) {
    filch_task *tasks[2];
    for (int i = 0; i < 2; i++) check_int(filch_spawn(&tasks[i], make_some, arg, NULL), 0);
    for (int i = 0; i < 2; i++) {
        int result = -1;
        check_int(filch_await(tasks[i], &result, FILCH_NEVER), 0);
        check_int(result, 0);
    }
    return 0;
}

TEST(simulation, whatever_runtime_is_made_within_is_of_it) {
    filch_explore_options options = {.seeds = 50, .workers = 2, .policy = FILCH_PCT};
    check_int(filch_explore(two_make_some, NULL, &options, NULL), 0);
    filch_runtime *first;
    filch_simulation simulation = {.seed = 3, .quiet = true};
    check_int(filch_runtime_create(&first, &(filch_options){.workers = 2, .simulation = &simulation}), 0);
    check_int(make_one_that_is_not_simulated(NULL), 0); /* by the thread that all run on */
    check_int(filch_runtime_destroy(first), 0);
    check_int(make_one_that_is_not_simulated(NULL), 0); /* and this is not */
}

static int run_in_a_task(void *arg) {
    (void)arg;
    return filch_run(nap_and_give_way, NULL, &(filch_options){.simulation = &(filch_simulation){.seed = 1}});
}

static int explore_in_a_task(void *arg) {
    (void)arg;
    filch_explored explored;
    int answer = filch_explore(nap_and_give_way, NULL, NULL, &explored);
    check_int(explored.seeds, 0);
    return answer;
}

static int make_in_a_task(void *arg) {
    (void)arg;
    return run_another(&(filch_options){.simulation = &(filch_simulation){.seed = 1}});
}

static int run_within(void) {
    return run_seed(run_in_a_task, NULL, 1, 2, FILCH_RANDOM_WALK, NULL);
}

static int run_beside(void) {
    return filch_run(run_in_a_task, NULL, &(filch_options){.workers = 2});
}

static int explore_within_one(void) {
    return run_seed(explore_in_a_task, NULL, 1, 2, FILCH_RANDOM_WALK, NULL);
}

static int explore_beside(void) {
    return filch_run(explore_in_a_task, NULL, &(filch_options){.workers = 2});
}

static int make_beside(void) {
    return filch_run(make_in_a_task, NULL, &(filch_options){.workers = 2});
}

TEST(simulation, what_cannot_be_made_within_a_task_is_told_in_a_line) {
    static const struct {
        int (*fn)(void);
        int answer;
        const char *line;
    } cases[] = {{run_within, -EDEADLK, "filch: simulation: filch_run would keep the worker"},
                 {run_beside, -EDEADLK, "filch: simulation: filch_run would keep the worker"},
                 {explore_within_one, -EBUSY, "filch: explore: there is a simulation already: -EBUSY\n"},
                 {explore_beside, -EDEADLK, "filch: explore: by a task of a runtime"},
                 {make_beside, -EDEADLK, "filch: simulation: a task of a runtime that is not simulated"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        check_int(listen(cases[i].fn, text), cases[i].answer);
        check(strncmp(text, cases[i].line, strlen(cases[i].line)) == 0);
        check(strchr(text, '\n') == text + strlen(text) - 1); /* one line */
    }
}

static int explore_a_deadlock(void) {
    return filch_explore(lock_in_both_orders, NULL, &(filch_explore_options){.seeds = 500}, NULL);
}

/* What the cancellation does to the program is the program's: the seed is known by then. */
TEST(simulation, the_seed_of_a_deadlock_is_told_before_tasks_are_cancelled) {
    char text[512];
    check_int(listen(explore_a_deadlock, text), -EDEADLK);
    check(strncmp(text, "filch: simulation: seed ", 24) == 0);
    check(strstr(text, ": all wait, and nothing will come:\n") != NULL);
}

TEST(simulation, a_stack_size_out_of_range_is_no_failure_of_a_seed) {
    filch_explored explored;
    filch_explore_options options = {.stack_size = 5, .quiet = true};
    check_int(filch_explore(nap_and_give_way, NULL, &options, &explored), -EINVAL);
    check_int(explored.seeds, 0);
}

static int make_by_environment(void) {
    filch_runtime *runtime;
    return filch_runtime_create(&runtime, NULL);
}

TEST(simulation, a_seed_that_does_not_fit_is_refused) {
    char text[512];
    setenv("FILCH_SIM", "18446744073709551616", 1);
    int answer = listen(make_by_environment, text);
    unsetenv("FILCH_SIM");
    check_int(answer, -EINVAL);
    check(strncmp(text, "filch: FILCH_SIM is ", 20) == 0);
}

static int leave_a_runtime(void *arg) {
    return filch_runtime_create(arg, &(filch_options){.workers = 1});
}

TEST_DIES(simulation, a_runtime_that_a_seed_has_left_aborts, "seed 1 has left a runtime") {
    filch_runtime *runtime;
    (void)!filch_explore(leave_a_runtime, &runtime, &(filch_explore_options){.quiet = true}, NULL);
}

/* ------------------------------------------------------------------------------------------ who looks again and again */

static int sleep_long(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_SEC(3));
}

static int look_until_it_is_done(void *arg) {
    filch_task *task;
    (void)arg;
    check_int(filch_spawn(&task, sleep_long, NULL, NULL), 0);
    while (!filch_task_done(task)) filch_yield();
    return filch_await(task, NULL, FILCH_NEVER);
}

static int look_outside(void *arg) {
    while (!filch_task_done(*(filch_task **)arg)) filch_yield();
    return 0;
}

static int let_another_look(void *arg) {
    filch_task *task;
    int result = -1;
    (void)arg;
    check_int(filch_spawn(&task, sleep_long, NULL, NULL), 0);
    check_int(filch_blocking(look_outside, &task, &result, FILCH_NEVER), 0);
    check_int(result, 0);
    return filch_await(task, NULL, FILCH_NEVER);
}

/* On whatever worker the other sleeps. */
TEST(simulation, who_gives_way_until_another_has_slept_sees_that_it_has) {
    filch_explore_options options = {.seeds = 20, .workers = 3, .policy = FILCH_PCT};
    check_int(filch_explore(look_until_it_is_done, NULL, &options, NULL), 0);
    check_int(filch_explore(let_another_look, NULL, &options, NULL), 0);
    filch_runtime *runtime;
    filch_task *task;
    filch_simulation simulation = {.seed = 3, .quiet = true};
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2, .simulation = &simulation}), 0);
    check_int(filch_runtime_spawn(runtime, &task, sleep_long, NULL, NULL), 0);
    check_int(look_outside(&task), 0); /* by the thread that all run on */
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* As many as have workers of their own never leave the clock to jump. */
static int look_for_a_while(void *arg) {
    for (int i = 0; i < 20000; i++) {
        if (filch_task_done(*(filch_task **)arg)) return 0;
        filch_yield();
    }
    return -ETIMEDOUT;
}

static int let_two_look(void *arg) {
    filch_task *sleeper, *lookers[2];
    (void)arg;
    check_int(filch_spawn(&sleeper, nap_and_give_way, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) check_int(filch_spawn(&lookers[i], look_for_a_while, &sleeper, NULL), 0);
    int results[2];
    for (int i = 0; i < 2; i++) check_int(filch_await(lookers[i], &results[i], FILCH_NEVER), 0);
    check_int(filch_await(sleeper, NULL, FILCH_NEVER), 0);
    return results[0] != 0 ? results[0] : results[1];
}

TEST(simulation, who_is_due_goes_on_while_others_run) {
    filch_explore_options options = {.seeds = 50, .workers = 4};
    check_int(filch_explore(let_two_look, NULL, &options, NULL), 0);
}

struct turns {
    filch_mutex mutex;
    int inside;
};

static int take_a_turn(void *arg) {
    struct turns *turns = arg;
    check_int(filch_mutex_lock(&turns->mutex, FILCH_NEVER), 0);
    check_int(turns->inside++, 0);
    check_int(filch_sleep(FILCH_MS(1)), 0);
    turns->inside--;
    filch_mutex_unlock(&turns->mutex);
    return 0;
}

static int take_a_turn_outside(void *arg) {
    int result = -1;
    check_int(filch_blocking(take_a_turn, arg, &result, FILCH_NEVER), 0);
    return result;
}

static int two_take_turns_outside(void *arg) {
    (void)arg;
    struct turns turns = {.inside = 0};
    filch_task *tasks[2];
    filch_mutex_init(&turns.mutex);
    for (int i = 0; i < 2; i++) check_int(filch_spawn(&tasks[i], take_a_turn_outside, &turns, NULL), 0);
    for (int i = 0; i < 2; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    filch_mutex_fini(&turns.mutex);
    return 0;
}

/* All simulated threads are one of the system's: it must not be taken for one that locks what it holds itself. */
TEST(simulation, two_blocking_calls_are_two_owners_of_a_mutex) {
    filch_explore_options options = {.seeds = 200, .workers = 3, .policy = FILCH_PCT};
    check_int(filch_explore(two_take_turns_outside, NULL, &options, NULL), 0);
}

static int select_one_of_many(void *arg) {
    uint64_t *chosen = arg;
    filch_case cases[8];
    for (int i = 0; i < 8; i++) cases[i] = filch_case_deadline(filch_after(0));
    int first = filch_try_select(cases, 8);
    *chosen = *chosen * 8 + (uint64_t)first;
    return first >= 0 ? 0 : first;
}

static int select_outside(void *arg) {
    int result = -1;
    for (int i = 0; i < 10; i++) {
        check_int(filch_blocking(select_one_of_many, arg, &result, FILCH_NEVER), 0);
        check_int(result, 0);
    }
    return 0;
}

/* By a counter of the process, which choices of threads come from elsewhere, it would be another branch each time. */
TEST(simulation, the_branches_of_selects_by_foreign_threads_are_the_seeds_choice) {
    uint64_t first = 0, again = 0, other = 0;
    check_int(run_seed(select_outside, &first, 1, 2, FILCH_RANDOM_WALK, NULL), 0);
    check_int(run_seed(select_outside, &again, 1, 2, FILCH_RANDOM_WALK, NULL), 0);
    check_int(run_seed(select_outside, &other, 2, 2, FILCH_RANDOM_WALK, NULL), 0);
    check(first == again);
    check(first != other);
}

/* ---------------------------------------------------------------------------------------- alone, and after others */

static int sleep_a_little(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_MS(1));
}

/* Tasks with names and other stacks, timers, cancellation, another runtime, and a handle that is never given up. */
static int leave_traces(void *arg) {
    (void)arg;
    static filch_task *forgotten;
    filch_task *named, *cancelled;
    filch_task_options options = {.name = "large", .stack_size = 256 << 10};
    check_int(filch_spawn(&forgotten, sleep_a_little, NULL, NULL), 0);
    check_int(filch_spawn(&named, send_and_sum, NULL, &options), 0);
    check_int(filch_spawn(&cancelled, sleep_a_little, NULL, NULL), 0);
    filch_task_cancel(cancelled);
    check_int(filch_await(cancelled, NULL, FILCH_NEVER), 0);
    check_int(filch_await(named, NULL, FILCH_NEVER), 0);
    return begin_another(NULL);
}

/* What a seed's schedule is does not depend on how many were run before it in the same call. */
static void check_seeds_alone(filch_fn *fn, unsigned workers, filch_policy policy) {
    for (uint64_t last = 1; last <= 20; last++) {
        filch_explored explored;
        filch_explore_options options = {.seeds = last, .workers = workers, .policy = policy};
        uint64_t hash = 0;
        check_int(filch_explore(fn, NULL, &options, &explored), 0);
        check_int(run_seed(fn, NULL, last, workers, last % 2 == 0 ? policy : FILCH_RANDOM_WALK, &hash), 0);
        check(explored.hash == hash);
    }
}

TEST(simulation, a_seed_explored_after_others_is_the_schedule_that_it_is_alone) {
    for (unsigned workers = 1; workers <= 4; workers++) {
        check_seeds_alone(send_and_sum, workers, FILCH_PCT);
        check_seeds_alone(use_the_rest, workers, FILCH_RANDOM_WALK);
        check_seeds_alone(leave_traces, workers, FILCH_PCT);
    }
}

/* ---------------------------------------------------------------------------------------- each seed's own numbers */

struct numbers {
    uint64_t seed;
    filch_stats stats[64];
};

static int wait_for_it(void *arg) {
    return filch_event_wait(arg, FILCH_NEVER);
}

/* So many tasks wait at a time, each on a stack of its own, some on another kind: more in one seed than in the next. */
static int hold_stacks(void *arg) {
    struct numbers *numbers = arg;
    filch_event event = FILCH_EVENT_INIT;
    filch_task *tasks[40];
    unsigned count = 40 / (1 + numbers->seed % 5);
    for (unsigned i = 0; i < count; i++) {
        filch_task_options options = {.stack_size = i % 4 == 0 ? 256 << 10 : 0};
        check_int(filch_spawn(&tasks[i], wait_for_it, &event, &options), 0);
    }
    check_int(filch_sleep(FILCH_MS(1)), 0); /* all of them wait by then */
    filch_event_set(&event);
    for (unsigned i = 0; i < count; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    check_int(filch_runtime_stats(filch_runtime_current(), &numbers->stats[numbers->seed++]), 0);
    return 0;
}

static void check_same_stacks(const filch_stats *one, const filch_stats *other) {
    check_int(one->stacks, other->stacks);
    check_int(one->stacks_peak, other->stacks_peak);
    check_int(one->stacks_cached, other->stacks_cached);
    check_int(one->stack_bytes, other->stack_bytes);
    check_int(one->stack_refills, other->stack_refills);
    check_int(one->stack_spills, other->stack_spills);
    check_int(one->spawned, other->spawned);
    check_int(one->parks, other->parks);
    check_int(one->switches, other->switches);
    check_int(one->timers_set, other->timers_set);
}

TEST(simulation, a_seed_that_comes_after_others_counts_stacks_as_it_does_alone) {
    static struct numbers explored, alone;
    enum { SEEDS = 20 };
    filch_explore_options options = {.first_seed = 1, .seeds = SEEDS, .workers = 3};
    explored.seed = 1;
    check_int(filch_explore(hold_stacks, &explored, &options, NULL), 0);
    size_t most = 0, least = SIZE_MAX;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        alone.seed = seed;
        check_int(run_seed(hold_stacks, &alone, seed, 3, FILCH_RANDOM_WALK, NULL), 0);
        check_same_stacks(&explored.stats[seed], &alone.stats[seed]);
        size_t peak = explored.stats[seed].stacks_peak;
        if (peak > most) most = peak;
        if (peak < least) least = peak;
    }
    check(least < 20 && most > 40); /* they differ, and later ones are lower again */
}

static void *explore_outside(void *arg) {
    (void)arg;
    check_int(filch_explore(send_and_sum, NULL, NULL, NULL), -EBUSY);
    return NULL;
}

/* By a thread of its own: a task is on a worker. */
static int explore_within(void *arg) {
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, explore_outside, arg), 0);
    check_int(pthread_join(thread, NULL), 0);
    check_int(filch_explore(send_and_sum, NULL, NULL, NULL), -EBUSY);
    return 0;
}

TEST(simulation, no_other_begins_while_seeds_are_explored) {
    filch_explored explored;
    filch_explore_options options = {.seeds = 3};
    check_int(filch_explore(explore_within, NULL, &options, &explored), 0);
    check_int(explored.seeds, 3);
}

TEST(simulation, bad_arguments_are_answered) {
    filch_explored explored;
    filch_simulation simulation = {.policy = (filch_policy)7};
    check_int(filch_explore(NULL, NULL, NULL, &explored), -EINVAL);
    check_int(filch_explore(send_and_sum, NULL, &(filch_explore_options){.workers = 5000}, &explored), -EINVAL);
    check_int(filch_explore(send_and_sum, NULL, &(filch_explore_options){.duration_ns = -1}, &explored), -EINVAL);
    check_int(filch_explore(send_and_sum, NULL, &(filch_explore_options){.changes = 17}, &explored), -EINVAL);
    check_int(filch_run(send_and_sum, NULL, &(filch_options){.simulation = &simulation}), -EINVAL);
}

static int no_work(void *arg) {
    (void)arg;
    return 0;
}

/* The thread that has a simulation is the same owner before, within and after. */
TEST(simulation, a_lock_is_taken_before_and_left_within_or_the_other_way_round) {
    filch_mutex before = FILCH_MUTEX_INIT, within = FILCH_MUTEX_INIT;
    filch_simulation simulation = {.seed = 7, .quiet = true};
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_mutex_lock(&before, FILCH_NEVER), 0);
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2, .simulation = &simulation}), 0);
    filch_mutex_unlock(&before);
    check_int(filch_mutex_lock(&within, FILCH_NEVER), 0);
    check_int(filch_runtime_spawn(runtime, &task, no_work, NULL, NULL), 0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    check_int(filch_runtime_destroy(runtime), 0);
    filch_mutex_unlock(&within);
}
