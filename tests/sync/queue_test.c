/* SPDX-License-Identifier: MIT */
/*
 * Proves that what is put into a queue is got once, in the order of its kind; that a call that is cut short moves
 * nothing; what a shutdown leaves; and that want of memory is answered. A test with a number in its name is the
 * regression of another runtime that is told under this number.
 */
#include "alloc/heap.h"
#include "tests/sync/locks.h"

#include <string.h>

static const filch_deadline at_once = {0};

static int compare_longs(const void *left, const void *right) {
    long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

/* The upper digits alone: values that differ in the last three are equal. */
static int compare_thousands(const void *left, const void *right) {
    long a = *(const long *)left / 1000, b = *(const long *)right / 1000;
    return (a > b) - (a < b);
}

static void must_init(filch_queue *queue, size_t capacity) {
    check_int(filch_queue_init(queue, sizeof(long), &(filch_queue_options){.capacity = capacity}), 0);
}

static void must_put(filch_queue *queue, long value) {
    check_int(filch_queue_put(queue, &value, FILCH_NEVER), 0);
}

static long must_get(filch_queue *queue) {
    long value = -1;
    check_int(filch_queue_get(queue, &value, FILCH_NEVER), 0);
    return value;
}

#define until_getters(queue, count) until_waiting(&(queue)->filch__latch, &(queue)->filch__getters, (count))
#define until_putters(queue, count) until_waiting(&(queue)->filch__latch, &(queue)->filch__putters, (count))
#define until_joiners(queue, count) until_waiting(&(queue)->filch__latch, &(queue)->filch__joiners, (count))

/* A call that waits, in a task of its own. */
struct call {
    filch_queue *queue;
    long value;
    filch_deadline deadline;
    int answer;
    filch_task *task;
};

static int call_put(void *arg) {
    struct call *call = arg;
    call->answer = filch_queue_put(call->queue, &call->value, call->deadline);
    return 0;
}

static int call_get(void *arg) {
    struct call *call = arg;
    call->answer = filch_queue_get(call->queue, &call->value, call->deadline);
    return 0;
}

static int call_join(void *arg) {
    struct call *call = arg;
    call->answer = filch_queue_join(call->queue, call->deadline);
    return 0;
}

static void begin(struct call *call, filch_fn *fn, filch_queue *queue, long value) {
    *call = (struct call){.queue = queue, .value = value, .deadline = FILCH_NEVER, .answer = 1};
    call->task = start(fn, call);
}

static void ends_with(struct call *call, int answer) {
    check_int(result_of(call->task), 0);
    check_int(call->answer, answer);
}

/* ------------------------------------------------------------------------------------------------------ answers */

TEST(queue, bad_arguments_are_refused) {
    filch_queue queue;
    long value = 0;
    const filch_queue_options no_compare = {.order = FILCH_QUEUE_PRIORITY}, odd = {.order = (filch_queue_order)7},
                              idle_compare = {.order = FILCH_QUEUE_LIFO, .compare = compare_longs};
    check_int(filch_queue_init(NULL, 8, NULL), -EINVAL);
    check_int(filch_queue_init(&queue, 0, NULL), -EINVAL);
    check_int(filch_queue_init(&queue, SIZE_MAX, NULL), -EINVAL);
    check_int(filch_queue_init(&queue, 8, &no_compare), -EINVAL);
    check_int(filch_queue_init(&queue, 8, &odd), -EINVAL);
    check_int(filch_queue_init(&queue, 8, &idle_compare), -EINVAL);
    check_int(filch_queue_init(&queue, sizeof value, NULL), 0);
    check_int(filch_queue_put(NULL, &value, FILCH_NEVER), -EINVAL);
    check_int(filch_queue_put(&queue, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_queue_try_put(NULL, &value), -EINVAL);
    check_int(filch_queue_try_put(&queue, NULL), -EINVAL);
    check_int(filch_queue_get(NULL, &value, FILCH_NEVER), -EINVAL);
    check_int(filch_queue_get(&queue, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_queue_try_get(NULL, &value), -EINVAL);
    check_int(filch_queue_try_get(&queue, NULL), -EINVAL);
    check_int(filch_queue_join(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_queue_try_join(NULL), -EINVAL);
    check_int(filch_queue_shutdown(NULL, FILCH_QUEUE_DRAIN), -EINVAL);
    check_int(filch_queue_shutdown(&queue, (filch_queue_rest)2), -EINVAL);
    filch_queue_fini(&queue);
    filch_queue_fini(NULL);
}

/* -------------------------------------------------------------------------------------------------------- model */

/* What a queue is, without cleverness: values in the order they were put. */
struct model {
    long values[64];
    size_t count;
};

static size_t model_next(const struct model *model, const filch_queue_options *options) {
    size_t next = 0;
    if (options->order == FILCH_QUEUE_LIFO) return model->count - 1;
    for (size_t i = 1; options->order == FILCH_QUEUE_PRIORITY && i < model->count; i++) {
        if (options->compare(&model->values[i], &model->values[next]) < 0) next = i;
    }
    return next;
}

static long model_get(struct model *model, const filch_queue_options *options) {
    size_t next = model_next(model, options);
    long value = model->values[next];
    memmove(&model->values[next], &model->values[next + 1], (--model->count - next) * sizeof value);
    return value;
}

static void put_beside(filch_queue *queue, struct model *model, size_t capacity, long value, bool try) {
    int answer = try ? filch_queue_try_put(queue, &value) : filch_queue_put(queue, &value, at_once);
    if (capacity != 0 && model->count == capacity) {
        check_int(answer, try ? -EAGAIN : -ETIMEDOUT);
    } else {
        check_int(answer, 0);
        model->values[model->count++] = value;
    }
}

static void get_beside(filch_queue *queue, struct model *model, const filch_queue_options *options, bool try) {
    long value = -1;
    int answer = try ? filch_queue_try_get(queue, &value) : filch_queue_get(queue, &value, at_once);
    if (model->count == 0) {
        check_int(answer, try ? -EAGAIN : -ETIMEDOUT);
        check_int(value, -1);
    } else {
        check_int(answer, 0);
        check_int(value, model_get(model, options));
        filch_queue_task_done(queue);
    }
    check_int(filch_queue_try_join(queue), model->count == 0 ? 0 : -EAGAIN);
}

static void walk(const filch_queue_options *options, uint32_t *random) {
    size_t before = filch__heap_objects();
    struct model model = {.count = 0};
    filch_queue queue;
    check_int(filch_queue_init(&queue, sizeof(long), options), 0);
    for (int i = 0; i < 20000 / TEST_SCALE; i++) {
        bool try = chance(random, 2), fill = chance(random, 400) < 100 + 200 * (unsigned)(i / 50 % 2);
        if (fill && model.count < 64) {
            put_beside(&queue, &model, options->capacity, chance(random, 20000), try);
        } else {
            get_beside(&queue, &model, options, try);
        }
        check_int(filch_queue_length(&queue), model.count);
    }
    filch_queue_fini(&queue);
    check_int(filch__heap_objects(), before);
}

TEST(queue, one_caller_sees_a_list_of_its_order) {
    uint32_t random = 99;
    for (int order = FILCH_QUEUE_FIFO; order <= FILCH_QUEUE_PRIORITY; order++) {
        for (size_t capacity = 0; capacity < 64; capacity = capacity * 3 + 1) {
            filch_queue_options options = {.order = (filch_queue_order)order, .capacity = capacity};
            if (order == FILCH_QUEUE_PRIORITY) options.compare = compare_thousands;
            walk(&options, &random);
        }
    }
}

TEST(queue, values_of_any_size_are_copied) {
    static const size_t sizes[] = {1, 3, 8, 17, 4096, 100000};
    static unsigned char in[100000], out[100001];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        filch_queue queue;
        check_int(filch_queue_init(&queue, sizes[i], NULL), 0);
        for (int round = 0; round < 10; round++) {
            memset(in, 'a' + round, sizes[i]);
            check_int(filch_queue_put(&queue, in, FILCH_NEVER), 0);
        }
        for (int round = 0; round < 10; round++) {
            memset(out, 0, sizeof out);
            check_int(filch_queue_get(&queue, out, FILCH_NEVER), 0);
            memset(in, 'a' + round, sizes[i]);
            check(memcmp(in, out, sizes[i]) == 0);
            check_int(out[sizes[i]], 0);
        }
        filch_queue_fini(&queue);
    }
}

/* Rising and falling runs make the worst of heaps. */
TEST(queue, a_large_heap_is_sorted_whatever_the_order_of_puts) {
    const filch_queue_options options = {.order = FILCH_QUEUE_PRIORITY, .compare = compare_longs};
    const long count = 200000 / TEST_SCALE;
    uint32_t random = 3;
    for (int way = 0; way < 3; way++) {
        filch_queue queue;
        check_int(filch_queue_init(&queue, sizeof(long), &options), 0);
        for (long i = 0; i < count; i++) {
            must_put(&queue, way == 0 ? i : way == 1 ? count - i : (long)chance(&random, 1000000));
        }
        long last = -1;
        for (long i = 0; i < count / 2; i++) {
            long value = must_get(&queue);
            check(value >= last);
            last = value;
        }
        filch_queue_fini(&queue); /* with the other half inside */
    }
    check_int(filch__heap_objects(), 0);
}

/* -------------------------------------------------------------------------------------------------------- order */

static int served_in_order(void *arg) {
    (void)arg;
    enum { WAITERS = 20 };
    struct call calls[WAITERS];
    filch_queue queue;
    must_init(&queue, 1);
    for (int i = 0; i < WAITERS; i++) {
        begin(&calls[i], call_get, &queue, -1);
        until_getters(&queue, i + 1);
    }
    for (int i = 0; i < WAITERS; i++) must_put(&queue, i);
    for (int i = 0; i < WAITERS; i++) {
        ends_with(&calls[i], 0);
        check_int(calls[i].value, i);
    }
    must_put(&queue, 0);
    for (int i = 1; i < WAITERS; i++) {
        begin(&calls[i], call_put, &queue, i);
        until_putters(&queue, i);
        check_int(filch_queue_length(&queue), 1);
    }
    for (int i = 0; i < WAITERS; i++) check_int(must_get(&queue), i);
    for (int i = 1; i < WAITERS; i++) ends_with(&calls[i], 0);
    check_int(filch_queue_length(&queue), 0);
    filch_queue_fini(&queue);
    return 0;
}

TEST(queue, who_waits_is_served_in_the_order_they_came) {
    run_with_each(served_in_order, NULL);
}

/* ---------------------------------------------------------------------------------------------------- cut short */

static int cut_short(void *arg) {
    (void)arg;
    filch_queue queue;
    struct call call;
    long value = 4711;
    must_init(&queue, 1);
    check_int(filch_queue_get(&queue, &value, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    begin(&call, call_get, &queue, -1);
    until_getters(&queue, 1);
    filch_task_cancel(call.task);
    ends_with(&call, -ECANCELED);
    check_int(call.value, -1);
    must_put(&queue, 1);
    check_int(filch_queue_length(&queue), 1); /* not gone to who is no more */
    check_int(filch_queue_put(&queue, &value, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    begin(&call, call_put, &queue, 3);
    until_putters(&queue, 1);
    filch_task_cancel(call.task);
    ends_with(&call, -ECANCELED);
    check_int(filch_queue_join(&queue, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    begin(&call, call_join, &queue, 0);
    until_joiners(&queue, 1);
    filch_task_cancel(call.task);
    ends_with(&call, -ECANCELED);
    check_int(must_get(&queue), 1);
    check_int(filch_queue_try_get(&queue, &value), -EAGAIN);
    check_int(value, 4711);
    filch_queue_task_done(&queue); /* one was put, and no more */
    check_int(filch_queue_join(&queue, at_once), 0);
    filch_queue_fini(&queue);
    return 0;
}

TEST(queue, who_is_cut_short_has_moved_nothing) {
    run_with_each(cut_short, NULL);
    check_int(filch__heap_objects(), 0);
}

static int use_cancelled(void *arg) {
    filch_queue *queue = arg;
    long value = 5;
    filch_task_cancel(filch_self());
    check_int(filch_queue_put(queue, &value, FILCH_NEVER), -ECANCELED);
    check_int(filch_queue_try_put(queue, &value), 0);
    check_int(filch_queue_get(queue, &value, FILCH_NEVER), -ECANCELED);
    check_int(filch_queue_try_get(queue, &value), 0);
    filch_queue_task_done(queue);
    check_int(filch_queue_join(queue, FILCH_NEVER), -ECANCELED);
    check_int(filch_queue_try_join(queue), 0);
    return 0;
}

static int cancelled_before(void *arg) {
    return result_of(start(use_cancelled, arg));
}

TEST(queue, who_is_cancelled_moves_only_by_trying) {
    filch_queue queue;
    must_init(&queue, 0);
    run_with(2, cancelled_before, &queue);
    filch_queue_fini(&queue);
}

/* -------------------------------------------------------------------------------------------------- regressions */

/* A value goes to a waiting getter, which is cancelled before it has run. */
static int put_and_cancel(void *arg) {
    (void)arg;
    filch_queue queue;
    struct call first, second;
    must_init(&queue, 0);
    begin(&first, call_get, &queue, -1);
    until_getters(&queue, 1);
    begin(&second, call_get, &queue, -1);
    until_getters(&queue, 2);
    long value = 1;
    check_int(filch_queue_try_put(&queue, &value), 0);
    filch_task_cancel(first.task);
    ends_with(&first, 0);
    check_int(first.value, 1);
    must_put(&queue, 2);
    ends_with(&second, 0);
    check_int(second.value, 2);
    check_int(filch_queue_length(&queue), 0);
    filch_queue_fini(&queue);
    return 0;
}

TEST(queue, asyncio_256_a_value_given_to_who_is_then_cancelled_is_not_lost) {
    run_with(1, put_and_cancel, NULL);
}

/* A putter is let in and cancelled before it has run: its value is inside, once. */
static int get_and_cancel(void *arg) {
    (void)arg;
    filch_queue queue;
    struct call first, second;
    must_init(&queue, 1);
    must_put(&queue, 0);
    begin(&first, call_put, &queue, 1);
    until_putters(&queue, 1);
    begin(&second, call_put, &queue, 2);
    until_putters(&queue, 2);
    check_int(must_get(&queue), 0);
    filch_task_cancel(first.task);
    ends_with(&first, 0);
    check_int(must_get(&queue), 1);
    ends_with(&second, 0);
    check_int(must_get(&queue), 2);
    filch_queue_fini(&queue);
    return 0;
}

TEST(queue, cpython_108042_a_putter_let_in_and_then_cancelled_has_put) {
    run_with(1, get_and_cancel, NULL);
}

/* Gets with deadlines about as long as the pause between two puts. */
struct lossy {
    filch_queue queue;
    long count;
};

static int put_with_pauses(void *arg) {
    struct lossy *lossy = arg;
    uint32_t random = 7;
    for (long i = 0; i < lossy->count; i++) {
        must_put(&lossy->queue, i);
        filch_sleep(chance(&random, 60) * 1000);
    }
    return 0;
}

static int get_with_deadlines(void *arg) {
    (void)arg;
    struct lossy lossy = {.count = 2000 / TEST_SCALE};
    uint32_t random = 8;
    must_init(&lossy.queue, 0);
    filch_task *putter = start(put_with_pauses, &lossy);
    for (long next = 0; next < lossy.count;) {
        long value = -1;
        int answer = filch_queue_get(&lossy.queue, &value, filch_after(chance(&random, 60) * 1000));
        if (answer == 0) {
            check_int(value, next++);
        } else {
            check_int(answer, -ETIMEDOUT);
            check_int(value, -1);
        }
    }
    check_int(result_of(putter), 0);
    filch_queue_fini(&lossy.queue);
    return 0;
}

TEST(queue, asyncio_343_a_get_that_times_out_as_a_value_comes_loses_nothing) {
    run_with_each(get_with_deadlines, NULL);
}

/* ------------------------------------------------------------------------------------------------ done and join */

static int work_off(void *arg) {
    filch_queue *queue = arg;
    long value;
    int answer;
    while ((answer = filch_queue_get(queue, &value, FILCH_NEVER)) == 0) {
        if (value % 3 == 0) filch_yield();
        filch_queue_task_done(queue);
    }
    return answer;
}

static int join_work(void *arg) {
    (void)arg;
    filch_queue queue;
    filch_task *workers[4];
    struct call joiner;
    must_init(&queue, 10);
    check_int(filch_queue_join(&queue, FILCH_NEVER), 0);
    for (int i = 0; i < 4; i++) workers[i] = start(work_off, &queue);
    for (int round = 0; round < 20; round++) {
        must_put(&queue, round);
        begin(&joiner, call_join, &queue, 0);
        for (int i = 0; i < 50; i++) must_put(&queue, i);
        check_int(filch_queue_join(&queue, FILCH_NEVER), 0);
        check_int(filch_queue_length(&queue), 0);
        ends_with(&joiner, 0);
    }
    check_int(filch_queue_shutdown(&queue, FILCH_QUEUE_DRAIN), 0);
    for (int i = 0; i < 4; i++) check_int(result_of(workers[i]), -EPIPE);
    filch_queue_fini(&queue);
    return 0;
}

TEST(queue, join_waits_for_what_was_put_to_be_done) {
    run_with_each(join_work, NULL);
}

/* ----------------------------------------------------------------------------------------------------- shutdown */

static int shut_getters(void *arg) {
    const filch_queue_rest rest = *(filch_queue_rest *)arg;
    struct call calls[3];
    filch_queue queue;
    long value = 1;
    must_init(&queue, 0);
    for (int i = 0; i < 3; i++) begin(&calls[i], call_get, &queue, -1);
    until_getters(&queue, 3);
    check_int(filch_queue_shutdown(&queue, rest), 0);
    for (int i = 0; i < 3; i++) ends_with(&calls[i], -EPIPE);
    check_int(calls[0].value, -1);
    check_int(filch_queue_put(&queue, &value, FILCH_NEVER), -EPIPE);
    check_int(filch_queue_try_put(&queue, &value), -EPIPE);
    check_int(filch_queue_get(&queue, &value, FILCH_NEVER), -EPIPE);
    check_int(filch_queue_try_get(&queue, &value), -EPIPE);
    check_int(filch_queue_join(&queue, at_once), 0);
    filch_queue_fini(&queue);
    return 0;
}

TEST(queue, shutdown_tells_who_waits_to_get) {
    for (int rest = FILCH_QUEUE_DRAIN; rest <= FILCH_QUEUE_DROP; rest++) {
        filch_queue_rest arg = (filch_queue_rest)rest;
        run_with_each(shut_getters, &arg);
    }
}

/* Two values inside, two putters that wait, and one who joins. */
static int shut_full(void *arg) {
    const filch_queue_rest rest = *(filch_queue_rest *)arg;
    struct call putters[2], joiner;
    filch_queue queue;
    long value = -1;
    must_init(&queue, 2);
    must_put(&queue, 1);
    must_put(&queue, 2);
    for (int i = 0; i < 2; i++) begin(&putters[i], call_put, &queue, 3 + i);
    until_putters(&queue, 2);
    begin(&joiner, call_join, &queue, 0);
    until_joiners(&queue, 1);
    check_int(filch_queue_shutdown(&queue, rest), 0);
    for (int i = 0; i < 2; i++) ends_with(&putters[i], -EPIPE);
    if (rest == FILCH_QUEUE_DRAIN) {
        check_int(must_get(&queue), 1);
        filch_queue_task_done(&queue);
        check_int(filch_queue_try_join(&queue), -EAGAIN);
        check_int(filch_queue_try_get(&queue, &value), 0);
        check_int(value, 2);
        filch_queue_task_done(&queue);
    }
    ends_with(&joiner, 0);
    check_int(filch_queue_length(&queue), 0);
    check_int(filch_queue_get(&queue, &value, FILCH_NEVER), -EPIPE);
    filch_queue_fini(&queue);
    return 0;
}

TEST(queue, shutdown_refuses_who_waits_to_put_and_drains_or_drops_the_rest) {
    for (int rest = FILCH_QUEUE_DRAIN; rest <= FILCH_QUEUE_DROP; rest++) {
        filch_queue_rest arg = (filch_queue_rest)rest;
        run_with_each(shut_full, &arg);
    }
    check_int(filch__heap_objects(), 0);
}

static int drop_late(void *arg) {
    (void)arg;
    filch_queue queue;
    struct call joiner;
    must_init(&queue, 0);
    for (int i = 0; i < 10; i++) must_put(&queue, i);
    check_int(must_get(&queue), 0);
    check_int(filch_queue_shutdown(&queue, FILCH_QUEUE_DRAIN), 0);
    check_int(must_get(&queue), 1);
    check_int(filch_queue_shutdown(&queue, FILCH_QUEUE_DROP), 0);
    begin(&joiner, call_join, &queue, 0);
    until_joiners(&queue, 1);
    filch_queue_task_done(&queue); /* the two that were got are not dropped, and not done by it */
    check_int(filch_queue_try_join(&queue), -EAGAIN);
    filch_queue_task_done(&queue);
    ends_with(&joiner, 0);
    filch_queue_fini(&queue);
    return 0;
}

TEST(queue, a_second_shutdown_drops_what_the_first_left) {
    run_with_each(drop_late, NULL);
}

/* ------------------------------------------------------------------------------------------------- conservation */

enum { MEMBERS = CROWD_TASKS + CROWD_THREADS, VALUES_EACH = 300 / TEST_SCALE };

struct traffic {
    filch_queue queue;
    atomic_long next; /* value */
    atomic_uchar put[MEMBERS * VALUES_EACH], got[MEMBERS * VALUES_EACH];
    long plain[MEMBERS * VALUES_EACH]; /* the queue alone orders these */
};

static void note_got(struct traffic *traffic, long value) {
    check(value >= 0 && value < MEMBERS * VALUES_EACH);
    check_int(traffic->plain[value], value + 1);
    check_int(atomic_fetch_add(&traffic->got[value], 1), 0);
    filch_queue_task_done(&traffic->queue);
}

static filch_deadline some_deadline(uint32_t *random) {
    return filch_after(chance(random, 3) ? FILCH_MS(5) : chance(random, 30) * 1000);
}

static int put_one(struct traffic *traffic, uint32_t *random) {
    long value = atomic_fetch_add(&traffic->next, 1);
    if (value >= MEMBERS * VALUES_EACH) return 0;
    traffic->plain[value] = value + 1;
    int answer = chance(random, 4) ? filch_queue_put(&traffic->queue, &value, some_deadline(random))
                                   : filch_queue_try_put(&traffic->queue, &value);
    if (answer == 0) atomic_fetch_add(&traffic->put[value], 1);
    return answer;
}

static int get_one(struct traffic *traffic, uint32_t *random) {
    long value = -1;
    int answer = chance(random, 4) ? filch_queue_get(&traffic->queue, &value, some_deadline(random))
                                   : filch_queue_try_get(&traffic->queue, &value);
    if (answer == 0) note_got(traffic, value);
    return answer;
}

static void move_values(void *shared, uint32_t *random) {
    struct traffic *traffic = shared;
    for (int i = 0; i < 2 * VALUES_EACH; i++) {
        int answer = chance(random, 2) ? put_one(traffic, random) : get_one(traffic, random);
        check(answer == 0 || answer == -ETIMEDOUT || answer == -EAGAIN || answer == -ECANCELED);
        if (answer == -ECANCELED) return;
    }
}

struct kind {
    filch_queue_options options;
    bool cancel;
};

static int move_all(void *arg) {
    const struct kind *kind = arg;
    struct traffic *traffic = calloc(1, sizeof *traffic);
    check(traffic != NULL);
    check_int(filch_queue_init(&traffic->queue, sizeof(long), &kind->options), 0);
    crowd(move_values, traffic, kind->cancel);
    long value;
    while (filch_queue_try_get(&traffic->queue, &value) == 0) note_got(traffic, value);
    long moved = 0;
    for (int i = 0; i < MEMBERS * VALUES_EACH; i++) {
        check_int(traffic->got[i], traffic->put[i]);
        moved += traffic->got[i];
    }
    check(moved > 0);
    check_int(filch_queue_join(&traffic->queue, at_once), 0);
    filch_queue_fini(&traffic->queue);
    free(traffic);
    return 0;
}

TEST(queue, what_is_put_is_got_once) {
    for (int which = 0; which < 12; which++) {
        struct kind kind = {{.order = (filch_queue_order)(which % 3)}, which / 3 % 2};
        if (kind.options.order == FILCH_QUEUE_PRIORITY) kind.options.compare = compare_longs;
        if (which >= 6) kind.options.capacity = 3;
        run_with_each(move_all, &kind);
    }
    check_int(filch__heap_objects(), 0);
}

/* From several putters each value comes in its putter's order: through getters that are woken, too. */
struct streams {
    filch_queue queue;
    int each;
    atomic_int next_putter;
};

static int put_stream(void *arg) {
    struct streams *streams = arg;
    long putter = atomic_fetch_add(&streams->next_putter, 1);
    for (int i = 0; i < streams->each; i++) must_put(&streams->queue, putter * 100000 + i);
    return 0;
}

static void *put_stream_thread(void *arg) {
    put_stream(arg);
    return NULL;
}

static int get_streams(void *arg) {
    struct streams streams = {.each = 1000 / TEST_SCALE};
    filch_task *putters[4];
    pthread_t thread;
    int next[5] = {0};
    must_init(&streams.queue, *(size_t *)arg);
    for (int i = 0; i < 4; i++) putters[i] = start(put_stream, &streams);
    check_int(pthread_create(&thread, NULL, put_stream_thread, &streams), 0);
    for (int i = 0; i < 5 * streams.each; i++) {
        long value = must_get(&streams.queue);
        check_int(value % 100000, next[value / 100000]++);
    }
    for (int i = 0; i < 4; i++) check_int(result_of(putters[i]), 0);
    pthread_join(thread, NULL);
    filch_queue_fini(&streams.queue);
    return 0;
}

TEST(queue, values_of_one_putter_come_in_its_order) {
    for (size_t capacity = 0; capacity < 10; capacity += 3) run_with_each(get_streams, &capacity);
}

/* --------------------------------------------------------------------------------------------------- exhaustion */

/* The n-th request for memory fails, for each n: that put answers, and nothing else is amiss. */
TEST(queue, a_put_without_memory_puts_nothing) {
    enum { PUTS = 2000 };
    uint64_t requests = PUTS;
    for (uint64_t nth = 1; nth <= requests; nth += nth < 50 ? 1 : 97) {
        filch_queue queue;
        must_init(&queue, 0);
        long next = 0, want = 0;
        filch__alloc_fail(nth, false);
        for (long i = 0; i < PUTS; i++) {
            int answer = i % 2 ? filch_queue_try_put(&queue, &next) : filch_queue_put(&queue, &next, at_once);
            check(answer == 0 || (answer == -ENOMEM && want++ == 0));
            if (answer == 0) next++;
        }
        requests = filch__alloc_requests();
        filch__alloc_fail(0, false);
        check_int(want, 1);
        check_int(filch_queue_length(&queue), next);
        for (long i = 0; i < next; i++) {
            check_int(must_get(&queue), i);
            filch_queue_task_done(&queue);
        }
        check_int(filch_queue_try_join(&queue), 0);
        filch_queue_fini(&queue);
        check_int(filch__heap_objects(), 0);
    }
}

TEST(queue, what_is_inside_can_be_got_without_memory) {
    filch_queue queue;
    long value = 0;
    must_init(&queue, 0);
    for (long i = 0; i < 100; i++) must_put(&queue, i);
    filch__alloc_fail(1, true);
    check_int(filch_queue_put(&queue, &value, at_once), -ENOMEM);
    for (long i = 0; i < 100; i++) check_int(must_get(&queue), i);
    check_int(filch_queue_put(&queue, &value, at_once), 0); /* from what the gets have left */
    filch__alloc_fail(0, false);
    filch_queue_fini(&queue);
    check_int(filch__heap_objects(), 0);
}

/* ------------------------------------------------------------------------------------------------------- misuse */

TEST_DIES(queue, more_done_than_put_aborts, "more values done than were put") {
    filch_queue queue;
    must_init(&queue, 0);
    must_put(&queue, 1);
    must_get(&queue);
    filch_queue_task_done(&queue);
    filch_queue_task_done(&queue);
}

static int end_while_waited_at(void *arg) {
    filch_queue queue;
    struct call call;
    must_init(&queue, 1);
    must_put(&queue, 1);
    filch_fn *fn = *(filch_fn **)arg;
    if (fn == call_get) must_get(&queue);
    begin(&call, fn, &queue, 2);
    if (fn == call_get) until_getters(&queue, 1);
    if (fn == call_put) until_putters(&queue, 1);
    if (fn == call_join) until_joiners(&queue, 1);
    filch_queue_fini(&queue);
    return 0;
}

TEST_DIES(queue, ending_one_with_getters_aborts, "ended while somebody waits") {
    filch_fn *fn = call_get;
    run_with(1, end_while_waited_at, &fn);
}

TEST_DIES(queue, ending_one_with_putters_aborts, "ended while somebody waits") {
    filch_fn *fn = call_put;
    run_with(1, end_while_waited_at, &fn);
}

TEST_DIES(queue, ending_one_with_joiners_aborts, "ended while somebody waits") {
    filch_fn *fn = call_join;
    run_with(1, end_while_waited_at, &fn);
}
