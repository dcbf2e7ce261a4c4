/* SPDX-License-Identifier: MIT */
/*
 * Proves scopes: that closing waits for every task, what it returns by each policy, that deadlines are kept, set anew and
 * told apart from cancellation, that scopes nest in whatever way they are opened, and what a scope answers to bad
 * arguments, want of memory and misuse.
 */
#include <pthread.h>
#include <stdlib.h>

#include "alloc/heap.h"
#include "tests/api/waits.h"

static int return_it(void *arg) {
    return (int)(intptr_t)arg;
}

static int count_it(void *arg) {
    for (int i = 0; i < 3; i++) filch_yield();
    atomic_fetch_add((atomic_uint *)arg, 1);
    return 0;
}

static void open_scope(filch_scope *scope, filch_scope_policy policy) {
    check_int(filch_scope_open(scope, &(filch_scope_options){.policy = policy}), 0);
}

/* Spawns `fn(arg)`, detached. */
static void spawn_into(filch_scope *scope, filch_fn *fn, void *arg) {
    check_int(filch_scope_spawn(scope, NULL, fn, arg, NULL), 0);
}

static void *code(int result) {
    return (void *)(intptr_t)result;
}

/* ------------------------------------------------------------------------------------------------- waits for all */

static int close_waits(void *arg) {
    (void)arg;
    for (int tasks = 0; tasks < 100; tasks += 9) {
        atomic_uint count = 0;
        filch_scope scope;
        filch_task *handle = NULL;
        check_int(filch_scope_open(&scope, NULL), 0);
        check_int(filch_scope_tasks(&scope), 0);
        for (int i = 0; i < tasks; i++)
            check_int(filch_scope_spawn(&scope, i == 5 ? &handle : NULL, count_it, &count, NULL), 0);
        check(filch_scope_tasks(&scope) <= (size_t)tasks);
        if (tasks % 2 == 0) filch_sleep(FILCH_US(50));
        check(!filch_scope_cancelled(&scope));
        check_int(filch_scope_close(&scope), 0);
        check_int(atomic_load(&count), tasks);
        if (handle != NULL) check(filch_task_done(handle));
        if (handle != NULL) check_int(result_of(handle), 0);
    }
    return 0;
}

TEST(scope, closing_waits_for_every_task_detached_ones_too) {
    run_with_all(close_waits, NULL);
}

struct family {
    filch_scope *scope;
    atomic_uint *count;
    int depth;
};

/* Members spawn members: the scope waits for those, too. */
static int have_children(void *arg) {
    struct family *family = arg;
    filch_yield();
    atomic_fetch_add(family->count, 1);
    for (int i = 0; family->depth > 0 && i < 2; i++) {
        struct family *child = malloc(sizeof *child);
        check(child != NULL);
        *child = (struct family){family->scope, family->count, family->depth - 1};
        spawn_into(family->scope, have_children, child);
    }
    free(family);
    return 0;
}

static int close_waits_for_generations(void *arg) {
    (void)arg;
    atomic_uint count = 0;
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    struct family *first = malloc(sizeof *first);
    check(first != NULL);
    *first = (struct family){&scope, &count, 7};
    spawn_into(&scope, have_children, first);
    check_int(filch_scope_close(&scope), 0);
    check_int(atomic_load(&count), (1 << 8) - 1);
    return 0;
}

TEST(scope, members_may_spawn_members) {
    run_with_all(close_waits_for_generations, NULL);
}

/* Plain data goes in with the spawn and out with the close: for the sanitizer. */
static int add_one(void *arg) {
    ++*(long *)arg;
    return 0;
}

static int close_carries_data(void *arg) {
    (void)arg;
    long values[50];
    for (int round = 0; round < 20; round++) {
        filch_scope scope;
        check_int(filch_scope_open(&scope, NULL), 0);
        for (int i = 0; i < 50; i++) {
            values[i] = i;
            spawn_into(&scope, add_one, &values[i]);
        }
        check_int(filch_scope_close(&scope), 0);
        for (int i = 0; i < 50; i++) check_int(values[i], i + 1);
    }
    return 0;
}

TEST(scope, close_orders_what_the_tasks_did) {
    run_with_all(close_carries_data, NULL);
}

static int filch_spawn_is_free(void *arg) {
    atomic_uint *count = arg;
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_task *task = start(sleep_for_ever, NULL);
    filch_yield();
    filch_scope_cancel(&scope);
    check_int(filch_scope_tasks(&scope), 0);
    check_int(filch_scope_close(&scope), -ECANCELED); /* does not wait for that one, and has not cancelled it */
    for (int i = 0; i < 20; i++) filch_yield();
    check(!filch_task_done(task));
    filch_task_cancel(task);
    check_int(result_of(task), -ECANCELED);
    atomic_fetch_add(count, 1);
    return 0;
}

