/* SPDX-License-Identifier: MIT */
/*
 * Proves that a pair of transports carries each byte once and in order, whoever reads and writes and whatever cuts them
 * short; that its ends say the end and the break of a flow as the rules of transports have it; and that misuse ends
 * with a line that names it.
 */
#include <filch/pair.h>

#include "tests/io/bytes.h"

static void make(filch_transport ends[2], size_t capacity) {
    check_int(filch_pair_create(ends, capacity), 0);
}

/* ------------------------------------------------------------------------------------------------------- one caller */

TEST(pair, bad_arguments_are_refused) {
    filch_transport ends[2] = {{0}};
    check_int(filch_pair_create(NULL, 1), -EINVAL);
    check_int(filch_pair_create(ends, 0), -EINVAL);
    check_int(filch_pair_create(ends, FILCH_PAIR_CAPACITY_MAX + 1), -EINVAL);
    check(ends[0].ops == NULL && ends[1].ops == NULL);
}

TEST(pair, memory_goes_with_the_second_end) {
    size_t before = filch__heap_objects();
    for (int first = 0; first < 2; first++) {
        filch_transport ends[2];
        make(ends, 10);
        check_int(end_write(ends[1 - first], "ab", 2, at_once()), 2);
        end_over(ends[first]);
        check_int(filch__heap_objects(), before + 1);
        check_int(end_write(ends[1 - first], "ab", 2, at_once()), -EPIPE);
        end_over(ends[1 - first]);
        check_int(filch__heap_objects(), before);
    }
}

TEST(pair, without_memory_nothing_is_made) {
    filch_transport ends[2] = {{0}};
    size_t before = filch__heap_objects();
    filch__alloc_fail(1, false);
    check_int(filch_pair_create(ends, 10), -ENOMEM);
    filch__alloc_fail(0, false);
    check(ends[0].ops == NULL);
    check_int(filch__heap_objects(), before);
}

/* What a flow must hold. */
struct model {
    uint64_t written, read;
};

static void write_some(filch_transport end, struct model *model, size_t capacity, uint32_t *random) {
    enum { PARTS = 4, PART = 40 };
    unsigned char bytes[PARTS][PART];
    struct iovec parts[PARTS];
    int count = 1 + (int)chance(random, PARTS);
    size_t total = 0, room = capacity - (size_t)(model->written - model->read);
    for (int i = 0; i < count; i++) {
        parts[i] = (struct iovec){bytes[i], 1 + chance(random, PART)};
        fill_bytes(bytes[i], parts[i].iov_len, model->written + total);
        total += parts[i].iov_len;
    }
    ssize_t moved = end.ops->write(end.self, parts, count, at_once());
    if (room == 0) {
        check_int(moved, -ETIMEDOUT);
    } else {
        check_int(moved, total < room ? total : room);
        model->written += (size_t)moved;
    }
}

static void read_some(filch_transport end, struct model *model, uint32_t *random) {
    unsigned char bytes[100];
    size_t size = chance(random, sizeof bytes), inside = (size_t)(model->written - model->read);
    ssize_t moved = end_read(end, bytes, size, at_once());
    if (size > 0 && inside == 0) {
        check_int(moved, -ETIMEDOUT);
    } else {
        check_int(moved, size < inside ? size : inside);
        check_bytes(bytes, (size_t)moved, model->read);
        model->read += (size_t)moved;
    }
}

/* A random walk beside two pairs of counters. */
static int walk(void *arg) {
    size_t capacity = *(size_t *)arg;
    filch_transport ends[2];
    struct model models[2] = {{0}}; /* of what ends[i] writes */
    uint32_t random = 4711 + (uint32_t)capacity;
    make(ends, capacity);
    for (int i = 0; i < 40000 / TEST_SCALE; i++) {
        unsigned from = chance(&random, 2);
        if (chance(&random, 2) == 0) {
            write_some(ends[from], &models[from], capacity, &random);
        } else {
            read_some(ends[1 - from], &models[from], &random);
        }
    }
    check(models[0].read > 0 && models[1].read > 0);
    end_over(ends[0]);
    end_over(ends[1]);
    return 0;
}

TEST(pair, one_caller_sees_two_flows) {
    for (size_t i = 0; i < 4; i++) {
        size_t capacity = (size_t[]){1, 7, 64, 1000}[i];
        run_with(1, walk, &capacity);
        check_int(walk(&capacity), 0); /* from a thread that is no worker */
    }
}

/* ------------------------------------------------------------------------------------------------------------ waits */

struct call {
    filch_transport end;
    void *buffer;
    size_t size;
    filch_deadline deadline;
    atomic_bool begun;
    ssize_t answer;
};

