/* SPDX-License-Identifier: MIT */
/*
 * Proves that a runtime tells truly what its tasks do and on what they wait, that looking at tasks that wait loses no
 * wake-up, and that a whole runtime can be cancelled and shut down within a time.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "tests/api/waits.h"

/* ---------------------------------------------------------------------------------------------------- what it says */

/* Looks for a task by its name. */
struct search {
    const char *name;
    filch_task_info info;
    int found;
};

static int match(const filch_task_info *info, void *arg) {
    struct search *search = arg;
    if (strcmp(info->name, search->name) != 0) return 0;
    search->info = *info;
    search->found++;
    return 0;
}

static filch_task_info find(const char *name) {
    struct search search = {.name = name};
    check_int(filch_task_each(filch_runtime_current(), match, &search), 0);
    check_int(search.found, 1);
    return search.info;
}

static filch_task_info find_waiting(const char *name) {
    for (;;) {
        filch_task_info info = find(name);
        if (info.state == FILCH_TASK_WAITING) return info;
        filch_sleep(FILCH_US(100));
    }
}

struct kind {
    struct waits *waits;
    wait_fn *wait;
};

static int wait_by_kind(void *arg) {
    struct kind *kind = arg;
    return kind->wait(kind->waits, FILCH_NEVER);
}

static int each_kind_is_named(void *arg) {
    (void)arg;
    struct waits waits;
    waits_begin(&waits);
    const struct {
        wait_fn *wait;
        const char *reason;
        const void *object;
        bool any_object;
    } kinds[] = {
        {wait_sleep, "sleep", NULL, false},
        {wait_await, "await", NULL, true},
        {wait_await_n, "await several", NULL, true},
        {wait_mutex, "mutex", &waits.mutex, false},
        {wait_cond, "condition", &waits.cond, false},
        {wait_read, "rwlock, to read", &waits.lock, false},
        {wait_write, "rwlock, to write", &waits.lock, false},
        {wait_recv, "channel receive", waits.chan, false},
        {wait_sem, "semaphore", &waits.sem, false},
        {wait_event, "event", &waits.event, false},
        {wait_future, "future", &waits.future, false},
        {wait_get, "queue get", &waits.empty, false},
        {wait_put, "queue put", &waits.full, false},
        {wait_queue_join, "queue join", &waits.full, false},
        {wait_select, "select", NULL, true},
        {wait_group, "wait group", &waits.group, false},
        {wait_once, "once", &waits.once, false},
        {wait_ticker, "ticker", NULL, true},
        {wait_barrier, "barrier", &waits.barrier, false},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct kind kind = {&waits, kinds[i].wait};
        filch_task *task;
        check_int(filch_spawn(&task, wait_by_kind, &kind, &(filch_task_options){.name = "waits"}), 0);
        filch_task_info info = find_waiting("waits");
        check(info.task == task);
        check(info.fn == wait_by_kind);
        check(info.spawned_at != NULL);
        check(!info.cancelled);
        check(strcmp(info.reason, kinds[i].reason) == 0);
        if (kinds[i].any_object) {
            check(info.object != NULL);
        } else {
            check(info.object == kinds[i].object);
        }
        check(info.waiting_ns >= 0 && info.waiting_ns < FILCH_SEC(60));
        filch_task_cancel(task);
        check_int(result_of(task), -ECANCELED);
    }
    waits_end(&waits);
    return 0;
}

TEST(each, a_task_that_waits_is_told_with_kind_object_and_age) {
    run_with_all(each_kind_is_named, NULL);
}

struct gate {
    atomic_bool running, open;
};

static int run_until_open(void *arg) {
    struct gate *gate = arg;
    atomic_store(&gate->running, true);
    while (!atomic_load(&gate->open)) filch_yield();
    return 0;
}

