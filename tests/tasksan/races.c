/* SPDX-License-Identifier: MIT */
/*
 * Programs with a race, each of which must be reported however few workers there are and in whatever order they have run
 * things: races NAME WORKERS. The two that race are tasks called "left" and "right", or one of them and who spawned it.
 */
#include <filch/filch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int shared; /* what they race for */
static int *place = &shared;

static filch_mutex mutexes[2] = {FILCH_MUTEX_INIT, FILCH_MUTEX_INIT};
static filch_rwlock rwlock = FILCH_RWLOCK_INIT;
static filch_cond cond = FILCH_COND_INIT;
static filch_event event = FILCH_EVENT_INIT;
static filch_once once = FILCH_ONCE_INIT;
static filch_sem sem;
static filch_barrier barrier;
static filch_wait_group group;
static filch_future future;
static filch_queue queue;
static filch_chan *chan;
static int flag;

static void must(int result) {
    if (result < 0) abort();
}

static __attribute__((noinline)) void touch(void) {
    (*place)++;
}

/* Twice, since two accesses at the very same moment may escape the sanitizer; a sleep is no order. */
static int touching(void *arg) {
    (void)arg;
    touch();
    (void)filch_sleep(FILCH_US(300));
    touch();
    return 0;
}

/* Spawns both in a scope, and waits for them. */
static void both(filch_fn *left, filch_fn *right) {
    filch_scope scope;
    must(filch_scope_open(&scope, NULL));
    must(filch_scope_spawn(&scope, NULL, left, NULL, &(filch_task_options){.name = "left"}));
    must(filch_scope_spawn(&scope, NULL, right, NULL, &(filch_task_options){.name = "right"}));
    must(filch_scope_close(&scope));
}

static filch_task *spawned(filch_fn *fn, const char *name) {
    filch_task *task;
    must(filch_spawn(&task, fn, NULL, &(filch_task_options){.name = name}));
    return task;
}

/* ------------------------------------------------------------------------------------------------- tasks and forks */

static void in_a_scope(void) {
    both(touching, touching);
}

static void awaited_one_after_the_other(void) {
    filch_task *left = spawned(touching, "left"), *right = spawned(touching, "right");
    must(filch_await(left, NULL, FILCH_NEVER));
    must(filch_await(right, NULL, FILCH_NEVER));
}

static void spawner_and_task(void) {
    filch_task *left = spawned(touching, "left");
    touch();
    must(filch_await(left, NULL, FILCH_NEVER));
}

static void on_the_spawners_stack(void) {
    int here = 0;
    place = &here;
    both(touching, touching);
}

static int sleeping(void *arg) {
    must(filch_sleep(FILCH_MS(1)));
    return touching(arg);
}

static void after_a_sleep(void) {
    both(touching, sleeping);
}

static void only_one_is_awaited(void) {
    filch_task *left = spawned(touching, "left"), *right = spawned(touching, "right");
    size_t order[2];
    filch_task *tasks[] = {left};
    must((int)filch_await_n(tasks, 1, 1, order, FILCH_NEVER));
    touch();
    must(filch_await(left, NULL, FILCH_NEVER));
    must(filch_await(right, NULL, FILCH_NEVER));
}

static int forks_and_touches(void *arg) {
    filch_frame frame;
    filch_fork(&frame, touching, arg);
    touch();
    return filch_join(&frame);
}

static void parent_and_forked_call(void) {
    must(filch_await(spawned(forks_and_touches, "left"), NULL, FILCH_NEVER));
}

static int forks_twice(void *arg) {
    filch_frame one, other;
    filch_fork(&one, touching, arg);
    filch_fork(&other, touching, arg);
    return filch_join(&other) + filch_join(&one);
}

static void two_forked_calls(void) {
    must(filch_await(spawned(forks_twice, "left"), NULL, FILCH_NEVER));
}

static int reclaims(void *arg) {
    filch_frame frame;
    filch_fork(&frame, touching, arg);
    touch();
    return filch_reclaim(&frame) ? touching(arg) : filch_frame_result(&frame);
}

static void reclaimed_call(void) {
    must(filch_await(spawned(reclaims, "left"), NULL, FILCH_NEVER));
}

static int calls_outside(void *arg) {
    int result;
    must(filch_blocking(touching, arg, &result, FILCH_NEVER));
    return result;
}

static void blocking_call(void) {
    both(calls_outside, touching);
}

/* ------------------------------------------------------------------------------------------------------------ locks */