static int call_read(void *arg) {
    struct call *call = arg;
    atomic_store(&call->begun, true);
    call->answer = end_read(call->end, call->buffer, call->size, call->deadline);
    return 0;
}

static int call_write(void *arg) {
    struct call *call = arg;
    atomic_store(&call->begun, true);
    call->answer = end_write(call->end, call->buffer, call->size, call->deadline);
    return 0;
}

/* Starts a call, and gives it the time to wait, mostly: what is checked holds if it comes too late for that, too. */
static filch_task *start_call(filch_fn *fn, struct call *call) {
    filch_task *task = start(fn, call);
    until(atomic_load(&call->begun));
    for (int i = 0; i < 10; i++) filch_yield();
    return task;
}

static int wait_for_bytes_and_room(void *arg) {
    (void)arg;
    filch_transport ends[2];
    char got[4] = "";
    make(ends, 2);
    struct call reading = {.end = ends[0], .buffer = got, .size = 4, .deadline = FILCH_NEVER};
    filch_task *task = start_call(call_read, &reading);
    check_int(end_write(ends[1], "ab", 2, FILCH_NEVER), 2);
    check_int(result_of(task), 0);
    check(reading.answer > 0 && memcmp(got, "ab", (size_t)reading.answer) == 0);
    while (end_write(ends[1], "cd", 2, at_once()) > 0) continue; /* until it is full */
    struct call writing = {.end = ends[1], .buffer = "ef", .size = 2, .deadline = FILCH_NEVER};
    task = start_call(call_write, &writing);
    check_int(end_read(ends[0], got, 1, FILCH_NEVER), 1);
    check_int(result_of(task), 0);
    check_int(writing.answer, 1);
    end_over(ends[0]);
    end_over(ends[1]);
    return 0;
}

TEST(pair, who_reads_waits_for_bytes_and_who_writes_for_room) {
    run_with_each(wait_for_bytes_and_room, NULL);
}

