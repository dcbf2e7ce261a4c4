/* SPDX-License-Identifier: MIT */
/*
 * Programs without a race, of which nothing must be reported: correct WORKERS runs each; correct WORKERS live runs one
 * in which 100,000 tasks wait at a time. Each checks what it counts, too.
 */
#include <filch/filch.h>
#include <filch/io.h>
#include <filch/pair.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { TASKS = 12, TIMES = 20, LIVE = 100000 };

#define must(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) < 0) fail(#call);                                                                                   \
    } while (0)

static int shared;

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "correct: %s\n", what);
    abort();
}

static void expect(int count) {
    if (shared != count) fail("a wrong count");
    shared = 0;
}

/* Runs `fn` in TASKS tasks, and waits for them. */
static void many(filch_fn *fn) {
    filch_scope scope;
    must(filch_scope_open(&scope, NULL));
    for (int i = 0; i < TASKS; i++) must(filch_scope_spawn(&scope, NULL, fn, NULL, NULL));
    must(filch_scope_close(&scope));
}

static void both(filch_fn *left, filch_fn *right) {
    filch_scope scope;
    must(filch_scope_open(&scope, NULL));
    must(filch_scope_spawn(&scope, NULL, left, NULL, NULL));
    must(filch_scope_spawn(&scope, NULL, right, NULL, NULL));
    must(filch_scope_close(&scope));
}

/* ------------------------------------------------------------------------------------------------- tasks and forks */

static int adds_one(void *arg) {
    (*(int *)arg)++;
    return 0;
}

static void spawn_and_await(void) {
    for (int i = 0; i < TIMES; i++) {
        filch_task *task;
        shared++;
        must(filch_spawn(&task, adds_one, &shared, NULL));
        must(filch_await(task, NULL, i % 2 == 0 ? FILCH_NEVER : filch_after(FILCH_SEC(100))));
        shared++;
    }
    expect(3 * TIMES);
}

static void await_several(void) {
    int counts[TASKS] = {0};
    filch_task *tasks[TASKS];
    size_t order[TASKS];
    for (int i = 0; i < TASKS; i++) must(filch_spawn(&tasks[i], adds_one, &counts[i], NULL));
    must(filch_await_n(tasks, TASKS, TASKS, order, FILCH_NEVER));
    for (int i = 0; i < TASKS; i++) shared += counts[i];
    for (int i = 0; i < TASKS; i++) must(filch_await(tasks[i], NULL, FILCH_NEVER));
    expect(TASKS);
}

/* What one task leaves on its stack, and what the next one finds there, is nobody's business. */
static __attribute__((noinline)) int fill(volatile int *words, int count) {
    for (int i = 0; i < count; i++) words[i] = i;
    return words[count - 1];
}

static int uses_its_stack(void *arg) {
    volatile int words[512];
    int sum = fill(words, 512);
    if (arg == NULL) must(filch_sleep(FILCH_US(10)));
    sum += fill(words, 256);
    return sum > 0 ? 0 : -1;
}

static int uses_its_stack_at_once(void *arg) {
    (void)arg;
    return uses_its_stack(&shared);
}

static void stacks_are_used_again(void) {
    for (int i = 0; i < 4; i++) {
        many(uses_its_stack);
        many(uses_its_stack_at_once);
        filch_task *task;
        must(filch_spawn(&task, uses_its_stack, &shared, NULL));
        volatile int words[128];
        (void)fill(words, 128);
        must(filch_await(task, NULL, FILCH_NEVER));
        (void)fill(words, 128);
    }
}

static int fib(void *arg) {
    int n = *(int *)arg, left = n - 1, right = n - 2;
    if (n < 2) return n;
    filch_frame frame;
    filch_fork(&frame, fib, &left);
    int sum = fib(&right);
    return sum + filch_join(&frame);
}

static void fork_and_join(void) {
    int n = 9;
    if (fib(&n) != 34) fail("fib");
}

struct depth {
    int left;
    char room[2000];
};

