/* SPDX-License-Identifier: MIT */
/*
 * The runtime's life: made by a task of the simulation, used, shut down with tasks left, destroyed, and another one after
 * it. What tasks did is counted, each answer of shutdown and spawn is looked at, and after a shutdown that answers 0 all must
 * have ended.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "history.h"

enum { LIVES_MAX = 3, SPAWNS_MAX = 6, WORKERS_MAX = 3, LINES_MAX = 64, LINE_SIZE = 96, SHORT_NS = 400 };

static struct {
    char lines[LINES_MAX][LINE_SIZE];
    unsigned count;
    const char *wrong;
    struct filch__random random;
    filch_runtime *runtime;
    unsigned spawned, begun, ended; /* tasks of the runtime */
    bool closed;                    /* its shutdown has begun */
    bool is_cancelled;              /* perhaps */
    bool some_cut;                  /* tasks of a scope, which never began */
} life;

static __attribute__((format(printf, 1, 2))) void tell(const char *format, ...) {
    if (life.count == LINES_MAX) return;
    char *line = life.lines[life.count++];
    int length = snprintf(line, LINE_SIZE, "  %12lld ns  ", (long long)filch_now() - FILCH_SEC(1));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + length, LINE_SIZE - (size_t)length, format, arguments);
    va_end(arguments);
}

void life_print(void) {
    for (unsigned i = 0; i < life.count; i++) printf("%s\n", life.lines[i]);
}

static void must(bool holds, const char *what) {
    if (holds || life.wrong != NULL) return;
    life.wrong = what;
    tell("WRONG: %s", what);
}

static unsigned below(unsigned count) {
    return filch__choose(&life.random, CHOICE_VICTIM, count);
}

/* --------------------------------------------------------------------------------------------------------------- tasks */

static int end_at_once(void *arg) {
    (void)arg;
    life.begun++;
    life.ended++;
    return 7;
}

static int sleep_a_while(void *arg) {
    (void)arg;
    life.begun++;
    int error = filch_sleep(SHORT_NS);
    must(error == 0 || (error == -ECANCELED && life.is_cancelled), "a sleep was cut short though nobody cancelled");
    life.ended++;
    return 0;
}

static int give_way(void *arg) {
    (void)arg;
    life.begun++;
    for (int i = 0; i < 3; i++) filch_yield();
    life.ended++;
    return 0;
}

/* Tasks may spawn until the last has ended, also when shutdown has begun. */
static int spawn_another(void *arg) {
    (void)arg;
    life.begun++;
    life.spawned++;
    filch_task *child;
    must(filch_spawn(&child, sleep_a_while, NULL, NULL) == 0, "a task could not spawn");
    if (child != NULL) filch_task_detach(child);
    life.ended++;
    return 0;
}

static int open_scope(void *arg) {
    (void)arg;
    life.begun++;
    filch_scope scope;
    must(filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(SHORT_NS / 2)}) == 0, "no scope");
    for (int i = 0; i < 2; i++) {
        bool spawned = filch_scope_spawn(&scope, NULL, give_way, NULL, NULL) == 0;
        life.spawned += spawned;
    }
    int result = filch_scope_close(&scope);
    must(result == 0 || result == -ETIMEDOUT || (result == -ECANCELED && life.is_cancelled), "a scope failed");
    if (result != 0) life.some_cut = true;
    life.ended++;
    return 0;
}

static int shut_down_from_within(void *arg) {
    life.begun++;
    must(filch_runtime_shutdown(arg, FILCH_NEVER) == -EDEADLK, "a task could shut down its own runtime");
    life.ended++;
    return 0;
}

static filch_fn *const tasks[] = {end_at_once,   sleep_a_while, give_way,
                                  spawn_another, open_scope,    shut_down_from_within};

/* -------------------------------------------------------------------------------------------------------- from outside */

static filch_task *handles[SPAWNS_MAX * 2];
static unsigned handle_count;