static int be_cut_short(void *arg) {
    (void)arg;
    filch_transport ends[2];
    char got[8];
    filch_scope scope;
    make(ends, 4);
    check_int(end_write(ends[0], "abcd", 4, at_once()), 4);
    check_int(end_write(ends[0], "efgh", 4, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check_int(end_read(ends[0], got, 8, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(FILCH_MS(1))}), 0);
    check_int(end_write(ends[0], "efgh", 4, FILCH_NEVER), -ECANCELED);
    check_int(end_read(ends[1], got, 8, FILCH_NEVER), -ECANCELED);     /* though there is something */
    check_int(end_write(ends[1], "efgh", 4, FILCH_NEVER), -ECANCELED); /* though there is room */
    check_int(ends[0].ops->shutdown(ends[0].self, FILCH_NEVER), -ECANCELED);
    check_int(filch_scope_close(&scope), -ETIMEDOUT);
    check_int(end_read(ends[1], got, 8, at_once()), 4); /* and nothing else came */
    check(memcmp(got, "abcd", 4) == 0);
    end_over(ends[0]);
    end_over(ends[1]);
    return 0;
}

TEST(pair, what_is_cut_short_has_moved_nothing) {
    run_with_each(be_cut_short, NULL);
}

/* ----------------------------------------------------------------------------------------------- shutdown and close */

static int shut_one_way(void *arg) {
    (void)arg;
    filch_transport ends[2];
    char got[8];
    make(ends, 4);
    check_int(end_write(ends[0], "abc", 3, at_once()), 3);
    check_int(ends[0].ops->shutdown(ends[0].self, FILCH_NEVER), 0);
    check_int(ends[0].ops->shutdown(ends[0].self, FILCH_NEVER), 0);
    check_int(end_write(ends[0], "d", 1, at_once()), -EPIPE);
    check_int(end_read(ends[1], got, 8, at_once()), 3);
    check_int(end_read(ends[1], got, 8, at_once()), 0);
    check_int(end_write(ends[1], "xyz", 3, at_once()), 3); /* the other way goes on */
    check_int(end_read(ends[0], got, 8, at_once()), 3);
    struct call reading = {.end = ends[0], .buffer = got, .size = 4, .deadline = FILCH_NEVER};
    filch_task *task = start_call(call_read, &reading);
    check_int(ends[1].ops->shutdown(ends[1].self, FILCH_NEVER), 0);
    check_int(result_of(task), 0);
    check_int(reading.answer, 0);
    end_over(ends[0]);
    check_int(ends[1].ops->shutdown(ends[1].self, FILCH_NEVER), 0);
    ends[1].ops->close(ends[1].self);
    check_int(ends[1].ops->shutdown(ends[1].self, FILCH_NEVER), -EBADF);
    ends[1].ops->destroy(ends[1].self);
    return 0;
}

TEST(pair, after_a_shutdown_the_rest_is_read_and_then_the_end) {
    run_with_each(shut_one_way, NULL);
}

static int close_under_calls(void *arg) {
    (void)arg;
    filch_transport ends[2];
    char got[3][8];
    make(ends, 4);
    check_int(end_write(ends[0], "abcd", 4, at_once()), 4);
    check_int(end_write(ends[1], "abcd", 4, at_once()), 4);
    struct call own_write = {.end = ends[0], .buffer = "e", .size = 1, .deadline = FILCH_NEVER};
    struct call other_write = {.end = ends[1], .buffer = "e", .size = 1, .deadline = FILCH_NEVER};
    filch_task *tasks[2] = {start_call(call_write, &own_write), start_call(call_write, &other_write)};
    ends[0].ops->close(ends[0].self);
    ends[0].ops->close(ends[0].self); /* once more is nothing */
    check_int(result_of(tasks[0]), 0);
    check_int(result_of(tasks[1]), 0);
    check_int(own_write.answer, -EBADF);
    check_int(other_write.answer, -EPIPE);
    check_int(end_read(ends[0], got[0], 8, at_once()), -EBADF);
    check_int(end_read(ends[0], got[0], 0, at_once()), -EBADF);
    check_int(end_write(ends[0], "f", 1, at_once()), -EBADF);
    check_int(end_read(ends[1], got[1], 8, at_once()), 4); /* what was written before is still there */
    check_int(end_read(ends[1], got[1], 8, FILCH_NEVER), 0);
    ends[0].ops->destroy(ends[0].self);
    end_over(ends[1]);
    return 0;
}

TEST(pair, a_close_wakes_who_waits_at_either_end) {
    run_with_each(close_under_calls, NULL);
}

static int close_under_reads(void *arg) {
    (void)arg;
    filch_transport ends[2];
    char got[2][8];
    make(ends, 4);
    struct call own = {.end = ends[0], .buffer = got[0], .size = 8, .deadline = FILCH_NEVER};
    struct call other = {.end = ends[1], .buffer = got[1], .size = 8, .deadline = FILCH_NEVER};
    filch_task *tasks[2] = {start_call(call_read, &own), start_call(call_read, &other)};
    ends[0].ops->close(ends[0].self);
    check_int(result_of(tasks[0]), 0);
    check_int(result_of(tasks[1]), 0);
    check_int(own.answer, -EBADF);
    check_int(other.answer, 0);
    ends[0].ops->destroy(ends[0].self);
    end_over(ends[1]);
    return 0;
}

TEST(pair, a_close_wakes_who_reads) {
    run_with_each(close_under_reads, NULL);
}

/* ----------------------------------------------------------------------------------------------------- conservation */

/* A flow from one end to the other: whoever writes and reads it counts what has moved. */
struct flow {
    filch_transport from, to;
    uint64_t goal;
    bool cut; /* the calls are cut short now and then */
    uint64_t written, read, cuts;
};

/* A deadline that is near, mostly too near; or none. */
static filch_deadline near_deadline(bool cut, uint32_t *random) {
    if (!cut || chance(random, 3) == 0) return FILCH_NEVER;
    return filch_after(chance(random, 20) * 1000);
}

static void write_flow(struct flow *flow, uint32_t random) {
    unsigned char bytes[300];
    while (flow->written < flow->goal) {
        size_t size = 1 + chance(&random, sizeof bytes);
        if (size > flow->goal - flow->written) size = (size_t)(flow->goal - flow->written);
        fill_bytes(bytes, size, flow->written);
        ssize_t moved = end_write(flow->from, bytes, size, near_deadline(flow->cut, &random));
        if (moved == -ETIMEDOUT && flow->cut) continue;
        check(moved > 0);
        flow->written += (size_t)moved;
    }
    check_int(flow->from.ops->shutdown(flow->from.self, FILCH_NEVER), 0);
}

static void read_flow(struct flow *flow, uint32_t random) {
    unsigned char bytes[300];
    for (;;) {
        ssize_t moved = end_read(flow->to, bytes, 1 + chance(&random, sizeof bytes), near_deadline(flow->cut, &random));
        if (moved == -ETIMEDOUT && flow->cut) {
            flow->cuts++;
            continue;
        }
        check(moved >= 0);
        if (moved == 0) return;
        check_bytes(bytes, (size_t)moved, flow->read);
        flow->read += (size_t)moved;
    }
}

static int write_task(void *arg) {
    write_flow(arg, 99);
    return 0;
}

static int read_task(void *arg) {
    read_flow(arg, 77);
    return 0;
}

static void *write_thread(void *arg) {
    write_flow(arg, 55);
    return NULL;
}

static void *read_thread(void *arg) {
    read_flow(arg, 33);
    return NULL;
}

/* One direction by two tasks, the other from a thread to a task and then the other way round. */
static int both_ways(void *arg) {
    bool cut = *(bool *)arg;
    for (int round = 0; round < 2; round++) {
        filch_transport ends[2];
        make(ends, round == 0 ? 7 : 1000);
        struct flow flows[2] = {
            {.from = ends[0], .to = ends[1], .goal = 60000 / TEST_SCALE, .cut = cut},
            {.from = ends[1], .to = ends[0], .goal = 60000 / TEST_SCALE, .cut = cut},
        };
        pthread_t thread;
        filch_task *tasks[3] = {start(write_task, &flows[0]), start(read_task, &flows[0]),
                                start(round == 0 ? read_task : write_task, &flows[1])};
        check_int(pthread_create(&thread, NULL, round == 0 ? write_thread : read_thread, &flows[1]), 0);
        for (int i = 0; i < 3; i++) check_int(result_of(tasks[i]), 0);
        filch_block_begin();
        pthread_join(thread, NULL);
        filch_block_end();
        for (int i = 0; i < 2; i++) check_int(flows[i].read, flows[i].goal);
        end_over(ends[0]);
        end_over(ends[1]);
    }
    return 0;
}

TEST(pair, every_byte_arrives_once_and_in_order) {
    run_with_each(both_ways, &(bool){false});
}

TEST(pair, deadlines_neither_lose_nor_double_a_byte) {
    run_with_each(both_ways, &(bool){true});
}

/* A flow whose reader and writer are cancelled at random points, and go on in a new scope. */
static int be_cancelled_often(void *arg) {
    struct flow *flow = arg;
    uint32_t random = 31 + (uint32_t)(flow->to.self == NULL);
    unsigned char bytes[300];
    bool writes = flow->to.self == NULL;
    while (writes ? flow->written < flow->goal : flow->read < flow->goal) {
        filch_scope scope;
        filch_deadline soon = filch_after(chance(&random, 300) * 100);
        check_int(filch_scope_open(&scope, &(filch_scope_options){.deadline = soon}), 0);
        ssize_t moved;
        do {
            size_t size = 1 + chance(&random, sizeof bytes);
            if (writes && size > flow->goal - flow->written) size = (size_t)(flow->goal - flow->written);
            if (writes) fill_bytes(bytes, size, flow->written);
            moved = size == 0 ? -ECANCELED
                    : writes  ? end_write(flow->from, bytes, size, FILCH_NEVER)
                              : end_read(flow->to, bytes, size, FILCH_NEVER);
            if (moved > 0 && !writes) check_bytes(bytes, (size_t)moved, flow->read);
            if (moved > 0) *(writes ? &flow->written : &flow->read) += (size_t)moved;
        } while (moved > 0 && (writes ? flow->written : flow->read) < flow->goal);
        check(moved > 0 || moved == -ECANCELED);
        if (moved == -ECANCELED) flow->cuts++;
        filch_scope_close(&scope);
    }
    return 0;
}

static int cancel_often(void *arg) {
    (void)arg;
    filch_transport ends[2];
    make(ends, 64);
    struct flow sender = {.from = ends[0], .goal = 100000 / TEST_SCALE},
                receiver = {.to = ends[1], .goal = sender.goal};
    filch_task *tasks[2] = {start(be_cancelled_often, &sender), start(be_cancelled_often, &receiver)};
    check_int(result_of(tasks[0]), 0);
    check_int(result_of(tasks[1]), 0);
    check_int(receiver.read, sender.written);
    end_over(ends[0]);
    end_over(ends[1]);
    return 0;
}

TEST(pair, cancellation_neither_loses_nor_doubles_a_byte) {
    run_with_each(cancel_often, NULL);
}

/* ----------------------------------------------------------------------------------------------------------- misuse */

static int read_twice(void *arg) {
    (void)arg;
    filch_transport ends[2];
    char got[2][2];
    make(ends, 4);
    struct call call = {.end = ends[0], .buffer = got[0], .size = 2, .deadline = FILCH_NEVER};
    start_call(call_read, &call);
    return (int)end_read(ends[0], got[1], 2, FILCH_NEVER);
}

TEST_DIES(pair, two_readers_of_an_end_abort, "is read by two at once") {
    run_with(2, read_twice, NULL);
}

static int write_twice(void *arg) {
    (void)arg;
    filch_transport ends[2];
    make(ends, 1);
    check_int(end_write(ends[0], "a", 1, at_once()), 1);
    struct call call = {.end = ends[0], .buffer = "b", .size = 1, .deadline = FILCH_NEVER};
    start_call(call_write, &call);
    return (int)end_write(ends[0], "c", 1, FILCH_NEVER);
}

TEST_DIES(pair, two_writers_of_an_end_abort, "is written by two at once") {
    run_with(2, write_twice, NULL);
}