static int goes_deep(void *arg) {
    struct depth here = {.left = *(int *)arg - 1};
    if (here.left == 0) return 0;
    filch_frame frame;
    filch_fork(&frame, goes_deep, &here);
    memset(here.room, 1, sizeof here.room);
    return filch_join(&frame) + here.room[7];
}

static void deep_forks(void) {
    int depth = 60;
    if (goes_deep(&depth) != depth - 1) fail("depth");
}

static int halves(void *arg) {
    int *range = arg;
    if (range[1] - range[0] == 1) return range[0];
    int middle = (range[0] + range[1]) / 2, left[] = {range[0], middle}, right[] = {middle, range[1]};
    filch_frame frame;
    filch_fork(&frame, halves, left);
    int sum = halves(right);
    return sum + (filch_reclaim(&frame) ? halves(left) : filch_frame_result(&frame));
}

static void reclaimed(void) {
    int range[] = {0, 50};
    if (halves(range) != 50 * 49 / 2) fail("sum");
}

static int fills(int64_t first, int64_t last, void *arg) {
    for (int64_t i = first; i < last; i++) ((int *)arg)[i] = 1;
    return 0;
}

static void parallel_loop(void) {
    static int each[1000];
    must(filch_parallel_for(0, 1000, 10, fills, each));
    for (int i = 0; i < 1000; i++) shared += each[i];
    expect(1000);
    memset(each, 0, sizeof each);
}

static int calls_outside(void *arg) {
    int count = 1, result;
    (void)arg;
    must(filch_blocking(adds_one, &count, &result, FILCH_NEVER));
    return count == 2 ? 0 : -1;
}

static void blocking_calls(void) {
    many(calls_outside);
}

static int frees_its_own(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        char *memory = malloc(100);
        if (memory == NULL) fail("malloc");
        memset(memory, 1, 100);
        if (i % 5 == 0) filch_yield();
        free(memory);
    }
    return 0;
}

static void memory_is_used_again(void) {
    many(frees_its_own);
}

static filch_local key;

static int inherits(void *arg) {
    (void)arg;
    int *value = filch_local_get(&key);
    return value != NULL && *value == 5 ? 0 : -1;
}

static int sets_a_local(void *arg) {
    (void)arg;
    int *value = malloc(sizeof *value);
    if (value == NULL) fail("malloc");
    *value = 5;
    must(filch_local_set(&key, value, free));
    return filch_spawn(NULL, inherits, NULL, NULL);
}

static void locals(void) {
    many(sets_a_local);
}

/* ------------------------------------------------------------------------------------------------------------ locks */

static filch_mutex mutex = FILCH_MUTEX_INIT;
static filch_rwlock rwlock = FILCH_RWLOCK_INIT;
static filch_cond cond = FILCH_COND_INIT;
static filch_sem sem;
static filch_barrier barrier;

static int adds_under_the_mutex(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        must(filch_mutex_lock(&mutex, FILCH_NEVER));
        shared++;
        if (i % 4 == 0) filch_yield();
        filch_mutex_unlock(&mutex);
    }
    return 0;
}

static void mutexes(void) {
    many(adds_under_the_mutex);
    expect(TASKS * TIMES);
}

static int reads_and_writes(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        must(filch_rwlock_read(&rwlock, FILCH_NEVER));
        int seen = shared;
        if (i % 4 == 0) filch_yield();
        if (seen != shared) fail("written while read");
        filch_rwlock_read_unlock(&rwlock);
        must(filch_rwlock_write(&rwlock, FILCH_NEVER));
        shared++;
        filch_rwlock_write_unlock(&rwlock);
    }
    return 0;
}

static void rwlocks(void) {
    many(reads_and_writes);
    expect(TASKS * TIMES);
}

static int adds_with_the_permit(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        must(filch_sem_acquire(&sem, FILCH_NEVER));
        shared++;
        filch_sem_release(&sem);
    }
    return 0;
}

