/* SPDX-License-Identifier: MIT */
/* What was called when. All run on one thread, so that counting up is the order of events. */
#include <string.h>

#include "history.h"
#include "sched/park.h"
#include "sched/task.h"

static struct history *recorded;
static struct filch_task *tasks[TASKS_MAX];
static struct call *pending[TASKS_MAX]; /* that has not been seen to be parked */

void record_begin(struct history *history) {
    recorded = history;
    history->count = history->call_count = 0;
    history->wrong = NULL;
    history->began_ns = filch_now();
    memset(tasks, 0, sizeof tasks);
    memset(pending, 0, sizeof pending);
}

void record_task(unsigned task) {
    tasks[task] = filch_self();
}

static void add(enum event_kind kind, unsigned task, struct call *call, unsigned mark) {
    if (recorded->count == sizeof recorded->events / sizeof *recorded->events) {
        recorded->wrong = "it has too many events";
        return;
    }
    recorded->events[recorded->count++] = (struct event){
        .kind = (uint8_t)kind, .task = (uint8_t)task, .mark = (uint8_t)mark, .call = call, .now_ns = filch_now()};
}

/* Parked, with no cause to go on yet. */
static bool is_parked(unsigned task) {
    if (tasks[task] == NULL) return false;
    uintptr_t word = load_acquire(&tasks[task]->wait);
    return wait_word_is_of_waiter(word) && is_parked_alone(word);
}

/* Before each event: of whom it can be said by now. */
static void look_at_others(void) {
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        if (pending[i] == NULL || pending[i]->op->outside || !is_parked(i)) continue;
        add(EVENT_WAITS, i, pending[i], 0);
        pending[i] = NULL;
    }
}

struct call *record_call(unsigned task, const struct op *op, filch_deadline deadline) {
    static struct call room;
    struct call *call = &room;
    look_at_others();
    if (recorded->call_count < sizeof recorded->calls / sizeof *recorded->calls) {
        call = &recorded->calls[recorded->call_count++];
    } else {
        recorded->wrong = "it has too many calls";
    }
    *call = (struct call){.op = op, .task = task, .deadline_ns = deadline.at_ns};
    add(EVENT_CALL, task, call, 0);
    pending[task] = call;
    return call;
}

void record_mark(struct call *call, unsigned mark) {
    look_at_others();
    add(EVENT_MARK, call->task, call, mark);
}

void record_return(struct call *call) {
    pending[call->task] = NULL;
    look_at_others();
    add(EVENT_RETURN, call->task, call, 0);
}

void record_cancel(unsigned task, bool done) {
    look_at_others();
    add(done ? EVENT_CANCELLED : EVENT_CANCEL, task, NULL, 0);
}