TEST(scope, a_task_spawned_by_filch_spawn_belongs_to_none) {
    atomic_uint count = 0;
    run_with_all(filch_spawn_is_free, &count);
    check_int(atomic_load(&count), TEST_WORKERS);
}

/* ----------------------------------------------------------------------------------------------------- policies */

/* Fails after others have begun to wait. */
static int fail_soon(void *arg) {
    for (int i = 0; i < 10; i++) filch_yield();
    return (int)(intptr_t)arg;
}

/* Another failure, which comes after the first. */
static int fail_when_cancelled(void *arg) {
    (void)arg;
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
    return -EXDEV;
}

static int first_failure_cancels(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_task *handles[4];
    check_int(filch_scope_open(&scope, &(filch_scope_options){.name = "fails"}), 0);
    spawn_into(&scope, return_it, code(3)); /* a positive result is no failure */
    for (int i = 0; i < 3; i++) check_int(filch_scope_spawn(&scope, &handles[i], sleep_for_ever, NULL, NULL), 0);
    check_int(filch_scope_spawn(&scope, &handles[3], fail_when_cancelled, NULL, NULL), 0);
    for (int i = 0; i < 5; i++) filch_yield();
    spawn_into(&scope, fail_soon, code(-ENOTTY));
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED); /* the opener is cancelled with the rest */
    check(filch_scope_cancelled(&scope));
    check_int(filch_scope_spawn(&scope, NULL, return_it, code(0), NULL), -ECANCELED);
    check_int(filch_scope_close(&scope), -ENOTTY);
    check(!filch_cancelled());
    for (int i = 0; i < 3; i++) check_int(result_of(handles[i]), -ECANCELED);
    int last = result_of(handles[3]);
    check(last == -EXDEV || last == -ECANCELED);
    return 0;
}

TEST(scope, the_first_failure_cancels_the_rest_and_is_returned) {
    run_with_all(first_failure_cancels, NULL);
}

static int collect_goes_on(void *arg) {
    (void)arg;
    atomic_uint count = 0;
    filch_scope scope;
    open_scope(&scope, FILCH_SCOPE_COLLECT);
    filch_task *first;
    check_int(filch_scope_spawn(&scope, &first, return_it, code(-EIO), NULL), 0);
    while (!filch_task_done(first)) filch_yield();
    for (int i = 0; i < 20; i++) spawn_into(&scope, count_it, &count);
    spawn_into(&scope, return_it, code(-EPIPE));
    check_int(filch_sleep(1000), 0);
    check(!filch_scope_cancelled(&scope));
    check_int(filch_scope_close(&scope), -EIO);
    check_int(atomic_load(&count), 20);
    check_int(result_of(first), -EIO);
    return 0;
}

TEST(scope, collect_lets_the_rest_go_on_and_returns_the_first_failure) {
    run_with_all(collect_goes_on, NULL);
}

static int supervise_returns_zero(void *arg) {
    (void)arg;
    atomic_uint count = 0;
    filch_scope scope;
    filch_task *failed;
    open_scope(&scope, FILCH_SCOPE_SUPERVISE);
    check_int(filch_scope_spawn(&scope, &failed, return_it, code(-EIO), NULL), 0);
    for (int i = 0; i < 20; i++) spawn_into(&scope, count_it, &count);
    filch_scope_fail(&scope, -EBADF); /* as if a task had failed: nothing */
    check_int(filch_scope_close(&scope), 0);
    check_int(atomic_load(&count), 20);
    check_int(result_of(failed), -EIO);

    open_scope(&scope, FILCH_SCOPE_SUPERVISE); /* but a cancellation is told */
    spawn_into(&scope, sleep_for_ever, NULL);
    filch_scope_cancel(&scope);
    check_int(filch_scope_close(&scope), -ECANCELED);
    return 0;
}

TEST(scope, supervise_returns_0_whatever_the_tasks_return) {
    run_with_all(supervise_returns_zero, NULL);
}