static void semaphores(void) {
    must(filch_sem_init(&sem, 1, 1));
    many(adds_with_the_permit);
    expect(TASKS * TIMES);
    filch_sem_fini(&sem);
}

static int waits_for_a_count(void *arg) {
    (void)arg;
    must(filch_mutex_lock(&mutex, FILCH_NEVER));
    shared++;
    filch_cond_broadcast(&cond);
    while (shared < TASKS) must(filch_cond_wait(&cond, &mutex, FILCH_NEVER));
    filch_mutex_unlock(&mutex);
    return 0;
}

static void conditions(void) {
    many(waits_for_a_count);
    expect(TASKS);
}

static int rounds[TASKS];

static int meets(void *arg) {
    int *mine = arg;
    for (int i = 1; i <= 5; i++) {
        *mine = i;
        must(filch_barrier_wait(&barrier, FILCH_NEVER));
        for (int other = 0; other < TASKS; other++) {
            if (rounds[other] != i) fail("a round");
        }
        must(filch_barrier_wait(&barrier, FILCH_NEVER));
    }
    return 0;
}

static void barriers(void) {
    filch_scope scope;
    must(filch_barrier_init(&barrier, TASKS));
    must(filch_scope_open(&scope, NULL));
    for (int i = 0; i < TASKS; i++) must(filch_scope_spawn(&scope, NULL, meets, &rounds[i], NULL));
    must(filch_scope_close(&scope));
    filch_barrier_fini(&barrier);
}

/* --------------------------------------------------------------------------------------------------------- messages */

static filch_chan *chan;
static filch_queue queue;
static filch_event event = FILCH_EVENT_INIT;
static filch_once once = FILCH_ONCE_INIT;
static filch_wait_group group;
static filch_future future;

static int sends(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        int *value = malloc(sizeof *value);
        if (value == NULL) fail("malloc");
        *value = i;
        must(filch_chan_send(chan, &value, FILCH_NEVER));
    }
    return filch_chan_close(chan);
}

static int receives(void *arg) {
    (void)arg;
    for (int *value; filch_chan_recv(chan, &value, FILCH_NEVER) == 0; free(value)) shared += *value;
    return 0;
}

static void channels(void) {
    for (size_t capacity = 0; capacity < 4; capacity++) {
        must(filch_chan_create(&chan, sizeof(int *), capacity));
        both(sends, receives);
        filch_chan_destroy(chan);
        expect(TIMES * (TIMES - 1) / 2);
    }
}

static int selects(void *arg) {
    (void)arg;
    for (int *value, which = 0; which == 0;) {
        filch_case cases[] = {filch_case_recv(chan, &value), filch_case_event(&event)};
        must(which = filch_select(cases, 2, FILCH_NEVER));
        if (which != 0 || cases[0].result != 0) break;
        shared += *value;
        free(value);
    }
    return 0;
}

static void selections(void) {
    for (size_t capacity = 0; capacity < 3; capacity++) {
        must(filch_chan_create(&chan, sizeof(int *), capacity));
        both(selects, sends);
        filch_chan_destroy(chan);
        expect(TIMES * (TIMES - 1) / 2);
    }
}

static int puts_values(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        int *value = malloc(sizeof *value);
        if (value == NULL) fail("malloc");
        *value = i;
        must(filch_queue_put(&queue, &value, FILCH_NEVER));
    }
    must(filch_queue_join(&queue, FILCH_NEVER));
    expect(TIMES * (TIMES - 1) / 2);
    return filch_queue_shutdown(&queue, FILCH_QUEUE_DRAIN);
}

static int gets_values(void *arg) {
    (void)arg;
    for (int *value; filch_queue_get(&queue, &value, FILCH_NEVER) == 0; filch_queue_task_done(&queue)) {
        shared += *value;
        free(value);
    }
    return 0;
}

static int by_size(const void *left, const void *right) {
    return **(int *const *)left - **(int *const *)right;
}

