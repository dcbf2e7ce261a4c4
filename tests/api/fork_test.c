/* SPDX-License-Identifier: MIT */
/*
 * Proves that each forked call is made once, whoever makes it, and that its join gives its result: in order, nested,
 * mixed with spawned tasks, when parent or child waits or moves, a million deep, and outside of tasks.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/api/workers.h"

/* ---------------------------------------------------------------------------------------------------------- fib */

struct fib {
    int n;
    long result;
};

static int fib_task(void *arg) {
    struct fib *fib = arg;
    if (fib->n < 2) {
        fib->result = fib->n;
        return 0;
    }
    struct fib left = {fib->n - 1, 0}, right = {fib->n - 2, 0};
    filch_frame frame;
    filch_fork(&frame, fib_task, &left);
    fib_task(&right);
    check_int(filch_join(&frame), 0);
    fib->result = left.result + right.result;
    return 0;
}

static long fib_inline(int n);

static int fib_inline_task(void *arg) {
    struct fib *fib = arg;
    fib->result = fib_inline(fib->n);
    return 5;
}

static long fib_inline(int n) {
    if (n < 2) return n;
    struct fib left = {n - 1, 0};
    filch_frame frame;
    filch_fork(&frame, fib_inline_task, &left);
    long right = fib_inline(n - 2);
    if (filch_reclaim(&frame)) return right + fib_inline(n - 1);
    check_int(filch_frame_result(&frame), 5);
    return right + left.result;
}

static int fib_both(void *arg) {
    (void)arg;
    struct fib fib = {TEST_SCALE > 1 ? 16 : 22, 0};
    check_int(fib_task(&fib), 0);
    check_int(fib.result, TEST_SCALE > 1 ? 987 : 17711);
    check_int(fib_inline(fib.n), fib.result);
    return 0;
}

TEST(fork, computes_fibonacci_numbers) {
    for (int i = 0; i < 5; i++) run_with_all(fib_both, NULL);
}

TEST(fork, outside_of_tasks_the_join_makes_the_call) {
    check_int(fib_both(NULL), 0);
}

/* ------------------------------------------------------------------------------------------------ order and results */

static int negate(void *arg) {
    return -*(int *)arg;
}

static int each_result_is_its_own(void *arg) {
    (void)arg;
    enum { COUNT = 700 };
    static const int edges[] = {0, 1, -1, INT32_MAX, -INT32_MAX};
    int values[COUNT];
    filch_frame *frames = malloc(COUNT * sizeof *frames);
    check(frames != NULL);
    for (int i = 0; i < COUNT; i++) {
        values[i] = i < 5 ? edges[i] : i * 31;
        filch_fork(&frames[i], negate, &values[i]);
    }
    for (int i = COUNT - 1; i >= 0; i--) {
        if (i % 2 == 0) {
            check_int(filch_join(&frames[i]), -values[i]);
        } else {
            int result = filch_reclaim(&frames[i]) ? negate(&values[i]) : filch_frame_result(&frames[i]);
            check_int(result, -values[i]);
        }
    }
    free(frames);
    return 0;
}

TEST(fork, many_frames_are_joined_last_first_each_with_its_result) {
    for (int i = 0; i < 10; i++) run_with_all(each_result_is_its_own, NULL);
    check_int(each_result_is_its_own(NULL), 0);
}

struct order {
    int *next;
    int mine;
};

static int note_order(void *arg) {
    struct order *order = arg;
    check_int(*order->next, order->mine);
    --*order->next;
    return 0;
}

static int joins_call_in_order(void *arg) {
    (void)arg;
    int next = 49;
    struct order orders[50];
    filch_frame frames[50];
    for (int i = 0; i < 50; i++) {
        orders[i] = (struct order){&next, i};
        filch_fork(&frames[i], note_order, &orders[i]);
    }
    for (int i = 49; i >= 0; i--) {
        check_int(next, i); /* not before its join: there is no one else */
        check_int(filch_join(&frames[i]), 0);
    }
    return 0;
}

TEST(fork, with_one_worker_each_join_makes_its_call) {
    run_with(1, joins_call_in_order, NULL);
    check_int(joins_call_in_order(NULL), 0);
}

/* A fork carries what was written before it, and a join what the child wrote: plain accesses, for the sanitizer. */
struct cell {
    long in, out;
};

static int square_cell(void *arg) {
    struct cell *cell = arg;
    cell->out = cell->in * cell->in;
    return 0;
}

static int plain_data(void *arg) {
    (void)arg;
    struct cell cells[40];
    filch_frame frames[40];
    for (long round = 0; round < 200 / TEST_SCALE; round++) {
        for (int i = 0; i < 40; i++) {
            cells[i] = (struct cell){round + i, 0};
            filch_fork(&frames[i], square_cell, &cells[i]);
        }
        for (int i = 39; i >= 0; i--) {
            check_int(filch_join(&frames[i]), 0);
            check_int(cells[i].out, cells[i].in * cells[i].in);
        }
    }
    return 0;
}

TEST(fork, fork_and_join_carry_plain_data) {
    run_with_all(plain_data, NULL);
}

