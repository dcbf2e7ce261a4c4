/* SPDX-License-Identifier: MIT */
/* Steps of what tasks wait for one another with: locks, meetings, channels, queues. */
#include "tests/faults/life.h"

enum { CREW = 4 };

/* Starts as many of them as can be; `started` of them were. */
static unsigned start_crew(filch_task *tasks[CREW], filch_fn *fn, void *arg) {
    unsigned started = 0;
    for (int i = 0; i < CREW; i++) {
        tasks[i] = life_start(fn, arg);
        started += tasks[i] != NULL;
    }
    return started;
}

static void end_crew(filch_task *tasks[CREW]) {
    for (int i = 0; i < CREW; i++) must(life_end(tasks[i]) == 0);
}

/* -------------------------------------------------------------------------------------------------------------- locks */

struct locks {
    filch_mutex mutex;
    filch_rwlock shelf;
    filch_sem sem;
    filch_once once;
    unsigned plain, written;
    atomic_uint first_times, inside;
};

static int first_time(void *arg) {
    struct locks *locks = arg;
    atomic_fetch_add(&locks->first_times, 1);
    filch_yield();
    return 0;
}

static int use_locks(void *arg) {
    struct locks *locks = arg;
    for (int i = 0; i < 5; i++) {
        must(filch_mutex_lock(&locks->mutex, FILCH_NEVER) == 0);
        unsigned seen = ++locks->plain;
        filch_yield();
        must(locks->plain == seen);
        filch_mutex_unlock(&locks->mutex);
        must(filch_rwlock_read(&locks->shelf, FILCH_NEVER) == 0);
        seen = locks->written;
        filch_yield();
        must(locks->written == seen);
        filch_rwlock_read_unlock(&locks->shelf);
        must(filch_rwlock_write(&locks->shelf, FILCH_NEVER) == 0);
        locks->written++;
        filch_rwlock_write_unlock(&locks->shelf);
        must(filch_sem_acquire(&locks->sem, FILCH_NEVER) == 0);
        must(atomic_fetch_add(&locks->inside, 1) < 2);
        filch_yield();
        atomic_fetch_sub(&locks->inside, 1);
        filch_sem_release(&locks->sem);
    }
    must(filch_once_run(&locks->once, first_time, locks, FILCH_NEVER) == 0);
    return 0;
}

void step_locks(void) {
    struct locks locks = {.plain = 0};
    filch_task *tasks[CREW];
    must(filch_sem_init(&locks.sem, 2, 2) == 0);
    unsigned started = start_crew(tasks, use_locks, &locks);
    must(filch_mutex_lock(&locks.mutex, FILCH_NEVER) == 0);
    must(filch_sem_acquire(&locks.sem, filch_after(FILCH_SEC(1000))) == 0);
    filch_sem_release(&locks.sem);
    filch_mutex_unlock(&locks.mutex);
    end_crew(tasks);
    must(locks.plain == started * 5 && locks.written == started * 5);
    must(locks.first_times == (started > 0) && filch_sem_value(&locks.sem) == 2);
    filch_mutex_fini(&locks.mutex);
    filch_rwlock_fini(&locks.shelf);
    filch_sem_fini(&locks.sem);
    filch_once_fini(&locks.once);
}

/* ----------------------------------------------------------------------------------------------------------- meetings */

struct meeting {
    filch_event event;
    filch_future future;
    filch_barrier barrier;
    filch_wait_group group;
    filch_mutex mutex;
    filch_cond cond;
    bool open; /* under the mutex */
};

static int meet(void *arg) {
    struct meeting *meeting = arg;
    int result = 0, place = filch_barrier_wait(&meeting->barrier, FILCH_NEVER);
    must(place >= 0 || (place == -EPIPE && filch_barrier_broken(&meeting->barrier)));
    must(filch_mutex_lock(&meeting->mutex, FILCH_NEVER) == 0);
    while (!meeting->open) must(filch_cond_wait(&meeting->cond, &meeting->mutex, FILCH_NEVER) == 0);
    filch_mutex_unlock(&meeting->mutex);
    must(filch_event_wait(&meeting->event, FILCH_NEVER) == 0);
    must(filch_future_wait(&meeting->future, &result, NULL, FILCH_NEVER) == 0 && result == 5);
    filch_wait_group_done(&meeting->group);
    return 0;
}

