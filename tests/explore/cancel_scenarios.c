/* SPDX-License-Identifier: MIT */
/*
 * Cancellation, scopes, time-outs and whoever looks on, each racing a wait that is about to begin or to end. Verdict: who
 * is cancelled goes on, who waits for a time goes on, nobody is told what did not happen to it, and nobody touches a scope
 * or a handle that is gone.
 */
#include <errno.h>
#include <filch/filch.h>
#include <string.h>

#include "alloc/heap.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "tests/explore/explore.h"

static filch_runtime *runtime;
static filch_task *task, *other;
static ATOMIC(uint32_t) done;

static void begin(unsigned workers) {
    done = 0;
    task = other = NULL;
    int answer = filch_runtime_create(&runtime, &(filch_options){.workers = workers, .seed = 1 + explore_choose(1000)});
    explore_check(answer == 0);
}

static void end(void) {
    explore_check(filch_runtime_destroy(runtime) == 0);
}

static void start_task(filch_fn *fn) {
    explore_check(filch_runtime_spawn(runtime, &task, fn, NULL, NULL) == 0);
}

static int result_of(filch_task *of) {
    int result = 4711;
    explore_check(filch_await(of, &result, FILCH_NEVER) == 0);
    return result;
}

/* Writes over the stack below the caller: whoever still uses something there is found out. */
static __attribute__((noinline)) void spoil_stack(void) {
    volatile char below[1536];
    memset((char *)below, 0xdd, sizeof below);
    __asm__ volatile("" : : "r"(below) : "memory");
}

static void some_yields(void) {
    for (unsigned i = explore_choose(3); i > 0; i--) filch_yield();
}

static filch_deadline some_deadline(void) {
    return explore_choose(2) == 0 ? FILCH_NEVER : filch_after(1 + (int64_t)explore_choose(40000));
}

/* What only a cancellation ends. */
static int sleep_for_ever(void *arg) {
    (void)arg;
    int answer = filch_sleep_until(FILCH_NEVER);
    spoil_stack();
    explore_check(answer == -ECANCELED && filch_cancelled());
    return answer;
}

/* ---------------------------------------------------------------------------------------------------- one task */

SCENARIO(cancel_parks, "a foreign thread cancels a task that is about to sleep for ever") {
    begin(1 + explore_choose(2));
    start_task(sleep_for_ever);
    filch_task_cancel(task);
    explore_check(result_of(task) == -ECANCELED);
    end();
}

/* Awaits a task that sleeps for ever, in place or not. */
static int await_a_sleeper(void *arg) {
    (void)arg;
    filch_task *sleeper;
    int result = 0;
    explore_check(filch_spawn(&sleeper, sleep_for_ever, NULL, NULL) == 0);
    int answer = filch_await(sleeper, &result, FILCH_NEVER);
    spoil_stack();
    if (answer == -ECANCELED) {
        filch_task_cancel(sleeper); /* it was cancelled with its awaiter, unless that was cancelled before */
        filch_task_detach(sleeper);
    } else {
        explore_check(answer == 0 && result == -ECANCELED);
    }
    return answer;
}

SCENARIO(cancel_in_place, "a foreign thread cancels a task that is about to call another in place") {
    begin(1);
    start_task(await_a_sleeper);
    filch_task_cancel(task);
    int result = result_of(task);
    explore_check(result == 0 || result == -ECANCELED);
    end();
}

static int end_soon(void *arg) {
    some_yields();
    return arg == NULL ? 5 : (int)(uintptr_t)arg;
}

/* Awaits one that ends by itself; afterwards another that may have its record, and that nobody cancels. */
static int await_one_that_ends(void *arg) {
    (void)arg;
    filch_task *first, *second;
    int result = 0;
    explore_check(filch_spawn(&first, end_soon, NULL, NULL) == 0);
    some_yields();
    int answer = filch_await(first, &result, FILCH_NEVER);
    spoil_stack();
    filch_shield shield;
    filch_shield_begin(&shield);
    explore_check(filch_spawn(&second, end_soon, (void *)(uintptr_t)6, NULL) == 0);
    explore_check(result_of(second) == 6);
    if (answer == -ECANCELED) {
        explore_check(filch_await(first, &result, FILCH_NEVER) == 0); /* it is still the caller's */
    } else {
        explore_check(answer == 0);
    }
    filch_shield_end(&shield);
    explore_check(result == 5 || result == -ECANCELED);
    return 0;
}

