/* SPDX-License-Identifier: MIT */
/*
 * Proves that a runtime's only worker is not made the only user of its queues again while it is blocked: a spare is about
 * to come, and takes for granted that it need not say so.
 */
#include <filch/filch.h>

#include "sched/runtime.h"
#include "tests/test.h"

static void must_share(const struct filch__worker *worker) {
    check(!load_seq_cst(&worker->alone));
    check(!load_seq_cst(&worker->runqueue.alone));
}

/* What filch_block_begin does before it has a spare put to work; then what the monitor does at the end of each look. */
static int blocks(void *arg) {
    (void)arg;
    struct filch__worker *worker = filch__worker_current();
    struct filch_runtime *runtime = worker->runtime;
    filch__idle_block(worker);
    must_share(worker);
    for (int look = 0; look < 3; look++) {
        filch__idle_leave_alone(runtime);
        must_share(worker);
    }
    filch__idle_unblock(worker);
    return 0;
}

TEST(alone, a_worker_that_is_blocked_is_not_made_alone_again) {
    check_int(filch_run(blocks, NULL, &(filch_options){.workers = 1}), 0);
}

static int is_again(void *arg) {
    (void)arg;
    struct filch__worker *worker = filch__worker_current();
    while (worker->may_be_alone && !load_seq_cst(&worker->alone)) filch_sleep(FILCH_MS(1));
    return 0;
}

static int blocks_and_returns(void *arg) {
    check_int(blocks(arg), 0);
    return is_again(arg); /* hangs if it never is */
}

TEST(alone, once_it_is_back_it_is) {
    check_int(filch_run(blocks_and_returns, NULL, &(filch_options){.workers = 1}), 0);
}