static int fail_by_opener(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_task *member;
    open_scope(&scope, FILCH_SCOPE_FAIL_FAST);
    check_int(filch_scope_spawn(&scope, &member, sleep_for_ever, NULL, NULL), 0);
    filch_scope_fail(&scope, 0); /* no failures */
    filch_scope_fail(&scope, 5);
    check(!filch_scope_cancelled(&scope));
    filch_scope_fail(&scope, -ENODEV);
    filch_scope_fail(&scope, -EIO);
    check(filch_scope_cancelled(&scope));
    filch_scope_cancel(&scope); /* changes nothing any more */
    check_int(filch_scope_close(&scope), -ENODEV);
    check_int(result_of(member), -ECANCELED);

    open_scope(&scope, FILCH_SCOPE_COLLECT);
    filch_scope_fail(&scope, -ENODEV);
    filch_scope_fail(&scope, -EIO);
    check_int(filch_sleep(0), 0);
    check_int(filch_scope_close(&scope), -ENODEV);
    filch_scope_fail(NULL, -EIO);
    return 0;
}

TEST(scope, the_opener_may_fail_it_itself) {
    run_with_all(fail_by_opener, NULL);
}

static int cancelled_is_told_before_failures(void *arg) {
    (void)arg;
    filch_scope scope;
    open_scope(&scope, FILCH_SCOPE_FAIL_FAST);
    spawn_into(&scope, fail_when_cancelled, NULL);
    filch_sleep(FILCH_US(200));
    filch_scope_cancel(&scope);
    filch_scope_cancel(&scope);                       /* once more is nothing */
    check_int(filch_scope_close(&scope), -ECANCELED); /* what fails because of it does not count */
    return 0;
}

TEST(scope, what_fails_because_it_was_cancelled_does_not_count) {
    run_with_all(cancelled_is_told_before_failures, NULL);
}

/* ---------------------------------------------------------------------------------------------- who cancels it */

static int cancel_scope(void *scope) {
    filch_scope_cancel(scope);
    return 0;
}

static void *cancel_scope_thread(void *scope) {
    filch_scope_cancel(scope);
    return NULL;
}

static int cancelled_from_everywhere(void *arg) {
    (void)arg;
    for (int who = 0; who < 5; who++) {
        filch_scope scope;
        filch_task *members[30], *canceller = NULL;
        pthread_t thread;
        open_scope(&scope, FILCH_SCOPE_SUPERVISE);
        for (int i = 0; i < 30; i++) {
            check_int(filch_scope_spawn(&scope, &members[i], sleep_for_ever, NULL, NULL), 0);
            if (i % 7 == 0) filch_yield();
        }
        switch (who) {
        case 0: /* the opener */
            filch_scope_cancel(&scope);
            break;
        case 1: /* a member */
            spawn_into(&scope, cancel_scope, &scope);
            break;
        case 2: /* a foreign thread */
            check_int(pthread_create(&thread, NULL, cancel_scope_thread, &scope), 0);
            break;
        case 3: /* a task that is none of it */
            canceller = start(cancel_scope, &scope);
            break;
        case 4: /* by its deadline */
            check_int(filch_scope_set_deadline(&scope, filch_after(FILCH_US(300))), 0);
            break;
        }
        check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
        if (who == 2) pthread_join(thread, NULL);
        check_int(filch_scope_close(&scope), who == 4 ? -ETIMEDOUT : -ECANCELED);
        for (int i = 0; i < 30; i++) check_int(result_of(members[i]), -ECANCELED);
        if (canceller != NULL) check_int(result_of(canceller), 0);
    }
    return 0;
}

TEST(scope, it_is_cancelled_by_its_opener_a_member_a_thread_a_stranger_or_time) {
    run_with_all(cancelled_from_everywhere, NULL);
}

static int must_not_run(void *arg) {
    (void)arg;
    check(!"a task of a cancelled scope has begun");
    return 0;
}

static int members_not_begun(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_task *members[20];
    open_scope(&scope, FILCH_SCOPE_FAIL_FAST);
    for (int i = 0; i < 20; i++) check_int(filch_scope_spawn(&scope, &members[i], must_not_run, NULL, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_scope_spawn(&scope, NULL, must_not_run, NULL, NULL), -ECANCELED);
    check_int(filch_scope_close(&scope), -ECANCELED);
    for (int i = 0; i < 20; i++) check_int(result_of(members[i]), -ECANCELED);
    return 0;
}

TEST(scope, members_that_have_not_begun_never_run) {
    run_with(1, members_not_begun, NULL); /* one worker: nobody begins them meanwhile */
}

/* ------------------------------------------------------------------------------------------------------ deadlines */

static int deadline_cuts_short(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_task *member;
    filch_scope_options options = {.deadline = filch_after(FILCH_MS(3))};
    check_int(filch_scope_open(&scope, &options), 0);
    check_int(filch_scope_spawn(&scope, &member, sleep_for_ever, NULL, NULL), 0);
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED); /* not -ETIMEDOUT: the call had no deadline */
    check(filch_now() >= options.deadline.at_ns);
    check(filch_scope_cancelled(&scope));
    check_int(filch_scope_set_deadline(&scope, FILCH_NEVER), -ETIMEDOUT); /* it stays cancelled */
    check_int(filch_sleep(0), -ECANCELED);
    filch_scope_fail(&scope, -EIO); /* later than that */
    check_int(filch_scope_close(&scope), -ETIMEDOUT);
    check_int(result_of(member), -ECANCELED);
    return 0;
}