SCENARIO(cancel_awaiter, "a foreign thread cancels a task whose child ends just then") {
    begin(2);
    start_task(await_one_that_ends);
    some_yields();
    filch_task_cancel(task);
    (void)result_of(task);
    end();
}

/* A scope of the caller's own, with one task that sleeps for ever. */
static int own_a_sleeper(void *arg) {
    (void)arg;
    filch_scope scope;
    explore_check(filch_scope_open(&scope, NULL) == 0);
    explore_check(filch_scope_spawn(&scope, NULL, sleep_for_ever, NULL, NULL) == 0);
    int answer = filch_scope_close(&scope);
    explore_check(answer == -ECANCELED);
    spoil_stack();
    return answer;
}

static int await_an_owner(void *arg) {
    (void)arg;
    filch_task *owner;
    explore_check(filch_spawn(&owner, own_a_sleeper, NULL, NULL) == 0);
    int answer = filch_await(owner, NULL, FILCH_NEVER);
    if (answer == 0) return 0;
    explore_check(answer == -ECANCELED);
    filch_task_cancel(owner);
    filch_task_detach(owner);
    return 0;
}

SCENARIO(cancel_below, "a foreign thread cancels a task that calls another in place, which has a scope of its own") {
    begin(1);
    start_task(await_an_owner);
    some_yields();
    filch_task_cancel(task);
    (void)result_of(task);
    end();
}

static int fork_a_sleeper(void *arg) {
    filch_frame frame;
    filch_fork(&frame, sleep_for_ever, arg);
    some_yields();
    int answer = sleep_for_ever(arg);
    explore_check(filch_join(&frame) == -ECANCELED);
    return answer;
}

SCENARIO(cancel_child, "a foreign thread cancels a task whose forked child sleeps on another worker") {
    begin(2);
    start_task(fork_a_sleeper);
    some_yields();
    filch_task_cancel(task);
    explore_check(result_of(task) == -ECANCELED);
    end();
}

/* ------------------------------------------------------------------------------------------------ time and lookers */

/* In a shield, a cancellation only makes the strand look. */
static int sleep_shielded(void *arg) {
    (void)arg;
    filch_shield shield;
    filch_shield_begin(&shield);
    int64_t until_ns = filch_now() + 6000;
    explore_check(filch_sleep_until((filch_deadline){until_ns}) == 0);
    explore_check(filch_now() >= until_ns);
    filch_shield_end(&shield);
    return 7;
}

SCENARIO(expire_hinted, "a shielded task's sleep ends when somebody cancels it") {
    begin(2);
    start_task(sleep_shielded);
    some_yields();
    filch_task_cancel(task);
    int result = result_of(task);
    explore_check(result == 7 || result == -ECANCELED); /* it has not begun */
    end();
}

static void count_look(const struct filch__waiter *waiter, void *arg) {
    explore_check(strcmp(waiter->reason, "sleep") == 0);
    *(unsigned *)arg += 1;
}

static void look_on(void *arg) {
    unsigned looks = 0;
    (void)arg;
    for (unsigned i = 0; i < 2; i++) filch__park_look(runtime, task, count_look, &looks);
}

SCENARIO(look_cancel, "a thread looks at a sleeping task that another cancels") {
    begin(1 + explore_choose(2));
    start_task(sleep_for_ever);
    filch_task *sleeper = task;
    unsigned looker = explore_start(look_on, NULL);
    some_yields();
    filch_task_cancel(sleeper);
    explore_join(looker);
    explore_check(result_of(sleeper) == -ECANCELED);
    end();
}

static int sleep_a_little(void *arg) {
    (void)arg;
    int answer = filch_sleep(6000);
    spoil_stack();
    explore_check(answer == 0);
    return 0;
}

SCENARIO(look_wake, "a thread looks at a sleeping task when its time is over") {
    begin(1 + explore_choose(2));
    start_task(sleep_a_little);
    unsigned looker = explore_start(look_on, NULL);
    while (!filch_task_done(task)) filch_yield();
    explore_join(looker);
    explore_check(result_of(task) == 0);
    end();
}

/* --------------------------------------------------------------------------------------------------------- scopes */

static int cancel_the_scope(void *scope) {
    filch_scope_cancel(scope);
    add_seq_cst(&done, 1);
    return 0;
}

static int count_one(void *arg) {
    (void)arg;
    add_seq_cst(&done, 1);
    return 0;
}

