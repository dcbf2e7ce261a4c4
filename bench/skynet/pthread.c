/* SPDX-License-Identifier: MIT */
#include "../common/pool.h"
#include "../common/thread.h"
#include "skynet.h"

struct node {
    int64_t first, leaves, sum;
    pthread_t thread;
    struct pool_job job;
};

static struct node child_of(const struct node *node, int i) {
    int64_t each = node->leaves / CHILDREN;
    return (struct node){.first = node->first + i * each, .leaves = each};
}

static void *by_threads(void *arg) {
    struct node *node = arg, children[CHILDREN];
    node->sum = node->first;
    if (node->leaves == 1) return NULL;
    node->sum = 0;
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = child_of(node, i);
        children[i].thread = thread_start(by_threads, &children[i]);
    }
    for (int i = 0; i < CHILDREN; i++) {
        pthread_join(children[i].thread, NULL);
        node->sum += children[i].sum;
    }
    return NULL;
}

uint64_t skynet_pthread(struct run *run) {
    struct node root = {.first = 0, .leaves = run->n};
    by_threads(&root);
    return (uint64_t)root.sum;
}

static void by_jobs(void *arg) {
    struct node *node = arg, children[CHILDREN];
    struct pool_batch batch = {0};
    node->sum = node->first;
    if (node->leaves == 1) return;
    node->sum = 0;
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = child_of(node, i);
        pool_submit(the_pool, &batch, &children[i].job, by_jobs, &children[i]);
    }
    pool_wait(the_pool, &batch);
    for (int i = 0; i < CHILDREN; i++) node->sum += children[i].sum;
}

uint64_t skynet_pool(struct run *run) {
    struct node root = {.first = 0, .leaves = run->n};
    by_jobs(&root);
    return (uint64_t)root.sum;
}
