/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "../common/pool.h"
#include "../common/thread.h"
#include "uts.h"

/* Children of a node; more than a few stand on the heap. */
enum { FEW = 8 };

struct walk {
    const struct uts_tree *tree;
    struct uts_node node;
    int64_t nodes;
    pthread_t thread;
    struct pool_job job;
};

static void child_of(const struct walk *walk, int number, struct walk *child) {
    child->tree = walk->tree;
    uts_child(&walk->node, number, &child->node);
}

static void *by_threads(void *arg) {
    struct walk *walk = arg, few[FEW];
    int count = uts_children(walk->tree, &walk->node);
    struct walk *children = count <= FEW ? few : must_alloc((uint64_t)count * sizeof *children);
    for (int i = 0; i < count; i++) {
        child_of(walk, i, &children[i]);
        children[i].thread = thread_start(by_threads, &children[i]);
    }
    walk->nodes = 1;
    for (int i = 0; i < count; i++) {
        pthread_join(children[i].thread, NULL);
        walk->nodes += children[i].nodes;
    }
    if (children != few) free(children);
    return NULL;
}

static void by_jobs(void *arg) {
    struct walk *walk = arg, few[FEW];
    struct pool_batch batch = {0};
    int count = uts_children(walk->tree, &walk->node);
    struct walk *children = count <= FEW ? few : must_alloc((uint64_t)count * sizeof *children);
    for (int i = 0; i < count; i++) {
        child_of(walk, i, &children[i]);
        pool_submit(the_pool, &batch, &children[i].job, by_jobs, &children[i]);
    }
    pool_wait(the_pool, &batch);
    walk->nodes = 1;
    for (int i = 0; i < count; i++) walk->nodes += children[i].nodes;
    if (children != few) free(children);
}

static uint64_t threads(struct uts_tree tree) {
    struct walk root = {.tree = &tree, .node = uts_root(&tree)};
    by_threads(&root);
    return (uint64_t)root.nodes;
}

static uint64_t jobs(struct uts_tree tree) {
    struct walk root = {.tree = &tree, .node = uts_root(&tree)};
    by_jobs(&root);
    return (uint64_t)root.nodes;
}

uint64_t uts_t1_pthread(struct run *run) {
    return threads(uts_tree_t1(run->n));
}

uint64_t uts_t3_pthread(struct run *run) {
    return threads(uts_tree_t3(run->n));
}

uint64_t uts_t1_pool(struct run *run) {
    return jobs(uts_tree_t1(run->n));
}

uint64_t uts_t3_pool(struct run *run) {
    return jobs(uts_tree_t3(run->n));
}
