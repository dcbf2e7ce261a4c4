/* SPDX-License-Identifier: MIT */
/*
 * Trees of spawned tasks that are awaited with and without deadlines, detached, yielded and slept among, of random
 * shape. Every task must have run once, every result must be the right one, and the counters must agree at the end.
 */
#include <errno.h>

#include "stress/stress.h"

enum { CHILDREN_MAX = 8, DEPTH = 5 };

struct round {
    atomic_ullong spawned, ran, ended; /* `ended`: a task's last access to the round */
};

struct node {
    struct round *round;
    struct filch__random random;
    int depth;
    int result;
};

static int run_node(void *arg);

/* A detached task owns its node. */
static int run_detached(void *arg) {
    int result = run_node(arg);
    free(arg);
    return result;
}

static void await_node(filch_task *task, struct node *node, struct filch__random *random) {
    int result = -1, answer;
    do {
        filch_deadline deadline = below(random, 3) == 0 ? filch_after(below(random, 40000)) : FILCH_NEVER;
        if (below(random, 16) == 0) deadline = (filch_deadline){0};
        answer = filch_await(task, &result, deadline);
        must(answer == 0 || answer == -ETIMEDOUT);
        if (answer == -ETIMEDOUT && below(random, 2) == 0) filch_yield();
    } while (answer != 0);
    must(result == node->result);
}

static void spawn_children(struct node *node) {
    struct filch__random *random = &node->random;
    struct node children[CHILDREN_MAX];
    filch_task *tasks[CHILDREN_MAX] = {NULL};
    int count = 1 + (int)below(random, CHILDREN_MAX);
    for (int i = 0; i < count; i++) {
        children[i] =
            (struct node){.round = node->round, .depth = node->depth - 1, .result = (int)below(random, 1 << 30)};
        filch__random_init(&children[i].random, filch__random_next(random), (uint64_t)i);
        atomic_fetch_add_explicit(&node->round->spawned, 1, memory_order_relaxed);
        if (below(random, 8) == 0) {
            struct node *detached = malloc(sizeof *detached);
            must(detached != NULL);
            *detached = children[i];
            must(filch_spawn(NULL, run_detached, detached, NULL) == 0);
            continue;
        }
        filch_task_options options = {.name = "named", .stack_size = 128 << 10};
        must(filch_spawn(&tasks[i], run_node, &children[i], below(random, 64) == 0 ? &options : NULL) == 0);
        if (below(random, 16) == 0) filch_yield();
    }
    bool forward = below(random, 2) == 0;
    for (int i = 0; i < count; i++) {
        int which = forward ? i : count - 1 - i;
        if (tasks[which] != NULL) await_node(tasks[which], &children[which], random);
    }
}

static int run_node(void *arg) {
    struct node *node = arg;
    atomic_fetch_add_explicit(&node->round->ran, 1, memory_order_relaxed);
    if (below(&node->random, 32) == 0) filch_sleep(below(&node->random, 20000));
    if (node->depth > 0) spawn_children(node);
    atomic_fetch_add(&node->round->ended, 1);
    return node->result;
}

int main(int count, char **arguments) {
    stress_begin("spawn_storm", count, arguments);
    filch_runtime *runtime = stress_runtime();
    struct filch__random random = stress_random(0);
    uint64_t operations, all = 0;
    do {
        struct round round = {0};
        struct node root = {.round = &round, .random = random, .depth = DEPTH, .result = 7};
        filch__random_next(&random);
        filch_task *task;
        int result;
        must(filch_runtime_spawn(runtime, &task, run_node, &root, NULL) == 0);
        must(filch_await(task, &result, FILCH_NEVER) == 0);
        must(result == 7);
        /* Detached ones may still run. */
        while (atomic_load(&round.ended) != atomic_load(&round.spawned) + 1) usleep(50);
        operations = round.spawned + 1;
        must(round.ran == operations);
        all += operations;
    } while (stress_go_on(operations));
    must(filch_runtime_shutdown(runtime, FILCH_NEVER) == 0);
    filch_stats stats;
    must(filch_runtime_stats(runtime, &stats) == 0);
    must(stats.spawned == all && stats.completed == all);
    must(filch_runtime_destroy(runtime) == 0);
    return stress_end();
}