void step_meetings(void) {
    struct meeting meeting = {.open = false};
    filch_task *tasks[CREW];
    must(filch_barrier_init(&meeting.barrier, CREW) == 0);
    must(filch_future_init(&meeting.future) == 0 && filch_wait_group_init(&meeting.group) == 0);
    filch_wait_group_add(&meeting.group, CREW);
    unsigned started = start_crew(tasks, meet, &meeting);
    filch_wait_group_add(&meeting.group, (int64_t)started - CREW);
    if (started < CREW) filch_barrier_abort(&meeting.barrier);
    filch_yield();
    must(filch_mutex_lock(&meeting.mutex, FILCH_NEVER) == 0);
    meeting.open = true;
    filch_cond_broadcast(&meeting.cond);
    filch_mutex_unlock(&meeting.mutex);
    filch_event_set(&meeting.event);
    must(filch_future_set(&meeting.future, 5, NULL) == 0);
    must(filch_wait_group_wait(&meeting.group, FILCH_NEVER) == 0);
    end_crew(tasks);
    filch_barrier_fini(&meeting.barrier);
    filch_future_fini(&meeting.future);
    filch_wait_group_fini(&meeting.group);
    filch_cond_fini(&meeting.cond);
    filch_mutex_fini(&meeting.mutex);
    filch_event_fini(&meeting.event);
}

/* ----------------------------------------------------------------------------------------------------------- channels */

enum { VALUES = 10 };

struct relay {
    filch_chan *chan, *second;
    atomic_uint in, out;
};

static int send_values(void *arg) {
    struct relay *relay = arg;
    for (unsigned value = 1; value <= VALUES; value++) {
        filch_case cases[] = {filch_case_send(relay->chan, &value), filch_case_send(relay->second, &value)};
        if (value % 2 == 0) {
            must(filch_chan_send(relay->chan, &value, FILCH_NEVER) == 0);
        } else {
            int chosen = filch_select(cases, 2, FILCH_NEVER);
            must(chosen >= 0 && cases[chosen].result == 0);
        }
        atomic_fetch_add(&relay->in, value);
    }
    return 0;
}

static void relay_through(filch_chan *chan, filch_chan *second) {
    struct relay relay = {.chan = chan, .second = second};
    filch_task *tasks[CREW];
    unsigned started = start_crew(tasks, send_values, &relay);
    for (unsigned left = started * VALUES; left > 0; left--) {
        unsigned value = 0;
        filch_case cases[] = {filch_case_recv(chan, &value), filch_case_recv(second, &value),
                              filch_case_deadline(FILCH_NEVER)};
        int chosen = filch_select(cases, 3, FILCH_NEVER);
        must((chosen == 0 || chosen == 1) && cases[chosen].result == 0);
        relay.out += value;
    }
    end_crew(tasks);
    must(relay.in == relay.out && relay.in == started * VALUES * (VALUES + 1) / 2);
}

void step_channels(void) {
    for (size_t capacity = 0; capacity <= 4; capacity += 4) {
        filch_chan *chan = NULL, *second = NULL;
        bool made = well(filch_chan_create(&chan, sizeof(unsigned), capacity)) &&
                    well(filch_chan_create(&second, sizeof(unsigned), 1));
        if (made) relay_through(chan, second);
        filch_chan_destroy(chan);
        filch_chan_destroy(second);
    }
}

/* ------------------------------------------------------------------------------------------------------------- queues */

struct basket {
    filch_queue queue;
    atomic_uint in, out;
};

static int put_values(void *arg) {
    struct basket *basket = arg;
    for (unsigned value = 1; value <= VALUES; value++) {
        if (well(filch_queue_put(&basket->queue, &value, FILCH_NEVER))) atomic_fetch_add(&basket->in, value);
    }
    return 0;
}

static int get_values(void *arg) {
    struct basket *basket = arg;
    unsigned value;
    int answer;
    while ((answer = filch_queue_get(&basket->queue, &value, FILCH_NEVER)) == 0) {
        atomic_fetch_add(&basket->out, value);
        filch_queue_task_done(&basket->queue);
    }
    must(answer == -EPIPE);
    return 0;
}

static int by_value(const void *left, const void *right) {
    unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
    return (a > b) - (a < b);
}

void step_queues(void) {
    static const filch_queue_options kinds[] = {
        {.capacity = 4}, {.order = FILCH_QUEUE_LIFO}, {.order = FILCH_QUEUE_PRIORITY, .compare = by_value}};
    for (int kind = 0; kind < 3; kind++) {
        struct basket basket = {.in = 0};
        filch_task *tasks[CREW];
        must(filch_queue_init(&basket.queue, sizeof(unsigned), &kinds[kind]) == 0);
        filch_task *getter = life_start(get_values, &basket);
        if (getter == NULL) { /* nobody to make room */
            filch_queue_fini(&basket.queue);
            continue;
        }
        (void)start_crew(tasks, put_values, &basket);
        end_crew(tasks);
        must(filch_queue_join(&basket.queue, FILCH_NEVER) == 0);
        must(filch_queue_shutdown(&basket.queue, FILCH_QUEUE_DRAIN) == 0);
        must(life_end(getter) == 0);
        must(basket.in == basket.out);
        filch_queue_fini(&basket.queue);
    }
}
