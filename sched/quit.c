/* SPDX-License-Identifier: MIT */
#include "sched/quit.h"

#include <filch/dump.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/latch.h"
#include "base/put_off.h"
#include "sched/descriptor.h"
#include "sched/hog.h"
#include "sched/runtime.h"

static struct filch__latch adding;
static ATOMIC(uint32_t) visits;
static ATOMIC(uint32_t) asked; /* 1: a dump is wanted */
static pthread_once_t watched = PTHREAD_ONCE_INIT;

/* Whether the other has its name, and the number that it would have. */
static int is_namesake(struct filch_runtime *other, void *arg) {
    struct filch_runtime *runtime = arg;
    return other->namesake == runtime->namesake && strcmp(other->name, runtime->name) == 0;
}

void filch__runtimes_add(struct filch_runtime *runtime) {
    filch__latch_take(&adding);
    runtime->namesake = 1;
    while (filch__runtimes_each(is_namesake, runtime)) runtime->namesake++;
    for (unsigned i = 0; i < RUNTIMES_MAX; i++) {
        struct filch_runtime *nobody = NULL;
        if (cas_seq_cst(&filch__runtimes_table[i], &nobody, runtime)) break; /* VISIT carries the runtime */
    }
    filch__latch_leave(&adding);
}

void filch__runtimes_remove(struct filch_runtime *runtime) {
    for (unsigned i = 0; i < RUNTIMES_MAX; i++) {
        struct filch_runtime *self = runtime;
        if (cas_seq_cst(&filch__runtimes_table[i], &self, NULL)) break; /* VISIT */
    }
    while (load_seq_cst(&visits) > 0) sched_yield(); /* VISIT */
}

/* There is one thread. */
void filch__runtimes_forget(void) {
    for (unsigned i = 0; i < RUNTIMES_MAX; i++) store_relaxed(&filch__runtimes_table[i], NULL);
    store_relaxed(&visits, 0);
    store_relaxed(&adding.taken, 0); /* whoever had it */
    store_relaxed(&asked, 0);
}

int filch__runtimes_each(int (*visit)(struct filch_runtime *runtime, void *arg), void *arg) {
    int answer = 0;
    add_seq_cst(&visits, 1); /* VISIT */
    for (unsigned i = 0; i < RUNTIMES_MAX && answer == 0; i++) {
        struct filch_runtime *runtime = load_seq_cst(&filch__runtimes_table[i]); /* VISIT */
        if (runtime != NULL && !filch__runtime_is_parents(runtime)) answer = visit(runtime, arg);
    }
    sub_seq_cst(&visits, 1);
    return answer;
}

/* ------------------------------------------------------------------------------------------------------- the signal */

/* The first whose monitor is there makes the dump, of all. */
static int stir(struct filch_runtime *runtime, void *arg) {
    (void)arg;
    if (!runtime->monitor.on) return 0;
    filch__monitor_stir(runtime);
    return 1;
}

static void handle(int number) {
    (void)number;
    store_seq_cst(&asked, 1); /* before the monitor is stirred, which looks after it has been */
    (void)filch__runtimes_each(stir, NULL);
}

bool filch__quit_is_asked(void) {
    return load_seq_cst(&asked) != 0;
}

void filch__quit_serve(void) {
    if (likely(load_relaxed(&asked) == 0) || exchange_seq_cst(&asked, 0) == 0) return; /* a glance, and who is first */
    (void)filch_dump(STDERR_FILENO, NULL, NULL);
}

static void watch(void) {
    struct filch__debug debug = {0};
    struct sigaction now;
    filch__debug_of_environment(&debug);
    if (debug.checks & CHECK_NO_QUIT) return;
    if (sigaction(SIGQUIT, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL) return;
    filch__hog_prepare(); /* loads what unwinds: not when memory or locks are at their end */
    int restart =
        HANDLERS_ARE_PUT_OFF ? 0 : SA_RESTART; /* else it could wait for who sleeps in a futex: base/put_off.h */
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK | restart};
    sigaction(SIGQUIT, &action, NULL);
}

void filch__quit_watch(void) {
    pthread_once(&watched, watch);
}