TEST(scope, a_deadline_that_passes_cancels_and_is_told_apart) {
    run_with_all(deadline_cuts_short, NULL);
}

static int deadline_not_reached(void *arg) {
    (void)arg;
    atomic_uint count = 0;
    for (int i = 0; i < 50; i++) {
        filch_scope scope;
        check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(FILCH_SEC(1000))}), 0);
        spawn_into(&scope, count_it, &count);
        if (i % 3 == 0) filch_scope_cancel(&scope);
        check_int(filch_scope_close(&scope), i % 3 == 0 ? -ECANCELED : 0);
    }
    return 0;
}

TEST(scope, a_deadline_that_does_not_pass_leaves_nothing_behind) {
    run_with_all(deadline_not_reached, NULL);
}

static int deadline_passed_already(void *arg) {
    (void)arg;
    filch_scope scope;
    check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = {1}}), 0);
    check(filch_scope_cancelled(&scope));
    check_int(filch_scope_spawn(&scope, NULL, must_not_run, NULL, NULL), -ECANCELED);
    check_int(filch_scope_close(&scope), -ETIMEDOUT);
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_set_deadline(&scope, (filch_deadline){0}), 0);
    check_int(filch_sleep(0), -ECANCELED);
    check_int(filch_scope_close(&scope), -ETIMEDOUT);
    return 0;
}

TEST(scope, a_deadline_in_the_past_cancels_at_once) {
    run_with_all(deadline_passed_already, NULL);
}

static int deadline_is_moved(void *arg) {
    (void)arg;
    filch_scope scope;
    check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(FILCH_SEC(1000))}), 0);
    spawn_into(&scope, sleep_for_ever, NULL);
    filch_deadline sooner = filch_after(FILCH_MS(2));
    check_int(filch_scope_set_deadline(&scope, sooner), 0); /* earlier */
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
    check(filch_now() >= sooner.at_ns);
    check_int(filch_scope_close(&scope), -ETIMEDOUT);

    check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(FILCH_SEC(2))}), 0);
    check_int(filch_scope_set_deadline(&scope, filch_after(FILCH_SEC(1000))), 0); /* later */
    check_int(filch_scope_set_deadline(&scope, FILCH_NEVER), 0);                  /* never */
    check_int(filch_scope_set_deadline(&scope, FILCH_NEVER), 0);
    check_int(filch_sleep(FILCH_MS(1)), 0);
    check_int(filch_scope_close(&scope), 0);

    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_scope_set_deadline(&scope, filch_after(1)), -ECANCELED);
    check_int(filch_sleep(0), -ECANCELED);
    check_int(filch_scope_close(&scope), -ECANCELED); /* why does not change */
    check_int(filch_scope_set_deadline(NULL, FILCH_NEVER), -EINVAL);
    return 0;
}

TEST(scope, a_deadline_may_be_set_earlier_later_and_to_never) {
    run_with_all(deadline_is_moved, NULL);
}

/* A short deadline that is put off again and again: either it holds, or the answer says that it has passed. */
struct putting_off {
    filch_scope *scope;
    atomic_bool stop;
};

static int put_off(void *arg) {
    struct putting_off *off = arg;
    int answer = 0;
    while (answer == 0 && !atomic_load(&off->stop)) {
        answer = filch_scope_set_deadline(off->scope, filch_after(FILCH_US(30)));
        filch_yield();
    }
    check(answer == 0 || answer == -ETIMEDOUT);
    return answer;
}

static int expire_while_set(void *arg) {
    (void)arg;
    for (int round = 0; round < 30; round++) {
        filch_scope scope;
        check_int(filch_scope_open(&scope, NULL), 0);
        struct putting_off off = {&scope, false};
        filch_task *first = start(put_off, &off), *second = start(put_off, &off);
        int slept = filch_sleep(FILCH_US(200));
        check(slept == 0 || slept == -ECANCELED);
        atomic_store(&off.stop, true);
        filch_shield shield;
        filch_shield_begin(&shield);
        int first_result = result_of(first), second_result = result_of(second);
        filch_shield_end(&shield);
        bool expired = first_result == -ETIMEDOUT || second_result == -ETIMEDOUT || slept == -ECANCELED;
        int last = filch_scope_set_deadline(&scope, FILCH_NEVER);
        int closed = filch_scope_close(&scope);
        check_int(closed, last);
        check(closed == (expired ? -ETIMEDOUT : 0) || !expired);
    }
    return 0;
}