/* ------------------------------------------------------------------------------------------------------- strands */

static int self_is(void *arg) {
    check(filch_self() == arg);
    filch_yield();
    check(filch_self() == arg);
    filch_frame frame;
    return arg == NULL ? 0 : (filch_fork(&frame, negate, &(int){3}), filch_join(&frame) + 3);
}

static int strands_share_self(void *arg) {
    (void)arg;
    filch_frame frames[30];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 30; i++) filch_fork(&frames[i], self_is, filch_self());
        if (round % 2 == 0) filch_yield();
        for (int i = 29; i >= 0; i--) check_int(filch_join(&frames[i]), 0);
    }
    return 0;
}

TEST(fork, children_are_strands_of_the_same_task) {
    run_with_all(strands_share_self, NULL);
}

/* -------------------------------------------------------------------------------------------- who waits, who moves */

static int sleep_a_little(void *arg) {
    filch_sleep(*(int *)arg * 1000);
    return *(int *)arg;
}

static int yield_a_little(void *arg) {
    for (int i = 0; i < *(int *)arg; i++) filch_yield();
    return *(int *)arg;
}

static int await_a_little(void *arg) {
    filch_task *task;
    int result;
    check_int(filch_spawn(&task, yield_a_little, arg, NULL), 0);
    check_int(filch_await(task, &result, *(int *)arg % 2 == 0 ? FILCH_NEVER : filch_after(FILCH_SEC(1000))), 0);
    return result;
}

static int children_wait(void *arg) {
    (void)arg;
    static filch_fn *const kinds[] = {sleep_a_little, yield_a_little, await_a_little, negate};
    int values[40];
    filch_frame frames[40];
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 40; i++) {
            values[i] = i % 11;
            filch_fork(&frames[i], kinds[(i + round) % 4], &values[i]);
        }
        if (round % 2 == 1) filch_yield();
        if (round % 4 == 2) filch_sleep(20000);
        for (int i = 39; i >= 0; i--) {
            check_int(filch_join(&frames[i]), (i + round) % 4 == 3 ? -values[i] : values[i]);
        }
    }
    return 0;
}

TEST(fork, children_may_sleep_yield_and_await_and_so_may_parents) {
    run_with_all(children_wait, NULL);
}

/* Between fork and join the parent waits, so that its own worker, the only one, makes the call meanwhile. */
static int note_it(void *arg) {
    *(bool *)arg = true;
    return 77;
}

static int parent_waits(void *arg) {
    (void)arg;
    for (int i = 0; i < 100; i++) {
        bool called = false;
        filch_frame frame;
        filch_fork(&frame, note_it, &called);
        while (!called) filch_yield();
        check_int(filch_join(&frame), 77);
        called = false;
        filch_fork(&frame, note_it, &called);
        while (!called) filch_sleep(FILCH_US(50));
        check(!filch_reclaim(&frame));
        check_int(filch_frame_result(&frame), 77);
    }
    return 0;
}

TEST(fork, while_the_parent_waits_its_worker_makes_the_call) {
    run_with(1, parent_waits, NULL);
}

/* The child goes on on another thread than it began on, and the parent with it. */
static __attribute__((noinline)) long thread_id(void) {
    return syscall(SYS_gettid);
}

static int move_about(void *arg) {
    long first = thread_id();
    for (int i = 0; i < 50; i++) {
        filch_yield();
        if (thread_id() != first) atomic_fetch_add((atomic_uint *)arg, 1);
    }
    return 9;
}

static int children_move(void *arg) {
    filch_frame frames[16];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 16; i++) filch_fork(&frames[i], move_about, arg);
        for (int i = 15; i >= 0; i--) check_int(filch_join(&frames[i]), 9);
    }
    return 0;
}

TEST(fork, children_may_move_to_other_workers) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        atomic_uint moved = 0;
        filch_options options = {.workers = test_workers[i], .no_monitor = true}; /* a spare would be another worker */
        check_int(filch_run(children_move, &moved, &options), 0);
        if (test_workers[i] == 1) check_int(moved, 0);
    }
}

/* -------------------------------------------------------------------------------------------- forks above and below */

static int return_it(void *arg) {
    return *(int *)arg;
}

/* A task that was spawned after the fork lies above the frame, and is put aside by the join. */
static int tasks_above_frames(void *arg) {
    (void)arg;
    int values[64];
    filch_frame frames[64];
    filch_task *tasks[64];
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 64; i++) {
            values[i] = i + 1;
            filch_fork(&frames[i], return_it, &values[i]);
            check_int(filch_spawn(&tasks[i], return_it, &values[i], NULL), 0);
        }
        for (int i = 63; i >= 0; i--) {
            check_int(filch_join(&frames[i]), i + 1);
            int result;
            if (i % 2 == 0) continue;
            check_int(filch_await(tasks[i], &result, FILCH_NEVER), 0);
            check_int(result, i + 1);
        }
        for (int i = 0; i < 64; i += 2) {
            int result;
            check_int(filch_await(tasks[i], &result, FILCH_NEVER), 0);
            check_int(result, i + 1);
        }
    }
    return 0;
}