static int await_in_place(void *arg) {
    (void)arg;
    filch_task *task;
    check_int(filch_spawn(&task, sleep_for_ever, NULL, &(filch_task_options){.name = "inner"}), 0);
    int result = 0, answer = filch_await(task, &result, FILCH_NEVER);
    if (answer == 0) return result;
    filch_task_detach(task); /* another worker has begun it; it was cancelled with us */
    return answer;
}

static int states_are_told(void *arg) {
    (void)arg;
    struct gate gate = {false, false};
    filch_task *running, *ready, *outer;
    check_int(filch_spawn(&ready, sleep_for_ever, NULL, &(filch_task_options){.name = "ready"}), 0);
    filch_task_info info = find("ready");
    if (filch_runtime_workers(filch_runtime_current()) == 1) check_int(info.state, FILCH_TASK_READY);
    filch_task_cancel(ready);
    check_int(result_of(ready), -ECANCELED);

    check_int(filch_spawn(&running, run_until_open, &gate, &(filch_task_options){.name = "running"}), 0);
    while (!atomic_load(&gate.running)) filch_yield();
    info = find("running");
    check_int(info.state, FILCH_TASK_RUNNING);
    check(info.reason == NULL && info.object == NULL);
    check(!info.cancelled);
    filch_task_cancel(running);
    check(find("running").cancelled);
    atomic_store(&gate.open, true);
    check_int(result_of(running), 0);

    check_int(filch_spawn(&outer, await_in_place, NULL, &(filch_task_options){.name = "outer"}), 0);
    filch_task_info inner = find_waiting("outer"); /* until it waits; for whom is seen below */
    check(strcmp(inner.reason, "await") == 0);
    inner = find_waiting("inner");
    check(find("outer").object == inner.task);
    check(strcmp(inner.reason, "sleep") == 0);
    filch_task_cancel(outer);
    check_int(result_of(outer), -ECANCELED);
    return 0;
}

static int await_cancelled_too(void *arg) {
    filch_task *task = arg;
    int result = 0;
    return filch_await(task, &result, FILCH_NEVER) == 0 ? result : -ECANCELED;
}

static int stop_at_third(const filch_task_info *info, void *arg) {
    check(info->task != NULL);
    return ++*(int *)arg == 3 ? 77 : 0;
}

static int visits_stop(void *arg) {
    (void)arg;
    filch_task *tasks[10];
    for (int i = 0; i < 10; i++) tasks[i] = start(sleep_for_ever, NULL);
    int visits = 0;
    check_int(filch_task_each(filch_runtime_current(), stop_at_third, &visits), 77);
    check_int(visits, 3);
    filch_task *awaiter = start(await_cancelled_too, tasks[0]);
    for (int i = 1; i < 10; i++) {
        filch_task_cancel(tasks[i]);
        check_int(result_of(tasks[i]), -ECANCELED);
    }
    filch_sleep(FILCH_US(100));
    filch_task_cancel(awaiter);
    check_int(result_of(awaiter), -ECANCELED);
    check_int(filch_task_each(NULL, stop_at_third, NULL), -EINVAL);
    check_int(filch_task_each(filch_runtime_current(), NULL, NULL), -EINVAL);
    check_int(filch_runtime_report(NULL, 1), -EINVAL);
    return 0;
}

TEST(each, states_and_cancellation_are_told) {
    run_with_all(states_are_told, NULL);
}

TEST(each, a_visit_may_stop_it_and_bad_arguments_are_answered) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *runtime;
        filch_task *task;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = test_workers[i]}), 0);
        check_int(filch_runtime_spawn(runtime, &task, visits_stop, NULL, NULL), 0);
        check_int(result_of(task), 0);
        filch_runtime_cancel(runtime); /* tasks[0], if it was not cancelled before its awaiter's await */
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

/* Other tasks come and go while a visit waits. */
static int sleep_a_little(void *arg) {
    (void)arg;
    return filch_sleep(2000);
}