static void queues(void) {
    filch_queue_options options[] = {{.capacity = 2}, {.order = FILCH_QUEUE_PRIORITY, .compare = by_size}};
    for (int i = 0; i < 2; i++) {
        must(filch_queue_init(&queue, sizeof(int *), &options[i]));
        both(puts_values, gets_values);
        filch_queue_fini(&queue);
    }
}

/* Compares the one with the other, and tells nobody that both are inside. */
static int puts_two(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int *value = malloc(sizeof *value);
        if (value == NULL) fail("malloc");
        *value = i;
        must(filch_queue_put(&queue, &value, FILCH_NEVER));
    }
    return 0;
}

/* Puts a third, which whoever makes room compares with one of the two. */
static int puts_one_more(void *arg) {
    (void)arg;
    while (filch_queue_length(&queue) < 2) filch_yield();
    int *value = malloc(sizeof *value);
    if (value == NULL) fail("malloc");
    *value = 2;
    must(filch_queue_put(&queue, &value, FILCH_NEVER));
    return 0;
}

static int is_waiting_to_put(const filch_task_info *info, void *arg) {
    (void)arg;
    return info->reason != NULL && strcmp(info->reason, "queue put") == 0;
}

static int gets_all_three(void *arg) {
    (void)arg;
    for (int waiting = 0; waiting == 0; filch_yield()) {
        must(waiting = filch_task_each(filch_runtime_current(), is_waiting_to_put, NULL));
    }
    for (int i = 0, *value; i < 3; i++) {
        must(filch_queue_get(&queue, &value, FILCH_NEVER));
        if (*value != i) fail("an order");
        free(value);
    }
    return 0;
}

static void comparisons(void) {
    filch_scope scope;
    must(filch_queue_init(&queue, sizeof(int *),
                          &(filch_queue_options){.order = FILCH_QUEUE_PRIORITY, .compare = by_size, .capacity = 2}));
    must(filch_scope_open(&scope, NULL));
    must(filch_scope_spawn(&scope, NULL, puts_two, NULL, NULL));
    must(filch_scope_spawn(&scope, NULL, puts_one_more, NULL, NULL));
    must(filch_scope_spawn(&scope, NULL, gets_all_three, NULL, NULL));
    must(filch_scope_close(&scope));
    filch_queue_fini(&queue);
}

static int sets_once(void *arg) {
    (void)arg;
    shared = 1;
    return 0;
}

static int runs_once(void *arg) {
    must(filch_once_run(&once, sets_once, arg, FILCH_NEVER));
    return shared == 1 ? 0 : -1;
}

static void onces(void) {
    filch_once_init(&once);
    many(runs_once);
    expect(1);
}

static int tells(void *arg) {
    (void)arg;
    filch_yield();
    shared = 7;
    filch_event_set(&event);
    must(filch_future_set(&future, 0, &shared));
    filch_wait_group_done(&group);
    return 0;
}

static int waits_for_event(void *arg) {
    (void)arg;
    must(filch_event_wait(&event, FILCH_NEVER));
    return shared == 7 ? 0 : -1;
}

static int waits_for_future(void *arg) {
    void *value;
    (void)arg;
    must(filch_future_wait(&future, NULL, &value, FILCH_NEVER));
    return *(int *)value == 7 ? 0 : -1;
}

static int waits_for_group(void *arg) {
    (void)arg;
    must(filch_wait_group_wait(&group, FILCH_NEVER));
    return shared == 7 ? 0 : -1;
}

static void told(filch_fn *waits) {
    must(filch_future_init(&future));
    must(filch_wait_group_init(&group));
    filch_wait_group_add(&group, 1);
    filch_event_clear(&event);
    both(waits, tells);
    filch_event_clear(&event);
    expect(7);
}

static void events(void) {
    told(waits_for_event);
}

static void futures(void) {
    told(waits_for_future);
}

static void wait_groups(void) {
    told(waits_for_group);
}

static void *thread(void *arg) {
    filch_task *task;
    shared++;
    must(filch_runtime_spawn(arg, &task, adds_one, &shared, NULL));
    must(filch_await(task, NULL, FILCH_NEVER));
    shared++;
    filch_event_set(&event);
    return NULL;
}