static int under_one(void *arg) {
    must(filch_mutex_lock(&mutexes[0], FILCH_NEVER));
    touching(arg);
    filch_mutex_unlock(&mutexes[0]);
    return 0;
}

static int under_another(void *arg) {
    must(filch_mutex_lock(&mutexes[1], FILCH_NEVER));
    touching(arg);
    filch_mutex_unlock(&mutexes[1]);
    return 0;
}

static void different_mutexes(void) {
    both(under_one, under_another);
}

static void one_without_the_mutex(void) {
    both(touching, under_one);
}

static int as_reader(void *arg) {
    must(filch_rwlock_read(&rwlock, FILCH_NEVER));
    touching(arg);
    filch_rwlock_read_unlock(&rwlock);
    return 0;
}

static void writes_under_a_read_lock(void) {
    both(as_reader, as_reader);
}

/* ------------------------------------------------------------------------------------------- told, and touched after */

static int sends_and_touches(void *arg) {
    int value = 1;
    must(filch_chan_send(chan, &value, FILCH_NEVER));
    return touching(arg);
}

static int receives_and_touches(void *arg) {
    int value;
    must(filch_chan_recv(chan, &value, FILCH_NEVER));
    return touching(arg);
}

static int touches_and_receives(void *arg) {
    touching(arg);
    int value;
    must(filch_chan_recv(chan, &value, FILCH_NEVER));
    return 0;
}

static void sender_goes_on(void) {
    must(filch_chan_create(&chan, sizeof(int), 4));
    both(sends_and_touches, receives_and_touches);
}

static void a_receive_tells_nothing(void) {
    must(filch_chan_create(&chan, sizeof(int), 0));
    both(sends_and_touches, touches_and_receives);
}

static int sends_twice(void *arg) {
    int value = 1;
    must(filch_chan_send(chan, &value, FILCH_NEVER));
    touching(arg);
    must(filch_chan_send(chan, &value, FILCH_NEVER));
    return 0;
}

static void a_later_value_carries_it(void) {
    must(filch_chan_create(&chan, sizeof(int), 4));
    both(sends_twice, receives_and_touches);
}

static int selects_and_touches(void *arg) {
    int value;
    filch_case cases[] = {filch_case_recv(chan, &value), filch_case_event(&event)};
    must(filch_select(cases, 2, FILCH_NEVER));
    return touching(arg);
}

static void select_and_sender(void) {
    must(filch_chan_create(&chan, sizeof(int), 0));
    both(selects_and_touches, sends_and_touches);
}

static int puts_and_touches(void *arg) {
    int value = 1;
    must(filch_queue_put(&queue, &value, FILCH_NEVER));
    return touching(arg);
}

static int gets_and_touches(void *arg) {
    int value;
    must(filch_queue_get(&queue, &value, FILCH_NEVER));
    return touching(arg);
}

static void putter_goes_on(void) {
    must(filch_queue_init(&queue, sizeof(int), NULL));
    both(puts_and_touches, gets_and_touches);
}

static int sets_and_touches(void *arg) {
    filch_event_set(&event);
    return touching(arg);
}

static int waits_and_touches(void *arg) {
    must(filch_event_wait(&event, FILCH_NEVER));
    return touching(arg);
}

static void setter_of_an_event_goes_on(void) {
    both(sets_and_touches, waits_and_touches);
}

static int fulfils_and_touches(void *arg) {
    must(filch_future_set(&future, 0, NULL));
    return touching(arg);
}

static int looks_and_touches(void *arg) {
    must(filch_future_wait(&future, NULL, NULL, FILCH_NEVER));
    return touching(arg);
}

static void setter_of_a_future_goes_on(void) {
    must(filch_future_init(&future));
    both(fulfils_and_touches, looks_and_touches);
}

static int is_done_and_touches(void *arg) {
    filch_wait_group_done(&group);
    return touching(arg);
}

static int waits_for_group(void *arg) {
    must(filch_wait_group_wait(&group, FILCH_NEVER));
    return touching(arg);
}

static void done_and_goes_on(void) {
    must(filch_wait_group_init(&group));
    filch_wait_group_add(&group, 1);
    both(is_done_and_touches, waits_for_group);
}

static int meets_and_touches(void *arg) {
    must(filch_barrier_wait(&barrier, FILCH_NEVER));
    return touching(arg);
}

static void after_a_barrier(void) {
    must(filch_barrier_init(&barrier, 2));
    both(meets_and_touches, meets_and_touches);
}