TEST(scope, a_deadline_that_passes_while_it_is_set_anew_is_told) {
    run_with_all(expire_while_set, NULL);
}

/* Many scopes whose deadlines pass just when they are closed. */
static int close_at_deadline(void *arg) {
    (void)arg;
    for (int round = 0; round < 100; round++) {
        filch_scope scope;
        filch_deadline deadline = filch_after(FILCH_US(20) + round * 500);
        check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = deadline}), 0);
        filch_task *member = NULL;
        int spawned = filch_scope_spawn(&scope, &member, sleep_for_ever, NULL, NULL);
        check(spawned == 0 || spawned == -ECANCELED);
        if (round % 2 == 0) filch_sleep_until(deadline);
        check_int(filch_scope_close(&scope), -ETIMEDOUT);
        memset(&scope, 0xdd, sizeof scope);
        if (spawned == 0) check_int(result_of(member), -ECANCELED);
    }
    return 0;
}

TEST(scope, it_is_closed_at_the_very_deadline) {
    run_with_all(close_at_deadline, NULL);
}

/* -------------------------------------------------------------------------------------------------------- nesting */

static int inner_scopes_are_cancelled_too(void *arg) {
    (void)arg;
    filch_scope outer, middle, inner;
    filch_task *members[3];
    open_scope(&outer, FILCH_SCOPE_FAIL_FAST);
    open_scope(&middle, FILCH_SCOPE_FAIL_FAST);
    open_scope(&inner, FILCH_SCOPE_FAIL_FAST);
    check_int(filch_scope_spawn(&outer, &members[0], sleep_for_ever, NULL, NULL), 0);
    check_int(filch_scope_spawn(&middle, &members[1], sleep_for_ever, NULL, NULL), 0);
    check_int(filch_scope_spawn(&inner, &members[2], sleep_for_ever, NULL, NULL), 0);
    filch_sleep(FILCH_US(100));
    filch_scope_cancel(&middle);
    check(filch_scope_cancelled(&middle));
    check(!filch_scope_cancelled(&inner)); /* not itself */
    check(!filch_scope_cancelled(&outer));
    check_int(filch_sleep(0), -ECANCELED);
    check_int(filch_scope_close(&inner), -ECANCELED);
    check_int(filch_sleep(0), -ECANCELED);
    check_int(filch_scope_close(&middle), -ECANCELED);
    check_int(filch_sleep(0), 0);
    check(!filch_task_done(members[0]));
    filch_scope_cancel(&outer);
    check_int(filch_scope_close(&outer), -ECANCELED);
    for (int i = 0; i < 3; i++) check_int(result_of(members[i]), -ECANCELED);
    return 0;
}

TEST(scope, cancelling_reaches_inwards_and_not_outwards) {
    run_with_all(inner_scopes_are_cancelled_too, NULL);
}

/* Every level opens a scope with two members that do the same, or, at the bottom, sleep. */
struct level {
    atomic_uint *asleep;
    int depth;
    bool forks;
};

static int go_deeper(void *arg) {
    struct level *level = arg;
    if (level->depth == 0) {
        atomic_fetch_add(level->asleep, 1);
        return filch_sleep_until(FILCH_NEVER);
    }
    struct level below = {level->asleep, level->depth - 1, level->forks};
    filch_scope scope;
    filch_frame frame;
    check_int(filch_scope_open(&scope, NULL), 0);
    if (level->forks && level->depth % 2 == 0) {
        filch_fork(&frame, go_deeper, &below);
        int own = go_deeper(&below), forked = filch_join(&frame);
        filch_scope_fail(&scope, own < forked ? own : forked);
    } else {
        for (int i = 0; i < 2; i++) {
            int spawned = filch_scope_spawn(&scope, NULL, go_deeper, &below, NULL);
            check(spawned == 0 || spawned == -ECANCELED);
        }
    }
    return filch_scope_close(&scope);
}

static int cancel_tree(void *arg) {
    for (int round = 0; round < 8; round++) {
        atomic_uint asleep = 0;
        struct level top = {&asleep, 5, arg != NULL};
        filch_scope scope;
        check_int(filch_scope_open(&scope, NULL), 0);
        spawn_into(&scope, go_deeper, &top);
        for (int i = 0; i < round * 20; i++) filch_yield();
        if (round % 2 == 0) {
            while (atomic_load(&asleep) < 32) filch_sleep(FILCH_US(50));
        }
        filch_scope_cancel(&scope);
        check_int(filch_scope_close(&scope), -ECANCELED);
        check(round % 2 != 0 || atomic_load(&asleep) == 32);
    }
    return 0;
}

