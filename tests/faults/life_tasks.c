/* SPDX-License-Identifier: MIT */
/* Steps of tasks, forks, scopes, task-locals, blocking calls and time. */
#include <unistd.h>

#include "tests/faults/life.h"

static int yield_once(void *arg) {
    (void)arg;
    filch_yield();
    atomic_fetch_add(&life.ended, 1);
    return 7;
}

/* As life_start, and counts. */
static filch_task *start_counted(filch_fn *fn, const filch_task_options *options) {
    filch_task *task = NULL;
    atomic_fetch_add(&life.started, 1);
    if (well(filch_spawn(&task, fn, NULL, options))) return task;
    atomic_fetch_sub(&life.started, 1);
    return NULL;
}

void step_tasks(void) {
    enum { TASKS = 80 };
    filch_task *tasks[TASKS], *all[TASKS];
    size_t order[TASKS], count = 0;
    for (int i = 0; i < TASKS; i++) {
        filch_task_options options = {.name = "named", .stack_size = i % 20 == 0 ? 128 << 10 : 0};
        tasks[i] = start_counted(yield_once, i % 10 == 0 ? &options : NULL);
        if (tasks[i] != NULL) all[count++] = tasks[i];
    }
    if (count > 0) {
        ssize_t ended = filch_await_n(all, count, count, order, FILCH_NEVER);
        if (well(ended)) must(ended == (ssize_t)count);
    }
    for (size_t i = 0; i < count; i++) must(life_end(all[i]) == 7);
    filch_task *cancelled = start_counted(yield_once, NULL);
    filch_task_cancel(cancelled);
    if (cancelled != NULL && life_end(cancelled) == -ECANCELED) atomic_fetch_sub(&life.started, 1);
}

/* -------------------------------------------------------------------------------------------------------------- forks */

struct fib {
    int n, answer;
};

static int fib(void *arg) {
    struct fib *it = arg;
    it->answer = it->n;
    if (it->n < 2) return 0;
    struct fib left = {.n = it->n - 1}, right = {.n = it->n - 2};
    filch_frame frame;
    filch_fork(&frame, fib, &left);
    if (it->n % 3 == 0) filch_yield();
    fib(&right);
    must(filch_join(&frame) == 0);
    it->answer = left.answer + right.answer;
    return 0;
}

static int add_range(int64_t first, int64_t last, void *arg) {
    atomic_fetch_add((atomic_uint *)arg, (unsigned)(last - first));
    return 0;
}

void step_forks(void) {
    enum { FRAMES = 300 };
    struct fib ten = {.n = 10}, ones[FRAMES];
    filch_frame frames[FRAMES];
    atomic_uint sum = 0;
    fib(&ten);
    must(ten.answer == 55);
    for (int i = 0; i < FRAMES; i++) {
        ones[i].n = 1;
        filch_fork(&frames[i], fib, &ones[i]);
    }
    filch_yield();
    for (int i = FRAMES - 1; i >= 0; i--) must(filch_join(&frames[i]) == 0 && ones[i].answer == 1);
    must(filch_parallel_for(0, 500, 10, add_range, &sum) == 0);
    must(sum == 500);
}

/* ------------------------------------------------------------------------------------------------------------- scopes */

static int wait_for_ever(void *arg) {
    int answer = filch_event_wait(arg, FILCH_NEVER);
    must(answer == -ECANCELED);
    atomic_fetch_add(&life.ended, 1);
    return 0;
}

/* Members of a scope that is cancelled: those that have begun wait until then, and the others never run. */
static void cancel_scope(filch_deadline deadline) {
    filch_event never;
    filch_scope scope;
    filch_event_init(&never);
    if (!well(filch_scope_open(&scope, &(filch_scope_options){.deadline = deadline}))) return;
    unsigned ended_before = atomic_load(&life.ended), members = 0;
    for (int i = 0; i < 5; i++) {
        int answer = filch_scope_spawn(&scope, NULL, wait_for_ever, &never, NULL);
        if (answer != -ECANCELED) members += well(answer);
    }
    filch_yield();
    if (deadline.at_ns == INT64_MAX) {
        filch_scope_cancel(&scope);
        must(filch_sleep(1000) == -ECANCELED);
    } else {
        filch_shield shield;
        must(filch_event_wait(&never, FILCH_NEVER) == -ECANCELED);
        filch_shield_begin(&shield);
        must(filch_sleep(1000) == 0);
        filch_shield_end(&shield);
    }
    must(filch_scope_close(&scope) == (deadline.at_ns == INT64_MAX ? -ECANCELED : -ETIMEDOUT));
    unsigned ended = atomic_load(&life.ended) - ended_before;
    must(ended <= members);
    atomic_fetch_add(&life.started, ended);
    filch_event_fini(&never);
}

