/* SPDX-License-Identifier: MIT */
/*
 * A program to be looked at from outside: tasks that wait for a mutex, a channel, time, a task, a scope; two that wait for
 * each other; and many that are alike. It says "ready" once all of them wait, and then goes on until it is killed, or
 * with the argument "churn", in which tasks begin and end all the time, likewise.
 *
 *     waiting [churn | crash | hang]
 */
#include <filch/filch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { ALIKE = 1000 };

static filch_mutex left_mutex = FILCH_MUTEX_INIT, right_mutex = FILCH_MUTEX_INIT, held = FILCH_MUTEX_INIT;
static filch_chan *nobody_sends;
static filch_barrier both;
static int settled;

__attribute__((noinline)) static int deep_lock(filch_mutex *mutex, int depth) {
    if (depth > 0) return deep_lock(mutex, depth - 1) + 0 * depth;
    return filch_mutex_lock(mutex, FILCH_NEVER);
}

static void settle(void) {
    __atomic_fetch_add(&settled, 1, __ATOMIC_RELAXED);
}

static int take_both(filch_mutex *first, filch_mutex *second) {
    int error = filch_mutex_lock(first, FILCH_NEVER);
    if (error == 0) error = filch_barrier_wait(&both, FILCH_NEVER) < 0;
    settle();
    if (error == 0) error = deep_lock(second, 3);
    return error;
}

static int take_left_first(void *arg) {
    (void)arg;
    return take_both(&left_mutex, &right_mutex);
}

static int take_right_first(void *arg) {
    (void)arg;
    return take_both(&right_mutex, &left_mutex);
}

static int receive(void *arg) {
    int value;
    (void)arg;
    settle();
    return filch_chan_recv(nobody_sends, &value, FILCH_NEVER);
}

static int nap(void *arg) {
    (void)arg;
    settle();
    return filch_sleep(FILCH_SEC(100000));
}

static int hold_it(void *arg) {
    (void)arg;
    int error = filch_mutex_lock(&held, FILCH_NEVER);
    settle();
    return error != 0 ? error : filch_sleep(FILCH_SEC(100000));
}

static int want_it(void *arg) {
    (void)arg;
    settle();
    return filch_mutex_lock(&held, FILCH_NEVER);
}

/* Its scope is not the main task's. */
static int open_another(void *arg) {
    filch_scope scope;
    (void)arg;
    int error = filch_scope_open(&scope, &(filch_scope_options){.name = "inner"});
    if (error != 0) return error;
    for (int i = 0; i < 3; i++) {
        filch_task_options named = {.name = "napper"};
        if ((error = filch_scope_spawn(&scope, NULL, nap, NULL, &named)) != 0) filch_scope_fail(&scope, error);
    }
    settle();
    return filch_scope_close(&scope);
}

static int end_at_once(void *arg) {
    return arg != NULL ? filch_yield(), 0 : 0;
}

/* Scopes, names, and waits that last no longer than it takes to look at them. */
static int churn(void *arg) {
    settle();
    for (;;) {
        filch_scope scope;
        if (filch_scope_open(&scope, &(filch_scope_options){.name = "churn"}) != 0) return 1;
        for (int i = 0; i < 64; i++) {
            filch_task_options named = {.name = i % 2 == 0 ? "short-lived" : NULL};
            if (filch_scope_spawn(&scope, NULL, end_at_once, i % 3 == 0 ? arg : NULL, &named) != 0) return 1;
        }
        int error = filch_scope_close(&scope);
        if (error != 0) return error;
        error = filch_sleep(FILCH_US(100));
        if (error != 0) return error;
    }
}

static int hang(void *arg) {
    settle();
    for (volatile int spin = 0; spin >= 0;) spin = spin == 1000 ? 0 : spin + 1;
    return arg != NULL;
}

struct kind {
    const char *name;
    filch_fn *fn;
    int count;
};

static int spawn_all(filch_scope *scope, const struct kind *kinds, size_t count, int *spawned) {
    for (size_t i = 0; i < count; i++) {
        for (int j = 0; j < kinds[i].count; j++) {
            filch_task_options options = {.name = kinds[i].name};
            int error = filch_scope_spawn(scope, NULL, kinds[i].fn, scope, &options);
            if (error != 0) return error;
            ++*spawned;
        }
    }
    return 0;
}

static int main_task(void *arg) {
    const char *mode = arg;
    const struct kind kinds[] = {{"left", take_left_first, 1}, {"right", take_right_first, 1}, {"holder", hold_it, 1},
                                 {"opener", open_another, 1},  {"receiver", receive, ALIKE},   {"wanter", want_it, 2}};
    const struct kind churners[] = {{"churner", churn, 8}};
    const struct kind hangers[] = {{"hanger", hang, 1}};
    int expected = 3;
    filch_scope scope;
    int error = filch_scope_open(&scope, &(filch_scope_options){.name = "outer"});
    if (error != 0) return error;
    if ((error = spawn_all(&scope, kinds, 4, &expected)) != 0) return error;
    while (__atomic_load_n(&settled, __ATOMIC_RELAXED) < expected) (void)filch_sleep(FILCH_MS(1));
    if ((error = spawn_all(&scope, kinds + 4, 2, &expected)) != 0) return error;
    if (strcmp(mode, "churn") == 0) error = spawn_all(&scope, churners, 1, &expected);
    if (strcmp(mode, "hang") == 0) error = spawn_all(&scope, hangers, 1, &expected);
    while (error == 0 && __atomic_load_n(&settled, __ATOMIC_RELAXED) < expected) (void)filch_sleep(FILCH_MS(1));
    (void)filch_sleep(FILCH_MS(50)); /* they have settled: now they wait */
    if (strcmp(mode, "crash") == 0) abort();
    printf("ready\n");
    fflush(stdout);
    return filch_scope_close(&scope);
}

int main(int count, char **arguments) {
    /* Whoever looks may be no parent; and nobody is to be left behind by a test that was killed. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static char none[] = "";
    if (filch_chan_create(&nobody_sends, sizeof(int), 0) != 0 || filch_barrier_init(&both, 2) != 0) return 1;
    filch_options options = {.name = "sight", .workers = 2, .on_deadlock = FILCH_DEADLOCK_IGNORE};
    return filch_run(main_task, count > 1 ? arguments[1] : none, &options);
}