static int close_cancelled(void *arg) {
    (void)arg;
    filch_scope scope;
    explore_check(filch_scope_open(&scope, NULL) == 0);
    explore_check(filch_scope_spawn(&scope, NULL, sleep_for_ever, NULL, NULL) == 0);
    explore_check(filch_scope_spawn(&scope, NULL, cancel_the_scope, &scope, NULL) == 0);
    int late = filch_scope_spawn(&scope, NULL, count_one, NULL, NULL);
    explore_check(late == 0 || late == -ECANCELED);
    int answer = filch_scope_close(&scope);
    spoil_stack();
    explore_check(answer == -ECANCELED);
    return 0;
}

SCENARIO(scope_cancel, "a member cancels the scope while another is about to sleep, and the opener closes it") {
    begin(1 + explore_choose(2));
    start_task(close_cancelled);
    explore_check(result_of(task) == 0);
    end();
    explore_check(done >= 1);
}

static struct filch_task *ATOMIC(member);
static ATOMIC(filch_scope *) asleep_in;

static int sleep_twice(void *arg) {
    int answer = filch_sleep(1 + (int64_t)explore_choose(3000));
    explore_check(answer == 0 || answer == -ECANCELED);
    return sleep_for_ever(arg);
}

static int close_with_sleeper(void *arg) {
    (void)arg;
    filch_scope scope;
    explore_check(filch_scope_open(&scope, NULL) == 0);
    explore_check(filch_scope_spawn(&scope, NULL, sleep_twice, NULL, NULL) == 0);
    store_release(&asleep_in, &scope);
    int answer = filch_scope_close(&scope);
    explore_check(answer == -ECANCELED);
    return 0;
}

SCENARIO(scope_cancel_later, "a foreign thread cancels a scope whose member notes that it is not cancelled") {
    begin(1 + explore_choose(2));
    store_release(&asleep_in, NULL);
    start_task(close_with_sleeper);
    filch_scope *scope;
    while ((scope = load_acquire(&asleep_in)) == NULL) spin_pause();
    some_yields();
    filch_scope_cancel(scope);
    explore_check(result_of(task) == 0);
    end();
}

/* Once a member was not begun since its opener is cancelled, the opener finds that it is. */
static int close_over_unbegun(void *arg) {
    (void)arg;
    filch_scope scope;
    int slept = filch_sleep(1);
    explore_check(slept == 0 || slept == -ECANCELED);
    explore_check(filch_scope_open(&scope, &(filch_scope_options){.policy = FILCH_SCOPE_SUPERVISE}) == 0);
    explore_check(filch_scope_spawn(&scope, NULL, count_one, NULL, NULL) == 0);
    int answer = filch_scope_close(&scope);
    explore_check(answer == 0 || answer == -ECANCELED);
    explore_check(load_seq_cst(&done) == 1 || filch_cancelled());
    return 0;
}

static int open_around(void *arg) {
    (void)arg;
    filch_scope scope;
    explore_check(filch_scope_open(&scope, &(filch_scope_options){.policy = FILCH_SCOPE_SUPERVISE}) == 0);
    explore_check(filch_scope_spawn(&scope, &other, close_over_unbegun, NULL, NULL) == 0);
    store_release(&member, other);
    int answer = filch_scope_close(&scope);
    explore_check(answer == 0);
    return 0;
}

SCENARIO(scope_cancel_seen,
         "a foreign thread cancels a task whose member is not begun for that, and that closes its scope") {
    begin(1 + explore_choose(2));
    store_release(&member, NULL);
    start_task(open_around);
    struct filch_task *held;
    while ((held = load_acquire(&member)) == NULL) spin_pause();
    some_yields();
    filch_task_cancel(held);
    explore_check(result_of(task) == 0);
    int result = result_of(held);
    explore_check(result == 0 || result == -ECANCELED); /* it had not begun */
    end();
}

static int close_empty(void *arg) {
    (void)arg;
    filch_scope *scope = filch__heap_get(sizeof *scope, 64);
    explore_check(filch_scope_open(scope, NULL) == 0);
    for (unsigned i = 0; i < 2; i++) explore_check(filch_scope_spawn(scope, NULL, count_one, NULL, NULL) == 0);
    explore_check(filch_scope_close(scope) == 0);
    explore_check(load_seq_cst(&done) == 2);
    filch__heap_put(scope, sizeof *scope, 64);
    return 0;
}