static int fail(void *arg) {
    (void)arg;
    return -EDOM;
}

void step_scopes(void) {
    cancel_scope(FILCH_NEVER);
    cancel_scope(filch_after(FILCH_US(100)));
    filch_scope outer, inner;
    if (!well(filch_scope_open(&outer, NULL))) return;
    if (well(filch_scope_open(&inner, &(filch_scope_options){.policy = FILCH_SCOPE_COLLECT}))) {
        bool failing = well(filch_scope_spawn(&inner, NULL, fail, NULL, NULL));
        must(filch_scope_close(&inner) == (failing ? -EDOM : 0));
    }
    must(filch_scope_close(&outer) == 0);
}

/* -------------------------------------------------------------------------------------------------------- task-locals */

static filch_local one, other;
static atomic_int values; /* that are alive */

static void forget(void *value) {
    (void)value;
    atomic_fetch_sub(&values, 1);
}

static bool set_local(const filch_local *key, void *value) {
    atomic_fetch_add(&values, 1);
    if (well(filch_local_set(key, value, forget))) return true;
    atomic_fetch_sub(&values, 1); /* it was not taken */
    return false;
}

static int inherit(void *arg) {
    must(filch_local_get(&one) == arg);
    int mine;
    if (set_local(&other, &mine)) must(filch_local_get(&other) == &mine);
    filch_yield();
    must(filch_local_get(&one) == arg);
    return 0;
}

static int have_locals(void *arg) {
    (void)arg;
    int value;
    void *held = set_local(&one, &value) ? &value : NULL;
    filch_task *heirs[3];
    for (int i = 0; i < 3; i++) heirs[i] = life_start(inherit, held);
    for (int i = 0; i < 3; i++) must(life_end(heirs[i]) == 0);
    return 0;
}

void step_locals(void) {
    must(life_end(life_start(have_locals, NULL)) == 0);
    must(values == 0);
}

/* ----------------------------------------------------------------------------------------------------- blocking, time */

static int block(void *arg) {
    usleep(50);
    return *(int *)arg;
}

static int block_as_task(void *arg) {
    int result = 0;
    if (well(filch_blocking(block, arg, &result, FILCH_NEVER))) must(result == *(int *)arg);
    return 0;
}

void step_blocking(void) {
    int value = 17;
    filch_task *tasks[4];
    for (int i = 0; i < 4; i++) tasks[i] = life_start(block_as_task, &value);
    filch_block_begin();
    usleep(100);
    filch_block_end();
    for (int i = 0; i < 4; i++) must(life_end(tasks[i]) == 0);
}

static int sleep_some(void *arg) {
    (void)arg;
    must(filch_sleep(FILCH_US(50)) == 0);
    return 0;
}

void step_times(void) {
    filch_task *tasks[10];
    filch_event never;
    filch_ticker ticker;
    for (int i = 0; i < 10; i++) tasks[i] = life_start(sleep_some, NULL);
    filch_event_init(&never);
    must(filch_event_wait(&never, filch_after(FILCH_US(50))) == -ETIMEDOUT);
    filch_event_fini(&never);
    must(filch_ticker_init(&ticker, FILCH_US(30)) == 0);
    for (int i = 0; i < 3; i++) must(filch_ticker_wait(&ticker, FILCH_NEVER) >= 1);
    for (int i = 0; i < 10; i++) must(life_end(tasks[i]) == 0);
    filch_task *late = life_start(sleep_some, NULL);
    if (late == NULL) return;
    int answer = filch_await(late, NULL, filch_after(FILCH_US(10)));
    must(answer == 0 || answer == -ETIMEDOUT);
    if (answer != 0) must(life_end(late) == 0);
}