static int visit_and_wait(const filch_task_info *info, void *arg) {
    (void)info;
    check_int(filch_sleep(1000), 0);
    check_int(result_of(start(sleep_a_little, NULL)), 0);
    ++*(int *)arg;
    return 0;
}

static int visits_may_wait(void *arg) {
    (void)arg;
    int visits = 0;
    for (int i = 0; i < 20; i++) check_int(filch_spawn(NULL, sleep_a_little, NULL, NULL), 0);
    check_int(filch_task_each(filch_runtime_current(), visit_and_wait, &visits), 0);
    check(visits >= 1); /* itself at least */
    return 0;
}

TEST(each, a_visit_may_wait_and_spawn) {
    run_with_all(visits_may_wait, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- storms */

enum { PAIRS = 40 };

struct storm {
    filch_sem pairs[PAIRS][2];
    filch_task *tasks[PAIRS][2];
    filch_runtime *runtime;
    atomic_bool stop;
    atomic_uint looks, played;
};

static int count_waiting(const filch_task_info *info, void *arg) {
    if (info->state == FILCH_TASK_WAITING) {
        check(info->reason != NULL && strlen(info->reason) < 32);
        atomic_fetch_add((atomic_uint *)arg, 1);
    }
    return 0;
}

static void *look_on(void *arg) {
    struct storm *storm = arg;
    while (!atomic_load(&storm->stop)) {
        check_int(filch_task_each(storm->runtime, count_waiting, &storm->looks), 0);
    }
    return NULL;
}

struct player {
    struct storm *storm;
    int pair, side, rounds;
};

/* Two tasks wake each other by turns, with all sorts of deadlines: a wake-up that is lost stops them for good. */
static int play(void *arg) {
    struct player *player = arg;
    filch_sem *own = &player->storm->pairs[player->pair][player->side];
    filch_sem *other = &player->storm->pairs[player->pair][!player->side];
    for (int i = 0; i < player->rounds; i++) {
        if (player->side == 0) filch_sem_release(other);
        int answer = -ETIMEDOUT;
        while (answer == -ETIMEDOUT) {
            answer = filch_sem_acquire(own, i % 3 == 0 ? filch_after(FILCH_US(20)) : FILCH_NEVER);
        }
        check_int(answer, 0);
        if (player->side == 1) filch_sem_release(other);
        if (i % 5 == 0) filch_sleep(i % 1000);
    }
    atomic_fetch_add(&player->storm->played, 1);
    return filch_sleep_until(FILCH_NEVER); /* and then is cancelled, while it is looked at */
}

static int play_all(void *arg) {
    struct storm *storm = arg;
    static struct player players[PAIRS][2];
    for (int i = 0; i < PAIRS; i++) {
        for (int side = 0; side < 2; side++) {
            check_int(filch_sem_init(&storm->pairs[i][side], 0, 0), 0);
        }
    }
    for (int i = 0; i < PAIRS; i++) {
        for (int side = 0; side < 2; side++) {
            players[i][side] = (struct player){storm, i, side, 300 / TEST_SCALE};
            storm->tasks[i][side] = start(play, &players[i][side]);
        }
    }
    while (atomic_load(&storm->played) < 2 * PAIRS || atomic_load(&storm->looks) == 0) filch_sleep(FILCH_US(100));
    for (int i = 0; i < PAIRS; i++) {
        for (int side = 0; side < 2; side++) filch_task_cancel(storm->tasks[i][side]);
        for (int side = 0; side < 2; side++) {
            check_int(result_of(storm->tasks[i][side]), -ECANCELED);
            filch_sem_fini(&storm->pairs[i][side]);
        }
    }
    return 0;
}

static void look_while_they_play(unsigned workers) {
    struct storm *storm = calloc(1, sizeof *storm);
    check(storm != NULL);
    pthread_t lookers[2];
    filch_task *task;
    check_int(filch_runtime_create(&storm->runtime, &(filch_options){.workers = workers}), 0);
    for (int i = 0; i < 2; i++) check_int(pthread_create(&lookers[i], NULL, look_on, storm), 0);
    check_int(filch_runtime_spawn(storm->runtime, &task, play_all, storm, NULL), 0);
    check_int(result_of(task), 0);
    atomic_store(&storm->stop, true);
    for (int i = 0; i < 2; i++) pthread_join(lookers[i], NULL);
    check_int(filch_runtime_destroy(storm->runtime), 0);
    free(storm);
}

TEST(each, looking_on_loses_no_wake_up_on_one_worker) {
    look_while_they_play(1);
}

TEST(each, looking_on_loses_no_wake_up_on_two_workers) {
    look_while_they_play(2);
}

TEST(each, looking_on_loses_no_wake_up_on_four_workers) {
    look_while_they_play(4);
}

TEST(each, looking_on_loses_no_wake_up_on_64_workers) {
    look_while_they_play(64);
}

/* ------------------------------------------------------------------------------------------- a whole runtime ends */

/* Waits in every way there is, and spawns more of itself, until it is cancelled. */
struct swarm {
    struct waits waits;
    atomic_uint begun, ended, spawned;
};

static struct swarm *swarm;

static int live_in_swarm(void *arg) {
    uintptr_t number = (uintptr_t)arg;
    atomic_fetch_add(&swarm->begun, 1);
    if (number > 1) {
        for (uintptr_t i = 0; i < 2; i++) {
            if (filch_spawn(NULL, live_in_swarm, (void *)(number / 2), NULL) == 0) atomic_fetch_add(&swarm->spawned, 1);
        }
    }
    filch_scope scope;
    check_int(filch_scope_open(&scope, &(filch_scope_options){.policy = FILCH_SCOPE_SUPERVISE}), 0);
    check_int(filch_scope_spawn(&scope, NULL, sleep_for_ever, NULL, NULL), 0);
    int answer = wait_kinds[number % WAIT_ALIKE](&swarm->waits, FILCH_NEVER);
    check(answer == -ECANCELED || (answer >= 0 && number % WAIT_ALIKE < 3)); /* those it awaits are cancelled as well */
    int closed = filch_scope_close(&scope);
    check(closed == 0 || closed == -ECANCELED); /* all had ended, or not */
    atomic_fetch_add(&swarm->ended, 1);
    return 0;
}

/* Holds what they wait for; its own waits are shielded, till the others have gone. */
static int host_swarm(void *arg) {
    filch_shield shield;
    filch_shield_begin(&shield);
    waits_begin(&swarm->waits);
    for (uintptr_t i = 0; i < 30; i++) {
        check_int(filch_spawn(NULL, live_in_swarm, (void *)(8 + i), NULL), 0);
    }
    atomic_fetch_add(&swarm->spawned, 30);
    atomic_store((atomic_bool *)arg, true);
    filch_stats stats;
    do { /* until only this task and the one in the once are left */
        filch_sleep(FILCH_US(200));
        check_int(filch_runtime_stats(filch_runtime_current(), &stats), 0);
    } while (!filch_task_done(swarm->waits.in_once) || stats.tasks > 1);
    waits_end(&swarm->waits);
    filch_shield_end(&shield);
    return filch_cancelled() ? 1 : 0;
}

static void cancel_swarm(unsigned workers, int delay_us) {
    size_t before = filch__heap_objects();
    swarm = calloc(1, sizeof *swarm);
    check(swarm != NULL);
    atomic_bool begun = false;
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = workers}), 0);
    check_int(filch_runtime_spawn(runtime, &task, host_swarm, &begun, NULL), 0);
    while (!atomic_load(&begun)) filch_sleep(FILCH_US(20));
    filch_sleep(FILCH_US(delay_us));
    filch_runtime_cancel(runtime);
    filch_runtime_cancel(runtime); /* once more is nothing */
    check_int(result_of(task), 1);
    check_int(filch_runtime_shutdown(runtime, filch_after(FILCH_SEC(30))), 0);
    check_int(atomic_load(&swarm->begun), atomic_load(&swarm->ended));
    check(atomic_load(&swarm->begun) <= atomic_load(&swarm->spawned));
    check_int(filch_runtime_destroy(runtime), 0);
    check_int(filch__heap_objects(), before);
    free(swarm);
}