SCENARIO(scope_close, "an opener closes a scope when its last member ends, and gives its memory away") {
    begin(1 + explore_choose(2));
    start_task(close_empty);
    explore_check(result_of(task) == 0);
    end();
}

/* The handle outlives the scope, and its holder cancels the task whenever it likes. */
static void cancel_member(void *arg) {
    (void)arg;
    struct filch_task *held;
    while ((held = load_acquire(&member)) == NULL) spin_pause();
    filch_task_cancel(held);
}

static int close_over_handle(void *arg) {
    (void)arg;
    filch_scope *scope = filch__heap_get(sizeof *scope, 64);
    explore_check(filch_scope_open(scope, &(filch_scope_options){.policy = FILCH_SCOPE_SUPERVISE}) == 0);
    explore_check(filch_scope_spawn(scope, &other, end_soon, NULL, NULL) == 0);
    store_release(&member, other);
    some_yields();
    explore_check(filch_scope_close(scope) == 0);
    filch__heap_put(scope, sizeof *scope, 64);
    return 0;
}

SCENARIO(scope_handle, "a foreign thread cancels a task when its scope is closed and its memory given away") {
    begin(1 + explore_choose(2));
    member = NULL;
    unsigned canceller = explore_start(cancel_member, NULL);
    start_task(close_over_handle);
    explore_check(result_of(task) == 0);
    explore_join(canceller);
    int result = result_of(other);
    explore_check(result == 5 || result == -ECANCELED);
    end();
}

static int sleep_in_scope(void *arg) {
    (void)arg;
    return filch_sleep(1 + (int64_t)explore_choose(30000));
}

static int close_at_deadline(void *arg) {
    (void)arg;
    filch_scope *scope = filch__heap_get(sizeof *scope, 64);
    filch_deadline deadline = filch_after(1 + (int64_t)explore_choose(30000));
    explore_check(filch_scope_open(scope, &(filch_scope_options){.deadline = deadline}) == 0);
    int member_result = 0, spawned = filch_scope_spawn(scope, &other, sleep_in_scope, NULL, NULL);
    explore_check(spawned == 0 || spawned == -ECANCELED); /* the deadline has passed */
    if (explore_choose(2) == 0) {
        int set = filch_scope_set_deadline(scope, some_deadline());
        explore_check(set == 0 || set == -ETIMEDOUT);
    }
    int answer = filch_scope_close(scope);
    explore_check(answer == 0 || answer == -ETIMEDOUT);
    filch__heap_put(scope, sizeof *scope, 64);
    if (spawned == 0) explore_check(filch_await(other, &member_result, FILCH_NEVER) == 0);
    explore_check(answer != 0 || member_result == 0);
    return 0;
}

SCENARIO(scope_deadline, "a scope's deadline passes, or is set anew, when its member ends and it is closed") {
    begin(2);
    start_task(close_at_deadline);
    explore_check(result_of(task) == 0);
    end();
}

/* ------------------------------------------------------------------------------------------------ a whole runtime */

/* Looks only whether the task has ended: its own waiting calls are cancelled. */
static int spawn_a_sleeper(void *arg) {
    (void)arg;
    filch_task *sleeper;
    explore_check(filch_spawn(&sleeper, sleep_for_ever, NULL, NULL) == 0);
    while (!filch_task_done(sleeper)) {
        filch_yield();
        spin_pause();
    }
    filch_task_detach(sleeper);
    return 0;
}

SCENARIO(cancel_all, "a foreign thread cancels a whole runtime when a task spawns another, which sleeps for ever") {
    begin(2);
    start_task(spawn_a_sleeper);
    filch_runtime_cancel(runtime);
    int result = result_of(task);
    explore_check(result == 0 || result == -ECANCELED);
    end();
}

/* -------------------------------------------------------------------------------------------------------- several */

static int await_some(void *arg) {
    (void)arg;
    filch_task *tasks[2];
    size_t order[2] = {9, 9};
    for (unsigned i = 0; i < 2; i++) explore_check(filch_spawn(&tasks[i], end_soon, NULL, NULL) == 0);
    size_t wanted = 1 + explore_choose(2);
    ssize_t ended = filch_await_n(tasks, 2, wanted, order, some_deadline());
    spoil_stack();
    explore_check(ended == -ETIMEDOUT || ended >= (ssize_t)wanted);
    if (ended > 0) explore_check(order[0] < 2 && filch_task_done(tasks[order[0]]));
    if (ended == 2) explore_check(order[0] + order[1] == 1);
    for (unsigned i = 0; i < 2; i++) explore_check(result_of(tasks[i]) == 5);
    return 0;
}

