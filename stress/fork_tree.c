/* SPDX-License-Identifier: MIT */
/*
 * Random trees of forked calls, joined by filch_join and filch_reclaim, mixed with spawned tasks, with parents and
 * children that yield and sleep, and now and then a deep chain. All leaves must be counted.
 */
#include "stress/stress.h"

enum { DEPTH = 9, CHAIN = 2000 };

struct node {
    uint64_t seed;
    int depth;
    uint64_t leaves;
};

static int grow(void *arg);

static int chain(void *arg) {
    struct node *node = arg, child = {node->seed, node->depth - 1, 0};
    if (node->depth == 0) {
        node->leaves = 1;
        return 0;
    }
    filch_frame frame;
    filch_fork(&frame, chain, &child);
    if (node->depth % 512 == 0) filch_yield();
    if (filch_reclaim(&frame)) {
        chain(&child);
    } else {
        must(filch_frame_result(&frame) == 0);
    }
    node->leaves = child.leaves;
    return 0;
}

enum kind { FORKS, RECLAIMS, SPAWNS, MIXED, KINDS };

static void grow_children(struct node *node, struct node *children, struct filch__random *random) {
    enum kind kind = below(random, KINDS);
    filch_frame frames[3];
    filch_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        children[i] = (struct node){filch__random_next(random), node->depth - 1, 0};
        bool spawn = kind == SPAWNS || (kind == MIXED && i % 2 == 1);
        if (spawn) {
            must(filch_spawn(&tasks[i], grow, &children[i], NULL) == 0);
        } else {
            filch_fork(&frames[i], grow, &children[i]);
        }
        if (below(random, 16) == 0) filch_yield();
    }
    if (below(random, 64) == 0) filch_sleep(below(random, 30000));
    for (int i = 2; i >= 0; i--) {
        int result = 0;
        if (kind == SPAWNS || (kind == MIXED && i % 2 == 1)) {
            must(filch_await(tasks[i], &result, FILCH_NEVER) == 0);
        } else if (kind == RECLAIMS) {
            result = filch_reclaim(&frames[i]) ? grow(&children[i]) : filch_frame_result(&frames[i]);
        } else {
            result = filch_join(&frames[i]);
        }
        must(result == children[i].depth);
    }
}

static int grow(void *arg) {
    struct node *node = arg;
    if (node->depth == 0) {
        node->leaves = 1;
        return 0;
    }
    struct filch__random random;
    filch__random_init(&random, node->seed, 1);
    struct node children[3];
    grow_children(node, children, &random);
    node->leaves = children[0].leaves + children[1].leaves + children[2].leaves;
    if (below(&random, 256) == 0) {
        struct node deep = {0, CHAIN, 0};
        must(chain(&deep) == 0 && deep.leaves == 1);
    }
    return node->depth;
}

static int main_task(void *arg) {
    struct filch__random *random = arg;
    uint64_t leaves = 1;
    int depth = 3 + (int)below(random, DEPTH - 3);
    for (int i = 0; i < depth; i++) leaves *= 3;
    do {
        struct node root = {filch__random_next(random), depth, 0};
        must(grow(&root) == depth);
        must(root.leaves == leaves);
    } while (stress_go_on(leaves) && below(random, 20) != 0);
    return 0;
}

int main(int count, char **arguments) {
    stress_begin("fork_tree", count, arguments);
    struct filch__random random = stress_random(0);
    do {
        stress_run(main_task, &random);
    } while (stress_go_on(0));
    return stress_end();
}