TEST(runtime_cancel, a_runtime_full_of_waiters_ends) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        for (int delay_us = 0; delay_us < 3000; delay_us = delay_us * 3 + 30) cancel_swarm(test_workers[i], delay_us);
    }
}

static int must_not_run(void *arg) {
    (void)arg;
    check(!"a task of a cancelled runtime has begun");
    return 0;
}

TEST(runtime_cancel, what_is_spawned_later_never_runs) {
    filch_runtime *runtime;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    filch_runtime_cancel(runtime);
    for (int i = 0; i < 50; i++) {
        check_int(filch_runtime_spawn(runtime, &task, must_not_run, NULL, NULL), 0);
        check_int(result_of(task), -ECANCELED);
    }
    check_int(filch_runtime_destroy(runtime), 0);
    filch_runtime_cancel(NULL);
}

static int ignore_cancellation(void *arg) {
    filch_shield shield;
    filch_shield_begin(&shield);
    check_int(filch_event_wait(arg, FILCH_NEVER), 0);
    filch_shield_end(&shield);
    return 0;
}

static void read_report(filch_runtime *runtime, char *text, size_t size, int tasks) {
    int ends[2];
    check_int(pipe(ends), 0);
    check_int(filch_runtime_report(runtime, ends[1]), tasks);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, size - 1 - length)) > 0;) length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
}

