/* SPDX-License-Identifier: MIT */
/*
 * Blocking in place: a worker that says that its thread will be blocked, so that others need not find out.
 *
 * What it has is put where others see it: the next slot to the run queue, the private list to the ring. If a worker is
 * idle, that is all; else a spare is put to work. The monitor fires the worker's timers meanwhile.
 */
#include <filch/blocking.h>

#include "sched/ledger.h"
#include "sched/probe.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

void filch__block_die(const struct filch__worker *worker, const char *what) {
    struct filch_task *task = region_task(worker->deque.hot.region);
    filch__die("block: between filch_block_begin and filch_block_end nothing waits: task %p \"%s\" %s", (void *)task,
               filch_task_name(task), what);
}

void filch__guard_task_ends(struct filch__worker *worker, struct filch_task *task) {
    if (worker->guard >= GUARD_BLOCK) filch__block_die(worker, "has ended");
    filch__ledger_task_ends(task);
}

/* Nobody is there who would take what others leave, and there are fewer at work than there may be. */
static void compensate(struct filch_runtime *runtime) {
    uint64_t word = load_seq_cst(&runtime->idle.word);
    if (idle_sleeping(word) > 0 || idle_searching(word) > 0)
        return; /* they have been notified, or look for themselves */
    if (filch__idle_unretire(runtime)) return;
    store_seq_cst(&runtime->monitor.wanted, 1); /* the monitor alone makes spares */
    filch__monitor_stir(runtime);
}

void filch_block_begin(void) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return;
    bool begun = worker->guard >= GUARD_BLOCK;
    worker->guard += GUARD_BLOCK;
    if (begun) return;
    probe1(block, worker->index);
    if (filch__traces(&worker->deque.hot)) filch__trace_worker(&worker->deque.hot, TRACE_BLOCK);
    if (worker->simulated) return;
    if (worker->minds & MINDS_PUT_OFF) filch__poller_flush(worker);
    store_release(&worker->blocks, 1); /* for the monitor */
    bool monitored = worker->runtime->monitor.on;
    bool enough = filch__idle_block(worker);
    if (!monitored && worker->runtime->worker_count == 1) return; /* there is nobody else, and nobody comes */
    filch__worker_put_off_next(worker);
    filch__deque_share(&worker->deque);
    filch__idle_notify(worker->runtime);
    if (monitored && !enough) compensate(worker->runtime);
}

void filch_block_end(void) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return;
    if (worker->guard < GUARD_BLOCK) {
        struct filch_task *task = region_task(worker->deque.hot.region);
        filch__die("block: filch_block_end without filch_block_begin, in task %p \"%s\"", (void *)task,
                   filch_task_name(task));
    }
    worker->guard -= GUARD_BLOCK;
    if (worker->guard >= GUARD_BLOCK) return;
    probe1(unblock, worker->index);
    if (filch__traces(&worker->deque.hot)) filch__trace_worker(&worker->deque.hot, TRACE_UNBLOCK);
    if (worker->simulated) return;
    store_release(&worker->blocks, 0);
    filch__idle_unblock(worker);
}
