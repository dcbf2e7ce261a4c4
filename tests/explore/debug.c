/* SPDX-License-Identifier: MIT */
/* Stand-ins for debug mode, which explored runtimes have not: what calls of it there are, are not made. */
#include "sched/debug.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/circle.h"
#include "sched/foreign.h"
#include "sched/ledger.h"
#include "sched/worker.h"

ATOMIC(uint32_t) filch__debug_checks;

bool filch__debug_read(struct filch__debug *debug, const char *words, const char *source) {
    (void)debug;
    (void)words;
    (void)source;
    return true;
}

void filch__debug_of_environment(struct filch__debug *debug) {
    (void)debug;
}

void filch__debug_begin(struct filch_runtime *runtime) {
    (void)runtime;
}

void filch__debug_end(struct filch_runtime *runtime) {
    (void)runtime;
}

int filch__debug_no_task(const char *call) {
    (void)call;
    return -EPERM;
}

void filch__debug_forget(void) {
}

bool filch__circle_enter(struct filch__circle_note *note) {
    (void)note;
    abort();
}

void filch__circle_leave(struct filch__circle_note *note) {
    (void)note;
    abort();
}

void filch__complaint_say(struct filch__complaint *complaint, const char *format, ...) {
    (void)complaint;
    (void)format;
    abort();
}

void filch__foreign_look(const char *reason, const void *object) {
    (void)reason;
    (void)object;
    abort();
}

void filch__guard_task_ends(struct filch__worker *worker, struct filch_task *task) {
    (void)worker;
    (void)task;
    abort();
}

void filch__ledger_taken(const char *kind, const void *lock) {
    (void)kind;
    (void)lock;
    abort();
}

void filch__ledger_left(const void *lock) {
    (void)lock;
    abort();
}

bool filch__ledger_reads(const void *lock) {
    (void)lock;
    abort();
}

void filch__ledger_reads_no_more(const void *lock, bool last) {
    (void)lock;
    (void)last;
    abort();
}

void filch__ledger_task_ends(struct filch_task *task) {
    (void)task;
    abort();
}

void filch__ledger_made(const void *chan, void (*describe)(const void *chan, struct filch__complaint *complaint)) {
    (void)chan;
    (void)describe;
    abort();
}

void filch__ledger_destroyed(const void *chan, size_t values) {
    (void)chan;
    (void)values;
    abort();
}

void filch__ledger_opened(const void *scope, struct filch_runtime *runtime) {
    (void)scope;
    (void)runtime;
}

void filch__ledger_closed(const void *scope) {
    (void)scope;
}