TEST(scope, a_tree_of_scopes_opened_by_members_is_cancelled_to_the_bottom) {
    run_with_all(cancel_tree, NULL);
}

TEST(scope, a_tree_of_scopes_opened_by_members_and_forked_children_is_cancelled_to_the_bottom) {
    run_with_all(cancel_tree, "forks");
}

/* The failure of a task deep inside comes out through all scopes, and everything else is cancelled. */
static int fail_at_the_bottom(void *arg) {
    struct level *level = arg;
    struct level below = {level->asleep, level->depth - 1, false};
    filch_scope scope;
    if (level->depth == 0) return -ENOTTY;
    check_int(filch_scope_open(&scope, NULL), 0);
    int others = filch_scope_spawn(&scope, NULL, sleep_for_ever, NULL, NULL);
    check_int(others, 0);
    check_int(filch_scope_spawn(&scope, NULL, fail_at_the_bottom, &below, NULL), 0);
    return filch_scope_close(&scope);
}

static int failure_comes_out(void *arg) {
    (void)arg;
    struct level top = {NULL, 6, false};
    check_int(fail_at_the_bottom(&top), -ENOTTY);
    return 0;
}

TEST(scope, a_failure_comes_out_through_all_scopes) {
    run_with_all(failure_comes_out, NULL);
}

/* Scopes one in another by the thousand: no recursion. */
static int nest_deeply(void *arg) {
    (void)arg;
    enum { DEPTH = 3000 };
    filch_scope *scopes = calloc(DEPTH, sizeof *scopes);
    check(scopes != NULL);
    for (int i = 0; i < DEPTH; i++) check_int(filch_scope_open(&scopes[i], NULL), 0);
    filch_task *member;
    check_int(filch_scope_spawn(&scopes[DEPTH - 1], &member, sleep_for_ever, NULL, NULL), 0);
    filch_yield();
    filch_scope_cancel(&scopes[0]);
    for (int i = DEPTH - 1; i >= 0; i--) {
        int answer = filch_scope_close(&scopes[i]);
        check_int(answer, i == 0 || i == DEPTH - 1 ? -ECANCELED : 0);
    }
    check_int(result_of(member), -ECANCELED);
    free(scopes);
    return 0;
}

TEST(scope, scopes_may_be_nested_deeply) {
    run_with(2, nest_deeply, NULL);
}

/* ----------------------------------------------------------------------------------------------- foreign threads */

static void *use_scope_abroad(void *arg) {
    filch_runtime *runtime = arg;
    atomic_uint count = 0;
    filch_scope scope;
    check_int(filch_scope_open(&scope, &(filch_scope_options){.runtime = runtime}), 0);
    for (int i = 0; i < 50; i++) spawn_into(&scope, count_it, &count);
    check_int(filch_scope_close(&scope), 0);
    check_int(atomic_load(&count), 50);

    filch_scope_options options = {.runtime = runtime, .deadline = filch_after(FILCH_MS(2))};
    check_int(filch_scope_open(&scope, &options), 0); /* the timer is on a worker that may be asleep for long */
    spawn_into(&scope, sleep_for_ever, NULL);
    check_int(filch_sleep(0), 0); /* the thread's own waiting calls are not cancelled */
    check_int(filch_scope_close(&scope), -ETIMEDOUT);

    check_int(filch_scope_open(&scope, &(filch_scope_options){.runtime = runtime}), 0);
    spawn_into(&scope, sleep_for_ever, NULL);
    filch_scope_cancel(&scope);
    check_int(filch_sleep(1000), 0);
    check(!filch_cancelled());
    check_int(filch_scope_spawn(&scope, NULL, must_not_run, NULL, NULL), -ECANCELED);
    check_int(filch_scope_close(&scope), -ECANCELED);

    filch_task *failing;
    check_int(filch_scope_open(&scope, &(filch_scope_options){.runtime = runtime}), 0);
    spawn_into(&scope, sleep_for_ever, NULL);
    check_int(filch_scope_spawn(&scope, &failing, return_it, code(-EIO), NULL), 0);
    check_int(filch_scope_close(&scope), -EIO);
    check_int(result_of(failing), -EIO);
    return NULL;
}