TEST(runtime_cancel, a_task_that_ignores_it_is_reported_with_what_it_waits_for) {
    filch_runtime *runtime;
    filch_task *task;
    filch_event event;
    char text[4096], object[64];
    filch_event_init(&event);
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    for (int i = 0; i < 20; i++) check_int(filch_runtime_spawn(runtime, NULL, sleep_for_ever, NULL, NULL), 0);
    filch_task_options options = {.name = "stubborn \"\n"};
    check_int(filch_runtime_spawn(runtime, &task, ignore_cancellation, &event, &options), 0);
    until_tasks_wait(runtime, 21);
    filch_runtime_cancel(runtime);
    int64_t before = filch_now();
    check_int(filch_runtime_shutdown(runtime, filch_after(FILCH_MS(50))), -ETIMEDOUT);
    check(filch_now() - before >= FILCH_MS(50));
    read_report(runtime, text, sizeof text, 1);
    snprintf(object, sizeof object, "waits: event %p, for ", (const void *)&event);
    check(strstr(text, "\"stubborn ??\"") != NULL);
    check(strstr(text, object) != NULL);
    check(strstr(text, ", cancelled, spawned at ") != NULL);
    check(strchr(text, '\n') == strrchr(text, '\n')); /* one line a task */
    filch_event_set(&event);
    check_int(result_of(task), 0);
    check_int(filch_runtime_shutdown(runtime, filch_after(FILCH_SEC(30))), 0);
    read_report(runtime, text, sizeof text, 0);
    check_int(filch_runtime_destroy(runtime), 0);
    filch_event_fini(&event);
}

static int cancel_own_runtime(void *arg) {
    (void)arg;
    filch_task *task = start(sleep_for_ever, NULL);
    filch_yield();
    filch_runtime_cancel(filch_runtime_current());
    check(filch_cancelled());
    check_int(filch_await(task, NULL, FILCH_NEVER), -ECANCELED);
    filch_task_detach(task);
    return 12;
}

TEST(runtime_cancel, a_task_may_cancel_its_own_runtime) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        check_int(filch_run(cancel_own_runtime, NULL, &(filch_options){.workers = test_workers[i]}), 12);
    }
}