static void spawn_one(void) {
    unsigned which = below(sizeof tasks / sizeof *tasks);
    filch_task *task;
    bool closed = life.closed; /* the call has no point inside */
    int error = filch_runtime_spawn(life.runtime, &task, tasks[which], life.runtime, NULL);
    tell("spawn of task %u -> %d", which, error);
    must(error == (closed ? -ESHUTDOWN : 0), "a spawn from outside answers otherwise");
    if (error != 0) return;
    life.spawned++;
    if (below(2) == 0) {
        filch_task_detach(task);
    } else {
        handles[handle_count++] = task;
    }
}

/* Another task of the simulation, while the first shuts the runtime down. */
static int spawn_meanwhile(void *arg) {
    (void)arg;
    for (unsigned i = below(3); i > 0; i--) {
        filch_yield();
        spawn_one();
    }
    return 0;
}

static void shut_down(filch_deadline deadline) {
    tell("shutdown, for %lld ns", deadline.at_ns == INT64_MAX ? -1 : (long long)(deadline.at_ns - filch_now()));
    life.closed = true;
    int error = filch_runtime_shutdown(life.runtime, deadline);
    tell("shutdown -> %d; %u spawned, %u begun, %u ended", error, life.spawned, life.begun, life.ended);
    if (error == 0) {
        must(life.begun == life.ended, "a task had not ended when shutdown answered 0");
        must(life.begun == life.spawned || life.is_cancelled || life.some_cut, "a task never ran");
    } else {
        must(error == -ETIMEDOUT && filch_now() >= deadline.at_ns, "shutdown timed out before its deadline");
    }
}

static void await_all(void) {
    for (unsigned i = 0; i < handle_count; i++) {
        int error = filch_await(handles[i], NULL, FILCH_NEVER);
        must(error == 0, "a task could not be awaited");
    }
    handle_count = 0;
}

static void live_once(void) {
    static const filch_simulation simulation = {.quiet = true}; /* joins the one that there is */
    filch_task *other = NULL;
    unsigned workers = 1 + below(WORKERS_MAX);
    life.spawned = life.begun = life.ended = 0;
    life.closed = life.is_cancelled = life.some_cut = false;
    int error = filch_runtime_create(&life.runtime, &(filch_options){.workers = workers, .simulation = &simulation});
    tell("a runtime of %u workers -> %d", workers, error);
    must(error == 0, "no runtime");
    if (error != 0) return;
    for (unsigned i = below(SPAWNS_MAX); i > 0; i--) spawn_one();
    if (below(3) == 0) filch_yield();
    if (below(3) == 0 && filch_spawn(&other, spawn_meanwhile, NULL, NULL) != 0) other = NULL;
    if (below(4) == 0) {
        life.is_cancelled = true;
        tell("all is cancelled");
        filch_runtime_cancel(life.runtime);
    }
    if (below(2) == 0) await_all();
    if (below(2) == 0) shut_down(filch_after((int64_t)below(2 * SHORT_NS)));
    if (below(2) == 0) shut_down(FILCH_NEVER);
    if (other != NULL) must(filch_await(other, NULL, FILCH_NEVER) == 0, "who spawned meanwhile");
    await_all(); /* handles are to be given up while there is a runtime */
    life.closed = true;
    must(filch_runtime_destroy(life.runtime) == 0, "not destroyed");
    tell("destroyed; %u spawned, %u begun, %u ended", life.spawned, life.begun, life.ended);
    must(life.begun == life.ended, "a task had not ended when its runtime was destroyed");
    must(life.begun == life.spawned || life.is_cancelled || life.some_cut, "a task never ran");
}

static const char *run(uint64_t seed) {
    memset(&life, 0, sizeof life);
    handle_count = 0;
    filch__random_init(&life.random, seed, 2);
    for (unsigned i = 1 + below(LIVES_MAX); i > 0 && life.wrong == NULL; i--) live_once();
    return life.wrong;
}

const struct object history_runtime = {.name = "runtime", .life = run};