TEST(scope, a_thread_that_names_a_runtime_may_open_one) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *runtime;
        pthread_t threads[3];
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = test_workers[i]}), 0);
        for (int t = 0; t < 3; t++) check_int(pthread_create(&threads[t], NULL, use_scope_abroad, runtime), 0);
        for (int t = 0; t < 3; t++) pthread_join(threads[t], NULL);
        filch_scope scope;
        check_int(filch_scope_open(&scope, &(filch_scope_options){.runtime = runtime}), 0);
        check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
        check_int(filch_scope_spawn(&scope, NULL, return_it, NULL, NULL), -ESHUTDOWN);
        check_int(filch_scope_close(&scope), 0);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

/* ------------------------------------------------------------------------------------- bad arguments, want, misuse */

static int bad_arguments(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_task *const untouched = (filch_task *)(uintptr_t)0x10, *task = untouched;
    check_int(filch_scope_open(NULL, NULL), -EINVAL);
    check_int(filch_scope_open(&scope, &(filch_scope_options){.policy = (filch_scope_policy)3}), -EINVAL);
    check_int(filch_scope_open(&scope, &(filch_scope_options){.policy = (filch_scope_policy)-1}), -EINVAL);
    check_int(filch_scope_open(&scope, &(filch_scope_options){.runtime = filch_runtime_current()}), 0);
    check_int(filch_scope_spawn(&scope, &task, NULL, NULL, NULL), -EINVAL);
    check_int(filch_scope_spawn(&scope, &task, return_it, NULL, &(filch_task_options){.stack_size = 1}), -EINVAL);
    check_int(filch_scope_spawn(NULL, &task, return_it, NULL, NULL), -EINVAL);
    check(task == untouched);
    check_int(filch_scope_tasks(&scope), 0);
    check_int(filch_scope_close(&scope), 0);
    check_int(filch_scope_close(NULL), -EINVAL);
    check_int(filch_scope_tasks(NULL), 0);
    check(!filch_scope_cancelled(NULL));
    return 0;
}

TEST(scope, bad_arguments_are_answered) {
    run_with_all(bad_arguments, NULL);
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), -EPERM);
    check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(1)}), -EPERM);
}

static int close_in_wrong_order(void *arg) {
    (void)arg;
    filch_scope first, second;
    check_int(filch_scope_open(&first, NULL), 0);
    check_int(filch_scope_open(&second, NULL), 0);
    return filch_scope_close(&first);
}

TEST_DIES(scope, closing_in_the_wrong_order_aborts, "scope_close: scopes and shields are closed by who opened them") {
    filch_run(close_in_wrong_order, NULL, &(filch_options){.workers = 1});
}

static int close_within_shield(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_shield shield;
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_shield_begin(&shield);
    return filch_scope_close(&scope);
}

TEST_DIES(scope, closing_it_inside_a_shield_that_is_open_in_it_aborts, "the last one first") {
    filch_run(close_within_shield, NULL, &(filch_options){.workers = 1});
}

static int close_anothers(void *arg) {
    return filch_scope_close(arg);
}

static int have_it_closed(void *arg) {
    (void)arg;
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_task *task;
    check_int(filch_spawn(&task, close_anothers, &scope, &(filch_task_options){.name = "stranger"}), 0);
    return result_of(task);
}

TEST_DIES(scope, closing_anothers_scope_aborts_and_names_the_task, "\"stranger\"") {
    filch_run(have_it_closed, NULL, &(filch_options){.workers = 1});
}

/* Each request for memory fails once, in a life of scopes, members, nested scopes, deadlines and task-locals. */
static const filch_local key;

static int member_in_want(void *arg) {
    atomic_uint *ended = arg;
    filch_scope scope;
    void *value = malloc(8);
    if (filch_local_set(&key, value, free) != 0) free(value); /* it is still ours */
    int opened = filch_scope_open(&scope, NULL);
    check(opened == 0 || opened == -ENOMEM);
    if (opened == 0) {
        int spawned = filch_scope_spawn(&scope, NULL, return_it, NULL, NULL);
        check(spawned == 0 || spawned == -ENOMEM);
        check_int(filch_scope_close(&scope), 0);
    }
    check(!filch_cancelled());
    atomic_fetch_add(ended, 1);
    return 0;
}

static int live_in_want(void *arg) {
    (void)arg;
    atomic_uint ended = 0;
    unsigned started = 0;
    filch_scope outer, scope;
    int opened = filch_scope_open(&outer, &(filch_scope_options){.deadline = filch_after(FILCH_SEC(1000))});
    if (opened != 0) {
        check_int(opened, -ENOMEM);
        check_int(filch_sleep(0), 0); /* it is not open */
        return 17;
    }
    check_int(filch_scope_open(&scope, NULL), 0); /* nested in another: needs no memory */
    for (int i = 0; i < 40; i++) {
        int spawned = filch_scope_spawn(&scope, NULL, member_in_want, &ended, NULL);
        check(spawned == 0 || spawned == -ENOMEM);
        if (spawned == 0) started++;
    }
    check_int(filch_scope_close(&scope), 0);
    check_int(atomic_load(&ended), started);
    check_int(filch_scope_close(&outer), 0);
    return 17;
}

