/* SPDX-License-Identifier: MIT */
#include "sched/quit.h"

#include <errno.h>
#include <filch/dump.h>
#include <filch/stats.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
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

static struct filch__latch watching;
static unsigned watchers; /* runtimes, under the latch */
static bool installed;    /* likewise: the handler was, when the first of them came */

static void say(const char *line) {
    ssize_t ignored = write(STDERR_FILENO, line, strlen(line));
    (void)ignored;
}

/* The first whose monitor is there makes the dump, of all. */
static int stir(struct filch_runtime *runtime, void *arg) {
    (void)arg;
    if (!runtime->monitor.on) return 0;
    filch__monitor_stir(runtime);
    return 1;
}

static void handle(int number) {
    int error = errno;
    (void)number;
    store_seq_cst(&asked, 1); /* before the monitor is stirred, which looks after it has been */
    if (filch__runtimes_each(stir, NULL) == 0 && exchange_seq_cst(&asked, 0) != 0) {
        say("filch: SIGQUIT: no dump, since no runtime has a monitor that would make it\n");
    }
    errno = error;
}

bool filch__quit_is_asked(void) {
    return load_seq_cst(&asked) != 0;
}

static int count_tasks(struct filch_runtime *runtime, void *arg) {
    filch_stats stats;
    if (filch_runtime_stats(runtime, &stats) == 0) *(unsigned long long *)arg += stats.tasks;
    return 0;
}

static void say_failed(int answer) {
    char line[128];
    unsigned long long tasks = 0;
    (void)filch__runtimes_each(count_tasks, &tasks);
    snprintf(line, sizeof line, "filch: SIGQUIT: %s of %llu task%s (%d)\n",
             answer == -ENOMEM ? "no memory for the dump" : "the dump failed,", tasks, tasks == 1 ? "" : "s", answer);
    say(line);
}

void filch__quit_serve(void) {
    if (likely(load_relaxed(&asked) == 0) || exchange_seq_cst(&asked, 0) == 0) return; /* a glance, and who is first */
    int answer = filch_dump(STDERR_FILENO, NULL, NULL);
    if (answer < 0) say_failed(answer);
}

/* ------------------------------------------------------------------------------------------------------ the handler */

static bool is_default(void) {
    struct sigaction now;
    return sigaction(SIGQUIT, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
}

static bool is_ours(const struct sigaction *action) {
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == handle;
}

static bool is_wanted(void) {
    struct filch__debug debug = {0};
    filch__debug_of_environment(&debug);
    return !(debug.checks & CHECK_NO_QUIT) && is_default();
}

static void install(void) {
    int restart =
        HANDLERS_ARE_PUT_OFF ? 0 : SA_RESTART; /* else it could wait for who sleeps in a futex: base/put_off.h */
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK | restart};
    installed = sigaction(SIGQUIT, &action, NULL) == 0;
}

/* What the program has installed itself in the meantime is left, or put back. */
static void uninstall(void) {
    struct sigaction now, by_default = {.sa_handler = SIG_DFL};
    if (!installed) return;
    installed = false;
    if (sigaction(SIGQUIT, NULL, &now) != 0 || !is_ours(&now)) return;
    if (sigaction(SIGQUIT, &by_default, &now) == 0 && !is_ours(&now)) sigaction(SIGQUIT, &now, NULL);
}

void filch__quit_watch(void) {
    bool wanted = is_wanted();
    if (wanted) filch__hog_prepare(); /* loads what unwinds: not when memory or locks are at their end */
    filch__latch_take(&watching);
    if (watchers++ == 0 && wanted && is_default()) install();
    filch__latch_leave(&watching);
}

void filch__quit_unwatch(void) {
    filch__latch_take(&watching);
    bool last = --watchers == 0;
    if (last) uninstall();
    filch__latch_leave(&watching);
    if (last && exchange_seq_cst(&asked, 0) != 0) say("filch: SIGQUIT: no dump, since the last runtime has ended\n");
}

/* There is one thread, and no runtime. */
void filch__quit_forget(void) {
    store_relaxed(&watching.taken, 0); /* whoever had it */
    store_relaxed(&asked, 0);
    watchers = 0;
    uninstall();
}