static int waits_under_a_permit(void *arg) {
    must(filch_sem_acquire(&sem, FILCH_NEVER));
    must(filch_barrier_wait(&barrier, FILCH_NEVER));
    touching(arg);
    filch_sem_release(&sem);
    return 0;
}

static void two_permits(void) {
    must(filch_sem_init(&sem, 2, 2));
    must(filch_barrier_init(&barrier, 2));
    both(waits_under_a_permit, waits_under_a_permit);
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int runs_once_and_touches(void *arg) {
    must(filch_once_run(&once, nothing, NULL, FILCH_NEVER));
    return touching(arg);
}

static void after_a_once(void) {
    both(runs_once_and_touches, runs_once_and_touches);
}

static int signals_and_touches(void *arg) {
    must(filch_mutex_lock(&mutexes[0], FILCH_NEVER));
    flag = 1;
    filch_cond_signal(&cond);
    filch_mutex_unlock(&mutexes[0]);
    return touching(arg);
}

static int waits_for_signal(void *arg) {
    must(filch_mutex_lock(&mutexes[0], FILCH_NEVER));
    while (!flag) must(filch_cond_wait(&cond, &mutexes[0], FILCH_NEVER));
    filch_mutex_unlock(&mutexes[0]);
    return touching(arg);
}

static void signaller_goes_on(void) {
    both(signals_and_touches, waits_for_signal);
}

static void *thread(void *arg) {
    filch_task *task;
    must(filch_runtime_spawn(arg, &task, touching, NULL, &(filch_task_options){.name = "left"}));
    touch();
    must(filch_await(task, NULL, FILCH_NEVER));
    return NULL;
}

static void a_thread_that_spawns(void) {
    pthread_t foreign;
    if (pthread_create(&foreign, NULL, thread, filch_runtime_current()) != 0) abort();
    pthread_join(foreign, NULL);
}

static int told;

static void *touches_and_spawns(void *arg) {
    touch();
    must(filch_runtime_spawn(arg, NULL, nothing, NULL, NULL));
    __atomic_store_n(&told, 1, __ATOMIC_RELAXED);
    return NULL;
}

static int yields_and_touches(void *arg) {
    while (!__atomic_load_n(&told, __ATOMIC_RELAXED)) filch_yield();
    for (int i = 0; i < 300; i++) filch_yield(); /* to look at the queue that the thread has put something into */
    return touching(arg);
}

static void queues_of_the_library_tell_nothing(void) {
    pthread_t foreign;
    filch_task *left = spawned(yields_and_touches, "left");
    if (pthread_create(&foreign, NULL, touches_and_spawns, filch_runtime_current()) != 0) abort();
    must(filch_await(left, NULL, filch_after(FILCH_SEC(100))));
    pthread_join(foreign, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- main */

static const struct race {
    const char *name;
    void (*run)(void);
} races[] = {
#define RACE(name)                                                                                                     \
    { #name, name }
    RACE(in_a_scope),
    RACE(awaited_one_after_the_other),
    RACE(spawner_and_task),
    RACE(on_the_spawners_stack),
    RACE(after_a_sleep),
    RACE(only_one_is_awaited),
    RACE(parent_and_forked_call),
    RACE(two_forked_calls),
    RACE(reclaimed_call),
    RACE(blocking_call),
    RACE(different_mutexes),
    RACE(one_without_the_mutex),
    RACE(writes_under_a_read_lock),
    RACE(sender_goes_on),
    RACE(a_receive_tells_nothing),
    RACE(a_later_value_carries_it),
    RACE(select_and_sender),
    RACE(putter_goes_on),
    RACE(setter_of_an_event_goes_on),
    RACE(setter_of_a_future_goes_on),
    RACE(done_and_goes_on),
    RACE(after_a_barrier),
    RACE(two_permits),
    RACE(after_a_once),
    RACE(signaller_goes_on),
    RACE(a_thread_that_spawns),
    RACE(queues_of_the_library_tell_nothing),
#undef RACE
};

static int run(void *arg) {
    ((const struct race *)arg)->run();
    return 0;
}

int main(int count, char **words) {
    for (size_t i = 0; count == 3 && i < sizeof races / sizeof *races; i++) {
        if (strcmp(words[1], races[i].name) != 0) continue;
        return -filch_run(run, (void *)(uintptr_t)&races[i], &(filch_options){.workers = (unsigned)atoi(words[2])});
    }
    return 2;
}