TEST(scope, any_one_request_for_memory_may_fail) {
    size_t before = filch__heap_objects();
    for (unsigned workers = 1; workers <= 2; workers++) {
        unsigned past_the_end = 0;
        for (uint64_t nth = 1; past_the_end < 5; nth++) {
            check(nth < 100000);
            filch__alloc_fail(nth, false);
            int answer = filch_run(live_in_want, NULL, &(filch_options){.workers = workers});
            bool failed = filch__alloc_requests() >= nth;
            filch__alloc_fail(0, false);
            check(answer == 17 || (answer == -ENOMEM && failed));
            check_int(filch__heap_objects(), before);
            if (!failed) past_the_end++;
        }
    }
}

/* ----------------------------------------------------------------------------------------------- left open, not open */

static int leave_open(void *arg) {
    (void)arg;
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    return 0;
}

TEST_DIES(scope, a_task_that_ends_with_a_scope_open_aborts, "has ended with a scope or shield open") {
    filch_run(leave_open, NULL, &(filch_options){.workers = 1});
}

static int leave_shielded(void *arg) {
    filch_shield_begin(arg);
    return 0;
}

TEST_DIES(scope, a_task_that_ends_with_a_shield_open_aborts, "has ended with a scope or shield open") {
    filch_shield shield;
    filch_run(leave_shielded, &shield, &(filch_options){.workers = 1});
}

static int close_it(void *arg) {
    return filch_scope_close(arg);
}

static int closed_by_a_member(void *arg) {
    filch_scope scope;
    (void)arg;
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_spawn(&scope, NULL, close_it, &scope, NULL), 0);
    return filch_scope_close(&scope);
}

TEST_DIES(scope, a_task_that_closes_the_scope_it_is_in_aborts, "are closed by who opened them") {
    filch_run(closed_by_a_member, NULL, &(filch_options){.workers = 1});
}

static int spawn_after_close(void *arg) {
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_close(&scope), 0);
    return filch_scope_spawn(&scope, NULL, close_it, arg, NULL);
}

TEST_DIES(scope, spawning_into_a_scope_that_was_closed_aborts, "is not open") {
    filch_run(spawn_after_close, NULL, &(filch_options){.workers = 1});
}

/* ------------------------------------------------------------------------------------- cancelled around, cancelled alone */

static int end_when_cancelled(void *arg) {
    (void)arg;
    check_int(filch_sleep_until(FILCH_NEVER), -ECANCELED);
    return 0; /* it makes nothing of it */
}

static int cancel_it(void *arg) {
    filch_scope_cancel(arg);
    return 0;
}

static int close_cancelled_around(void *arg) {
    (void)arg;
    for (int policy = FILCH_SCOPE_FAIL_FAST; policy <= FILCH_SCOPE_SUPERVISE; policy++) {
        filch_scope outer, inner;
        check_int(filch_scope_open(&outer, NULL), 0);
        check_int(filch_scope_open(&inner, &(filch_scope_options){.policy = (filch_scope_policy)policy}), 0);
        check_int(filch_scope_spawn(&inner, NULL, end_when_cancelled, NULL, NULL), 0);
        for (int i = 0; i < 10; i++) filch_yield(); /* so that it has begun */
        check_int(filch_spawn(NULL, cancel_it, &outer, NULL), 0);
        check_int(filch_scope_close(&inner), -ECANCELED);
        check_int(filch_scope_close(&outer), -ECANCELED);
    }
    return 0;
}

TEST(scope, one_that_is_cancelled_from_around_while_it_has_tasks_says_so) {
    run_with(1, close_cancelled_around, NULL);
}

static int sleep_on(void *arg) {
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

static int return_later(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_MS(5));
}

static int cancel_one_member(void *arg) {
    (void)arg;
    filch_scope scope;
    filch_task *alone, *sibling;
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_spawn(&scope, &alone, sleep_on, NULL, NULL), 0);
    check_int(filch_scope_spawn(&scope, &sibling, return_later, NULL, NULL), 0);
    filch_task_cancel(alone);
    check_int(result_of(alone), -ECANCELED);
    check_int(result_of(sibling), 0);
    return filch_scope_close(&scope);
}

TEST(scope, a_member_that_is_cancelled_alone_is_no_failure) {
    run_with_all(cancel_one_member, NULL);
}