TEST(fork, tasks_spawned_between_fork_and_join_are_put_aside_not_lost) {
    run_with_all(tasks_above_frames, NULL);
}

/* A frame of another strand lies above: the strand's join waits for whoever took it from the run queue. */
struct overlap {
    atomic_int stage;
};

static int fork_and_linger(void *arg) {
    struct overlap *overlap = arg;
    filch_frame frame;
    int value = 6;
    filch_fork(&frame, return_it, &value);
    int stage = atomic_fetch_add(&overlap->stage, 1);
    while (atomic_load(&overlap->stage) < 2 + stage) filch_yield();
    return filch_join(&frame);
}

static int strands_overlap(void *arg) {
    (void)arg;
    for (int i = 0; i < 50; i++) {
        struct overlap overlap = {0};
        filch_task *tasks[2];
        for (int k = 0; k < 2; k++) check_int(filch_spawn(&tasks[k], fork_and_linger, &overlap, NULL), 0);
        while (atomic_load(&overlap.stage) < 2) filch_yield();
        atomic_fetch_add(&overlap.stage, 1);
        for (int k = 0; k < 2; k++) {
            int result;
            check_int(filch_await(tasks[k], &result, FILCH_NEVER), 0);
            check_int(result, 6);
        }
    }
    return 0;
}

TEST(fork, frames_of_two_strands_in_one_deque_are_each_joined_by_their_own) {
    run_with_all(strands_overlap, NULL);
}

/* A random tree of forks, reclaims, spawns, yields and sleeps; conservation of its leaves is the verdict. */
struct node {
    uint64_t seed;
    int depth;
    long leaves;
};

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int grow(void *arg) {
    struct node *node = arg, children[3];
    if (node->depth == 0) {
        node->leaves = 1;
        return 0;
    }
    uint64_t seed = node->seed;
    uint64_t kind = next_random(&seed) % 4;
    filch_frame frames[3];
    filch_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        children[i] = (struct node){next_random(&seed) | 1, node->depth - 1, 0};
        if (kind == 0 || (kind == 3 && i < 2)) filch_fork(&frames[i], grow, &children[i]);
        if (kind == 1 || (kind == 2 && i > 0)) check_int(filch_spawn(&tasks[i], grow, &children[i], NULL), 0);
    }
    if (next_random(&seed) % 8 == 0) filch_yield();
    if (next_random(&seed) % 32 == 0) filch_sleep((int64_t)(next_random(&seed) % 30000));
    for (int i = 2; i >= 0; i--) {
        if (kind == 0) {
            check_int(filch_join(&frames[i]), 0);
        } else if (kind == 1 || (kind == 2 && i > 0)) {
            filch_deadline deadline = next_random(&seed) % 2 ? FILCH_NEVER : filch_after(1000);
            while (filch_await(tasks[i], NULL, deadline) == -ETIMEDOUT) deadline = filch_after(5000);
        } else if (kind == 2 || i == 2 || filch_reclaim(&frames[i])) {
            grow(&children[i]);
        }
    }
    node->leaves = children[0].leaves + children[1].leaves + children[2].leaves;
    return 0;
}

TEST(fork, random_trees_of_forks_and_spawns_keep_all_their_leaves) {
    uint64_t base = (uint64_t)filch_now() | 1;
    fprintf(stderr, "fork trees: seed %llu\n", (unsigned long long)base);
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        for (uint64_t round = 0; round < 10; round++) {
            struct node root = {base + 2 * round, TEST_SCALE > 1 ? 5 : 8, 0};
            run_with(test_workers[i], grow, &root);
            check_int(root.leaves, TEST_SCALE > 1 ? 243 : 6561);
        }
    }
}

/* --------------------------------------------------------------------------------------------------------- depth */

struct depth {
    long left, reached;
};

static int descend(void *arg) {
    struct depth *depth = arg;
    if (depth->left == 0) {
        depth->reached = 1;
        return 0;
    }
    struct depth child = {depth->left - 1, 0};
    filch_frame frame;
    filch_fork(&frame, descend, &child);
    check_int(filch_join(&frame), 0);
    depth->reached = child.reached + 1;
    return 0;
}

static long descend_inline(long left);

static int descend_inline_task(void *arg) {
    struct depth *depth = arg;
    depth->reached = descend_inline(depth->left);
    return 0;
}

static long descend_inline(long left) {
    if (left == 0) return 1;
    struct depth child = {left - 1, 0};
    filch_frame frame;
    filch_fork(&frame, descend_inline_task, &child);
    return 1 + (filch_reclaim(&frame) ? descend_inline(left - 1) : child.reached);
}

enum { DEPTH = 1000000 / TEST_SCALE };

TEST(fork, a_million_joins_deep) {
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        struct depth depth = {DEPTH, 0};
        run_with(workers, descend, &depth);
        check_int(depth.reached, DEPTH + 1);
    }
}

TEST(fork, a_million_reclaims_deep) {
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        struct depth depth = {DEPTH, 0};
        run_with(workers, descend_inline_task, &depth);
        check_int(depth.reached, DEPTH + 1);
    }
}
