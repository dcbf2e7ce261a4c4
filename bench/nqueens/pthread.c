/* SPDX-License-Identifier: MIT */
#include "../common/pool.h"
#include "../common/thread.h"
#include "nqueens.h"

struct child {
    struct board board;
    int64_t solutions;
    pthread_t thread;
    struct pool_job job;
};

static int64_t by_threads(const struct board *board);

static void *thread(void *arg) {
    struct child *child = arg;
    child->solutions = by_threads(&child->board);
    return NULL;
}

static int64_t by_threads(const struct board *board) {
    struct child children[QUEENS_MAX];
    int count = 0;
    int64_t sum = 0;
    if (board->rows == board->size) return 1;
    for (int column = 0; column < board->size; column++) {
        struct child *child = &children[count];
        if (!board_place(&child->board, board, column)) continue;
        child->thread = thread_start(thread, child);
        count++;
    }
    for (int i = 0; i < count; i++) {
        pthread_join(children[i].thread, NULL);
        sum += children[i].solutions;
    }
    return sum;
}

uint64_t nqueens_pthread(struct run *run) {
    struct board board = board_empty(run->n);
    return (uint64_t)by_threads(&board);
}

static int64_t by_jobs(const struct board *board);

static void job(void *arg) {
    struct child *child = arg;
    child->solutions = by_jobs(&child->board);
}

static int64_t by_jobs(const struct board *board) {
    struct child children[QUEENS_MAX];
    struct pool_batch batch = {0};
    int count = 0;
    int64_t sum = 0;
    if (board->rows == board->size) return 1;
    for (int column = 0; column < board->size; column++) {
        struct child *child = &children[count];
        if (!board_place(&child->board, board, column)) continue;
        pool_submit(the_pool, &batch, &child->job, job, child);
        count++;
    }
    pool_wait(the_pool, &batch);
    for (int i = 0; i < count; i++) sum += children[i].solutions;
    return sum;
}

uint64_t nqueens_pool(struct run *run) {
    struct board board = board_empty(run->n);
    return (uint64_t)by_jobs(&board);
}
