/* SPDX-License-Identifier: MIT */
/* Every node forks, or spawns, all ten of its children. */
#include "../common/filch.h"
#include "skynet.h"

struct node {
    int64_t first, leaves, sum;
};

/* Field by field: a struct that is returned is written in two halves and read as one, which stalls the processor. */
static void child_init(struct node *child, const struct node *node, int i) {
    child->leaves = node->leaves / CHILDREN;
    child->first = node->first + i * child->leaves;
}

static int by_fork(void *arg) {
    struct node *node = arg, children[CHILDREN];
    filch_frame frames[CHILDREN];
    node->sum = node->first;
    if (node->leaves == 1) return 0;
    node->sum = 0;
    for (int i = 0; i < CHILDREN; i++) {
        child_init(&children[i], node, i);
        filch_fork(&frames[i], by_fork, &children[i]);
    }
    for (int i = CHILDREN - 1; i >= 0; i--) {
        filch_join(&frames[i]);
        node->sum += children[i].sum;
    }
    return 0;
}

uint64_t skynet_filch_fork(struct run *run) {
    struct node root = {.first = 0, .leaves = run->n};
    by_fork(&root);
    return (uint64_t)root.sum;
}

static int directly(void *arg) {
    struct node *node = arg, children[CHILDREN];
    filch_frame frames[CHILDREN];
    node->sum = node->first;
    if (node->leaves == 1) return 0;
    node->sum = 0;
    for (int i = 0; i < CHILDREN; i++) {
        child_init(&children[i], node, i);
        filch_fork(&frames[i], directly, &children[i]);
    }
    for (int i = CHILDREN - 1; i >= 0; i--) {
        if (filch_reclaim(&frames[i])) directly(&children[i]);
        node->sum += children[i].sum;
    }
    return 0;
}

uint64_t skynet_filch_inline(struct run *run) {
    struct node root = {.first = 0, .leaves = run->n};
    directly(&root);
    return (uint64_t)root.sum;
}

static int by_spawn(void *arg) {
    struct node *node = arg, children[CHILDREN];
    filch_task *tasks[CHILDREN];
    node->sum = node->first;
    if (node->leaves == 1) return 0;
    node->sum = 0;
    for (int i = 0; i < CHILDREN; i++) {
        child_init(&children[i], node, i);
        tasks[i] = must_spawn(by_spawn, &children[i]);
    }
    for (int i = CHILDREN - 1; i >= 0; i--) {
        must_await(tasks[i]);
        node->sum += children[i].sum;
    }
    return 0;
}

uint64_t skynet_filch_spawn(struct run *run) {
    struct node root = {.first = 0, .leaves = run->n};
    by_spawn(&root);
    return (uint64_t)root.sum;
}
