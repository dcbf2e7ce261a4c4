/* SPDX-License-Identifier: MIT */
/*
 * A program to be looked at from outside: tasks that wait for a mutex, a channel, time, a scope; two that wait for each
 * other; and many that are alike. It says "ready" once all of them wait, and stays until it is killed.
 *
 *     waiting [churn | hang | crash]
 *
 * churn: besides, tasks begin and end all the time. hang: besides, one holds its worker for good. crash: it aborts instead.
 */
#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { ALIKE = 1000, ALIKE_IN_CORE = 40, NAPPERS = 3, OPENERS = 5 }; /* a small core is written faster */

static filch_mutex left_mutex = FILCH_MUTEX_INIT, right_mutex = FILCH_MUTEX_INIT, held = FILCH_MUTEX_INIT;
static filch_chan *nobody_sends;
static filch_barrier both;
static int settled; /* who has come so far, and will either wait from now on or spin */

static int deep_lock(filch_mutex *mutex, int depth) {
    if (depth > 0) return deep_lock(mutex, depth - 1);
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
    return filch_chan_recv(nobody_sends, &value, FILCH_NEVER);
}

static int nap(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_SEC(100000));
}

static int hold_it(void *arg) {
    (void)arg;
    int error = filch_mutex_lock(&held, FILCH_NEVER);
    return error != 0 ? error : filch_sleep(FILCH_SEC(100000));
}

static int want_it(void *arg) {
    (void)arg;
    return filch_mutex_lock(&held, FILCH_NEVER);
}

/* Its scope is not the main task's. */
static int open_another(void *arg) {
    filch_scope scope;
    (void)arg;
    int error = filch_scope_open(&scope, &(filch_scope_options){.name = "inner"});
    if (error != 0) return error;
    for (int i = 0; i < NAPPERS; i++) {
        filch_task_options named = {.name = "napper \xc3\xa9\xff"};
        if ((error = filch_scope_spawn(&scope, NULL, nap, NULL, &named)) != 0) filch_scope_fail(&scope, error);
    }
    return filch_scope_close(&scope);
}

static int end_at_once(void *arg) {
    return arg != NULL ? filch_yield(), 0 : 0;
}

/* Scopes, names, and waits that last no longer than it takes to look at them. */
static int churn(void *arg) {
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

static int spawn_all(filch_scope *scope, const struct kind *kinds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (int j = 0; j < kinds[i].count; j++) {
            filch_task_options options = {.name = kinds[i].name};
            int error = filch_scope_spawn(scope, NULL, kinds[i].fn, scope, &options);
            if (error != 0) return error;
        }
    }
    return 0;
}

static int count_waiting(const filch_task_info *info, void *arg) {
    *(int *)arg += info->state == FILCH_TASK_WAITING;
    return 0;
}

static int waiting(void) {
    int count = 0;
    (void)filch_task_each(filch_runtime_current(), count_waiting, &count);
    return count;
}

static void wait_for(int begun, int waiting_tasks) {
    while (__atomic_load_n(&settled, __ATOMIC_RELAXED) < begun || waiting() < waiting_tasks) {
        (void)filch_sleep(FILCH_MS(1));
    }
}

static int start_all(filch_scope *scope, const char *mode) {
    int alike = strcmp(mode, "crash") == 0 ? ALIKE_IN_CORE : ALIKE;
    const struct kind first[] = {{"left", take_left_first, 1},
                                 {"right", take_right_first, 1},
                                 {"holder", hold_it, 1},
                                 {"opener", open_another, OPENERS}};
    const struct kind then[] = {{"receiver", receive, alike}, {"wanter", want_it, 2}};
    const struct kind churners = {"churner", churn, 8}, hanger = {"hanger", hang, 1};
    int error = spawn_all(scope, first, 4);
    if (error != 0) return error;
    wait_for(2, 3 + OPENERS + OPENERS * NAPPERS);
    if ((error = spawn_all(scope, then, 2)) != 0) return error;
    wait_for(2, 3 + OPENERS + OPENERS * NAPPERS + alike + 2);
    if (strcmp(mode, "churn") == 0) return spawn_all(scope, &churners, 1);
    if (strcmp(mode, "hang") != 0) return 0;
    error = spawn_all(scope, &hanger, 1);
    if (error == 0) wait_for(3, 0);
    return error;
}

static int is_main_waiting(const filch_task_info *info, void *arg) {
    (void)arg;
    return strcmp(info->name, "main") == 0 && info->state == FILCH_TASK_WAITING &&
           strcmp(info->reason, "scope_close") == 0;
}

/* A thread that is no worker. */
static void *announce(void *runtime) {
    while (filch_task_each(runtime, is_main_waiting, NULL) != 1) usleep(1000);
    printf("ready\n");
    fflush(stdout);
    return NULL;
}

static int main_task(void *arg) {
    const char *mode = arg;
    filch_scope scope;
    int error = filch_scope_open(&scope, &(filch_scope_options){.name = "outer"});
    if (error != 0) return error;
    if ((error = start_all(&scope, mode)) != 0) filch_scope_fail(&scope, error);
    if (strcmp(mode, "crash") == 0) abort();
    pthread_t announcer;
    if (pthread_create(&announcer, NULL, announce, filch_runtime_current()) != 0) filch_scope_fail(&scope, -EAGAIN);
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