SCENARIO(await_several, "a task awaits two that end just then, or its deadline passes") {
    begin(2);
    start_task(await_some);
    explore_check(result_of(task) == 0);
    end();
}

/* ---------------------------------------------------------------------------------------------------- lists of waits */

static struct filch__latch latches[2];
static struct filch__waitlist lists[2];
static unsigned tokens, taken;

static void lists_begin(void) {
    memset(latches, 0, sizeof latches);
    memset(lists, 0, sizeof lists);
    tokens = taken = 0;
    member = NULL;
}

/* Takes a token, waiting for one. */
static int take_token(void *arg) {
    (void)arg;
    if (filch_cancelled()) return -ECANCELED;
    filch__latch_take(&latches[0]);
    if (tokens > 0) {
        tokens--;
        taken++;
        filch__latch_leave(&latches[0]);
        return 0;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "scenario", &tokens);
    struct filch__clause clause = {.waiter = &waiter};
    filch__waitlist_add(&lists[0], &clause);
    int answer = filch__wait(&latches[0], &clause, some_deadline());
    explore_check(answer == 1 || answer == -ETIMEDOUT || answer == -ECANCELED);
    if (answer == 1) taken++;
    return 0;
}

static int take_token_on_stack(void *arg) {
    int answer = take_token(arg);
    spoil_stack();
    return answer;
}

/* Gives a token to who waits, or leaves it there. */
static void give_token(void *arg) {
    (void)arg;
    filch__latch_take(&latches[0]);
    struct filch__clause *first = filch__waitlist_take(&lists[0]);
    if (first == NULL) tokens++;
    filch__latch_leave(&latches[0]);
    if (first != NULL) filch__grant(first->waiter, 1);
}

SCENARIO(wait_races, "a wait is granted when its deadline passes and its task is cancelled") {
    begin(1 + explore_choose(2));
    lists_begin();
    start_task(take_token_on_stack);
    filch_task *taker = task;
    unsigned giver = explore_start(give_token, NULL);
    some_yields();
    filch_task_cancel(taker);
    (void)result_of(taker);
    explore_join(giver);
    explore_check(tokens + taken == 1 && lists[0].first == NULL);
    end();
}

/* Waits at both lists: one of the clauses is granted, the other withdrawn. */
static int wait_at_two(void *arg) {
    (void)arg;
    struct filch__waiter waiter;
    struct filch__clause clauses[2];
    filch__waiter_init(&waiter, "scenario", lists);
    for (unsigned i = 0; i < 2; i++) {
        clauses[i] = (struct filch__clause){.waiter = &waiter, .number = i + 1};
        filch__latch_take(&latches[i]);
        filch__waitlist_add(&lists[i], &clauses[i]);
        filch__latch_leave(&latches[i]);
    }
    store_release(&done, 1);
    filch__park(&waiter);
    explore_check(waiter.result == (int)waiter.chosen);
    for (unsigned i = 0; i < 2; i++) {
        filch__latch_take(&latches[i]);
        if (clauses[i].list != NULL) filch__waitlist_remove(&clauses[i]);
        filch__latch_leave(&latches[i]);
    }
    return (int)waiter.chosen;
}

static ATOMIC(uint32_t) granted;

static void grant_at(void *arg) {
    unsigned which = (unsigned)(uintptr_t)arg;
    while (load_acquire(&done) == 0) spin_pause();
    filch__latch_take(&latches[which]);
    struct filch__clause *first = filch__waitlist_take(&lists[which]);
    filch__latch_leave(&latches[which]);
    if (first == NULL) return;
    add_seq_cst(&granted, 1);
    filch__grant(first->waiter, (int)which + 1);
}

SCENARIO(wait_at_two, "a wait has two clauses, and two threads want to grant it one each") {
    begin(1);
    lists_begin();
    granted = 0;
    start_task(wait_at_two);
    unsigned first = explore_start(grant_at, (void *)(uintptr_t)0),
             second = explore_start(grant_at, (void *)(uintptr_t)1);
    int result = result_of(task);
    explore_check(result == 1 || result == 2);
    explore_join(first);
    explore_join(second);
    explore_check(granted == 1);
    end();
}