static void threads(void) {
    pthread_t foreign;
    if (pthread_create(&foreign, NULL, thread, filch_runtime_current()) != 0) fail("pthread_create");
    must(filch_event_wait(&event, FILCH_NEVER));
    shared++;
    pthread_join(foreign, NULL);
    filch_event_clear(&event);
    expect(4);
}

/* ------------------------------------------------------------------------------------------------------------- bytes */

static filch_fd sockets[2];
static filch_transport ends[2];

/* Each byte says that it is the other one's turn. */
static int speaks_first(void *arg) {
    char byte = 1;
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        shared++;
        must(filch_fd_write(sockets[0], &byte, 1, FILCH_NEVER));
        must(filch_fd_read(sockets[0], &byte, 1, FILCH_NEVER));
    }
    return 0;
}

static int answers(void *arg) {
    char byte;
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        must(filch_fd_read(sockets[1], &byte, 1, FILCH_NEVER));
        shared++;
        must(filch_fd_write(sockets[1], &byte, 1, FILCH_NEVER));
    }
    return 0;
}

static void descriptors(void) {
    int numbers[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, numbers));
    for (int i = 0; i < 2; i++) must(filch_fd_adopt(&sockets[i], numbers[i], NULL));
    both(speaks_first, answers);
    for (int i = 0; i < 2; i++) must(filch_fd_close(sockets[i]));
    expect(2 * TIMES);
}

static void put_byte(const filch_transport *end) {
    char byte = 1;
    struct iovec part = {&byte, 1};
    must(end->ops->write(end->self, &part, 1, FILCH_NEVER));
}

static void get_byte(const filch_transport *end) {
    char byte;
    must(end->ops->read(end->self, &byte, 1, FILCH_NEVER));
}

static int speaks_first_in_memory(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        shared++;
        put_byte(&ends[0]);
        get_byte(&ends[0]);
    }
    return 0;
}

static int answers_in_memory(void *arg) {
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        get_byte(&ends[1]);
        shared++;
        put_byte(&ends[1]);
    }
    return 0;
}

static void pairs(void) {
    must(filch_pair_create(ends, 4));
    both(speaks_first_in_memory, answers_in_memory);
    for (int i = 0; i < 2; i++) {
        ends[i].ops->close(ends[i].self);
        ends[i].ops->destroy(ends[i].self);
    }
    expect(2 * TIMES);
}

/* ------------------------------------------------------------------------------------------------------------- main */

static void (*const programs[])(void) = {
    spawn_and_await, await_several,  stacks_are_used_again,
    fork_and_join,   deep_forks,     reclaimed,
    parallel_loop,   blocking_calls, memory_is_used_again,
    locals,          mutexes,        rwlocks,
    semaphores,      conditions,     barriers,
    channels,        selections,     queues,
    onces,           events,         futures,
    wait_groups,     threads,        descriptors,
    pairs,           comparisons,
};

static int live_count;

static int lives(void *arg) {
    if (__atomic_add_fetch(&live_count, 1, __ATOMIC_RELAXED) == LIVE) filch_event_set(&event);
    must(filch_event_wait(&event, FILCH_NEVER));
    return adds_one(arg);
}

static int live(void *arg) {
    static int counts[LIVE];
    filch_scope scope;
    (void)arg;
    must(filch_scope_open(&scope, NULL));
    for (int i = 0; i < LIVE; i++) must(filch_scope_spawn(&scope, NULL, lives, &counts[i], NULL));
    must(filch_scope_close(&scope));
    for (int i = 0; i < LIVE; i++) shared += counts[i];
    expect(LIVE);
    return 0;
}

static int each(void *arg) {
    (void)arg;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) programs[i]();
    return 0;
}

int main(int count, char **words) {
    if (count < 2) return 2;
    return -filch_run(count > 2 ? live : each, NULL, &(filch_options){.workers = (unsigned)atoi(words[1])});
}
